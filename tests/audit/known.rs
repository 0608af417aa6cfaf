//! What a node keeps of a domain, used where the domain is audited by hand.

use std::process::Command;

use serde_json::Value;

use crate::dns::{cname, txt};
use crate::scene::{OWN, published};
use crate::waypost::audit;

#[test]
fn a_domain_is_audited_by_what_the_node_keeps_of_it() {
    let scene = published();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("waypost.toml");
    let data = folder.path().join("data");
    let (resolver, port) = (scene.server.resolver(), scene.server.port());
    let text = format!(
        "[node]\ndata = \"{}\"\n[dns]\nservers = [\"{resolver}\"]\nzone_port = {port}\n\
         server_rate = 1000\n[audit]\nfetch = \"off\"\n",
        data.display()
    );
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let report = |name: &str, more: &[&str]| -> Value {
        let ended = audit(&[&[name, "--json", "--config", config], more].concat());
        assert_eq!(ended.err, "", "{ended:?}");
        serde_json::from_str(&ended.out).unwrap()
    };
    let key = |report: &Value| report["sections"][1]["expected"].as_str().unwrap().to_owned();
    // Nothing is made by looking.
    assert_eq!(report("example.com", &[])["tracking"], "trk.example.com");
    assert!(!data.exists());
    scene.server.add("news.example.net", cname("trk.aksend.net"));
    let record = format!("v=DKIM1; p={OWN}");
    let (first, rest) = record.split_at(255);
    scene.server.add("own._domainkey.example.com", txt(&[first, rest]));
    let own = format!("own={OWN}");
    for name in ["news.example.net", "trk.example.com"] {
        let added = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .args(["domain", "add", name, "--sending", "example.com", "--dkim", &own])
            .args(["--config", config])
            .output()
            .unwrap();
        assert!(added.status.success(), "{added:?}");
    }
    for (name, tracking) in [
        ("news.example.net", "news.example.net"),
        ("trk.example.com", "trk.example.com"),
        ("example.com", "trk.example.com"),
    ] {
        let report = report(name, &[]);
        assert_eq!(
            (&report["domain"], &report["tracking"]),
            (&"example.com".into(), &tracking.into())
        );
        assert!(key(&report).ends_with(OWN), "{name}: {report:#}");
        assert_eq!(report["sections"][1]["name"], "own._domainkey.example.com");
    }
    // What is said by hand goes before what is kept, and nothing is kept of others.
    let told = report("example.com", &["--tracking", "www.example.com"]);
    assert_eq!(told["tracking"], "www.example.com");
    assert_eq!(report("other.example.com", &[])["tracking"], "trk.other.example.com");
}
