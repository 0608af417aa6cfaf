//! A domain and the world around it, served by the tests' own server.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use waypost::clock::SystemClock;
use waypost::config::Settings;
use waypost::disk::SystemDisk;
use waypost::server::{World, examine};

use crate::dns::{DnsServer, a, caa, cname, mx, ns, txt};
use crate::waypost::{Ended, audit};

/// The records that the platform's instructions have customers paste, word for word.
pub(crate) fn published() -> Scene {
    let scene = Scene::new();
    let server = &scene.server;
    server.add("example.com", txt(&["v=spf1 include:spf.aksend.net -all"]));
    server.add("example.com", txt(&["spf2.0/pra include:spf.aksend.net -all"]));
    server.add("ak._domainkey.example.com", txt(&[&format!("v=DKIM1; k=rsa; p={SHARED}")]));
    server.add("_domainkey.example.com", txt(&["o=-;"]));
    server.add(
        "_dmarc.example.com",
        txt(&["v=DMARC1; p=reject; sp=reject; mailto:report@example.com"]),
    );
    server.add("default._bimi.example.com", txt(&["v=BIMI1; l=https://example.com/bimi/bimi.svg"]));
    server.add("trk.example.com", cname("trk.aksend.net"));
    scene
}

/// A server with the world around a domain, and a configuration that asks it.
pub(crate) struct Scene {
    pub(crate) server: DnsServer,
    folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::over(DnsServer::start(2))
    }

    /// A scene that this server shows.
    pub(crate) fn over(server: DnsServer) -> Self {
        for apex in ["com", "net", "example"] {
            server.change(|records| records.zone(apex, 60));
        }
        server.zone("example.com", 60);
        server.add("aksend.net", ns("ns1.example.com"));
        server.add("spf.aksend.net", txt(&["v=spf1 ip4:198.51.101.0/24 -all"]));
        server.add("trk.aksend.net", a([198, 51, 102, 1]));
        server.add("example.com", mx(10, "mail.example.com"));
        server.add("mail.example.com", a([198, 51, 101, 200]));
        server.add("www.example.com", a([198, 51, 101, 200]));
        let scene = Self { server, folder: tempfile::tempdir().unwrap() };
        scene.with("");
        scene
    }

    /// Writes the configuration, with these settings of what is expected. Nothing is fetched.
    pub(crate) fn with(&self, expect: &str) -> &Self {
        self.configure("fetch = \"off\"", expect)
    }

    /// Writes the configuration, with these settings of the audit and of what is expected.
    pub(crate) fn configure(&self, audit: &str, expect: &str) -> &Self {
        let (resolver, port) = (self.server.resolver(), self.server.port());
        let text = format!(
            "[dns]\nservers = [\"{resolver}\"]\nzone_port = {port}\ntimeout = \"500ms\"\n\
             server_rate = 1000\n[audit]\n{audit}\n[audit.expect]\n{expect}\n"
        );
        std::fs::write(self.config(), text).unwrap();
        self
    }

    /// What the configuration says.
    pub(crate) fn settings(&self) -> Settings {
        Settings::load(&SystemDisk, &self.config()).unwrap().unwrap()
    }

    /// What a start would find wrong, by key.
    pub(crate) fn objections(&self) -> Vec<(&'static str, String)> {
        let world = World { disk: Arc::new(SystemDisk), clock: Arc::new(SystemClock) };
        let objections = examine(&self.settings(), &world);
        objections.into_iter().map(|objection| (objection.key, objection.reason)).collect()
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("waypost.toml")
    }

    pub(crate) fn audit(&self, arguments: &[&str]) -> Ended {
        let config = self.config();
        audit(&[arguments, &["--config", config.to_str().unwrap()]].concat())
    }

    pub(crate) fn json(&self, domain: &str) -> Value {
        let ended = self.audit(&[domain, "--json"]);
        serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }
}

pub(crate) fn findings(report: &Value) -> impl Iterator<Item = &Value> {
    let sections = report["sections"].as_array().unwrap().iter();
    sections.flat_map(|section| section["findings"].as_array().unwrap())
}

pub(crate) fn finding<'a>(report: &'a Value, rule: &str) -> Option<&'a Value> {
    findings(report).find(|finding| finding["rule"] == rule)
}

/// Puts these SPF records in the place of the domain's.
pub(crate) fn spf_is(dns: &DnsServer, records: &[&str]) {
    use hickory_net::proto::rr::RData;
    dns.change(|all| {
        let held = match all.held("example.com") {
            crate::dns::Held::Name(held) => held.to_vec(),
            crate::dns::Held::Nothing => Vec::new(),
        };
        let is_spf = |data: &RData| matches!(data, RData::TXT(text) if text.to_string().to_lowercase().contains("v=spf1"));
        all.remove("example.com");
        for data in held.into_iter().filter(|data| !is_spf(data)) {
            all.add("example.com", data);
        }
        for record in records {
            all.add("example.com", txt(&[record]));
        }
    });
}

pub(crate) fn alias_is(dns: &DnsServer, target: &str) {
    dns.remove("trk.example.com");
    dns.add("trk.example.com", cname(target));
}

pub(crate) fn paste(dns: &DnsServer, name: &str, kind: &str, record: &str) {
    match kind {
        "CNAME" => {
            dns.remove(name);
            dns.add(name, cname(record));
        }
        "CAA" => {
            let mut parts = record.splitn(3, ' ');
            let (flags, tag) = (parts.next().unwrap().parse().unwrap(), parts.next().unwrap());
            dns.add(name, caa(flags, tag, parts.next().unwrap().trim_matches('"')));
        }
        _ if name == "example.com" => spf_is(dns, &[record]),
        _ => {
            dns.remove(name);
            let (first, rest) = record.split_at(record.len().min(255));
            dns.add(name, txt(&[first, rest]));
        }
    }
}

pub(crate) const SHARED: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCldFYh3Rfrmeov+WqYYpwfW2bVUzxXPy9dSVoUCGLKCn+vgY/pdKIIBFitkvZJXGLnHqreqwGzoriEWf9ZRd+cL2LdA4UrDKheMeorBd2NSIqihkTaKz8PA+SIBFxFGm2Z0Krh5ZDF2NtFVhtD4YvqmrFqk2muzZ0tFEko8zP30wIDAQAB";
pub(crate) const OWN: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApnVCOVt9LUYpf7235FVwu/SSZzVekxKQyDPox6invrfTsJbCQPePvTiiBo/IDgQdjRx0LfaBhAODS0vpvy3bJa12qT+wmOS4lBrC9aYpCznBLHCDDU5VNJhjwYMBtQVmGF2SJgsOdJY68i4mr9m6yf4UG69Qj3AUmUXsUugBsrF1CfPQZeEQO89x6FTasujiUnECw3Iwz131i9e0IY1wIxujl/PF4S2keL1t9OECO4WvAONwIHN59uLCADvRbOIqpizFfQx322P+I3DbC+MVGVATh/hiuEZR7JDNcxwdLtrw66/FPvSZvUzJwP8JPki/snZSsa1CdopMpSNY+9XWowIDAQAB";
