//! The configuration file: every key is heard, every mistake is told, all at once.
#![allow(clippy::disallowed_methods, reason = "a test writes files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use waypost::config::{Problem, Settings};
use waypost::disk::SystemDisk;

const FILE: &str = include_str!("../config/waypost.toml");

fn parse(text: &str) -> Result<Settings, Vec<Problem>> {
    Settings::parse(text, Path::new("/etc/waypost/waypost.toml")).map_err(|told| told.problems)
}

/// A document that sets one key; companions are what the key needs beside it.
fn one(key: &str, value: &str, companions: &str) -> String {
    let (section, name) = key.rsplit_once('.').unwrap();
    if section == "tls.certificate" {
        let mut keys = BTreeMap::from([
            ("hosts", "[\"a.example\"]"),
            ("chain", "\"chain.pem\""),
            ("key", "\"key.pem\""),
        ]);
        keys.insert(name, value);
        let lines: Vec<_> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        return format!("[[tls.certificate]]\n{}\n", lines.join("\n"));
    }
    if section == "acme.issuer" {
        return format!("[[acme.issuer]]\n{name} = {value}\n{companions}");
    }
    format!("[{section}]\n{name} = {value}\n{companions}")
}

/// Every key with a value that is not its default, what it needs beside it, and how the settings
/// show it then.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("node.name", "\"edge-7\"", "", "name: \"edge-7\""),
    ("node.data", "\"/srv/w\"", "", "data: \"/srv/w\""),
    ("node.reactors", "3", "", "reactors: 3"),
    (
        "edge.https",
        "[\"[::1]:4433\", \"127.0.0.1:4433\"]",
        "",
        "https: [[::1]:4433, 127.0.0.1:4433]",
    ),
    ("edge.http", "[]", "", "http: []"),
    ("edge.click_prefix", "\"go\"", "", "click_prefix: [\"go\"]"),
    ("edge.open_prefix", "[\"px\", \"o\"]", "", "open_prefix: [\"px\", \"o\"]"),
    ("edge.operator", "\"Example Mail\"", "", "operator: \"Example Mail\""),
    ("edge.handshake", "\"7s\"", "", "handshake: 7s"),
    ("edge.order_wait", "\"26s\"", "", "order_wait: 26s"),
    ("edge.order_waiters", "98", "", "order_waiters: 98"),
    ("edge.header", "\"8s\"", "", "header: 8s"),
    ("edge.idle", "\"77s\"", "", "idle: 77s"),
    ("edge.park", "\"1.5s\"", "", "park: 1.5s"),
    ("edge.write", "\"9s\"", "", "write: 9s"),
    ("edge.streams", "17", "", "streams: 17"),
    ("edge.connections", "1234", "", "connections: 1234"),
    ("edge.per_address", "99", "", "per_address: 99"),
    ("edge.exempt", "[\"10.0.0.0/8\"]", "", "exempt: [10.0.0.0/8]"),
    ("edge.proxy", "[\"192.0.2.0/24\"]", "", "proxy: [192.0.2.0/24]"),
    ("edge.hsts", "\"1d\"", "", "hsts: 86400s"),
    ("tls.oldest", "\"1.3\"", "", "oldest: Tls13"),
    ("tls.reload", "\"5m\"", "", "reload: 300s"),
    ("tls.cache", "12", "", "cache: 12"),
    ("tls.certificate.hosts", "[\"B.example\"]", "", "hosts: [b.example]"),
    ("tls.certificate.chain", "\"b.pem\"", "", "chain: \"/etc/waypost/b.pem\""),
    ("tls.certificate.key", "\"/k/b.pem\"", "", "key: \"/k/b.pem\""),
    ("journal.directory", "\"j\"", "", "directory: \"/var/lib/waypost/j\""),
    ("journal.sync", "\"os\"", "", "sync: Os"),
    ("journal.segment", "\"16MiB\"", "", "segment: 16777216"),
    ("journal.queue", "\"1MiB\"", "", "queue: 1048576"),
    ("journal.gather", "\"0s\"", "", "gather: 0ns"),
    ("journal.answer_within", "\"250ms\"", "", "answer_within: 250ms"),
    ("journal.retention_size", "\"1GiB\"", "", "retention_size: 1073741824"),
    ("journal.retention_age", "\"2h\"", "", "retention_age: 7200s"),
    ("links.keys", "\"/k\"", "", "keys: \"/k\""),
    ("domains.admission", "\"registered\"", "", "admission: Registered"),
    ("domains.target", "\"T.example\"", "", "target: Some(t.example)"),
    ("domains.files", "[\"n.txt\"]", "", "files: [\"/etc/waypost/n.txt\"]"),
    ("domains.authorities", "[\"CA.example\"]", "", "authorities: [\"ca.example\"]"),
    ("domains.poll_rate", "3", "", "poll_rate: 3,"),
    ("domains.poll_first", "\"61s\"", "", "poll_first: 61s"),
    ("domains.poll_longest", "\"62m\"", "", "poll_longest: 3720s"),
    ("domains.poll_abandoned", "\"2d\"", "", "poll_abandoned: 172800s"),
    ("domains.abandoned_after", "\"8d\"", "", "abandoned_after: 691200s"),
    ("domains.poll_pointed", "\"13h\"", "", "poll_pointed: 46800s"),
    ("domains.detach_answers", "5", "", "detach_answers: 5"),
    ("domains.detach_after", "\"73h\"", "", "detach_after: 262800s"),
    ("domains.quarantine", "\"9d\"", "", "quarantine: 777600s"),
    ("domains.names_per_domain", "51", "", "names_per_domain: 51"),
    ("domains.names_in_all", "301", "", "names_in_all: 301"),
    ("domains.labels", "6", "", "labels: 6"),
    ("domains.refusals", "1000", "", "refusals: 1000,"),
    ("domains.refusal_first", "\"63s\"", "", "refusal_first: 63s"),
    ("domains.refusal_longest", "\"2h\"", "", "refusal_longest: 7200s"),
    ("domains.questions_per_domain", "7", "", "questions_per_domain: 7"),
    ("domains.questions_in_all", "70", "", "questions_in_all: 70"),
    ("dns.servers", "[\"192.0.2.53:53\"]", "", "servers: [192.0.2.53:53]"),
    ("dns.timeout", "\"1.25s\"", "", "timeout: 1.25s"),
    ("dns.tries", "4", "", "tries: 4"),
    ("dns.cache", "99", "", "cache: 99,"),
    ("dns.longest", "\"3h\"", "", "longest: 10800s"),
    ("dns.longest_absence", "\"31s\"", "", "longest_absence: 31s"),
    ("dns.in_flight", "33", "", "in_flight: 33"),
    ("dns.server_rate", "21", "", "server_rate: 21"),
    ("dns.zone_port", "5353", "", "zone_port: 5353"),
    ("acme.contact", "[\"mailto:a@b.example\"]", "", "contact: [\"mailto:a@b.example\"]"),
    ("acme.self_probe", "\"require\"", "", "self_probe: Require"),
    ("acme.http_port", "8080", "", "http_port: 8080"),
    ("acme.orders", "5", "", "orders: 5"),
    ("acme.issuer.name", "\"zero\"", "", "name: \"zero\""),
    (
        "acme.issuer.directory",
        "\"https://ca.example/d\"",
        "",
        "directory: \"https://ca.example/d\"",
    ),
    ("acme.issuer.roots", "\"r.pem\"", "", "roots: Some(\"/etc/waypost/r.pem\")"),
    ("acme.issuer.caa", "[\"CA.example\"]", "", "caa: [\"ca.example\"]"),
    ("acme.issuer.profile", "\"short\"", "", "profile: Some(\"short\")"),
    ("acme.issuer.eab_key_id", "\"k1\"", "eab_key_file = \"e\"\n", "eab_key_id: Some(\"k1\")"),
    (
        "acme.issuer.eab_key_file",
        "\"e\"",
        "eab_key_id = \"k1\"\n",
        "eab_key_file: Some(\"/etc/waypost/e\")",
    ),
    ("acme.issuer.poll_first", "\"7ms\"", "", "poll_first: 7ms"),
    ("acme.issuer.poll_longest", "\"7s\"", "", "poll_longest: 7s"),
    ("acme.issuer.timeout", "\"33s\"", "", "timeout: 33s"),
    ("acme.issuer.orders", "30", "", "orders: 30,"),
    ("acme.issuer.per_domain", "31", "", "per_domain: 31"),
    ("acme.issuer.per_name", "32", "", "per_name: 32"),
    ("acme.issuer.patience", "\"3m\"", "", "patience: 180s"),
    ("store.file", "\"s.redb\"", "", "file: \"/var/lib/waypost/s.redb\""),
    ("store.cache", "\"16MiB\"", "", "cache: 16777216"),
    ("store.timeout", "\"3s\"", "", "timeout: 3s"),
    ("store.wait", "\"44s\"", "", "wait: 44s"),
    ("store.seal_key_file", "\"/s\"", "", "seal_key_file: \"/s\""),
    ("links.reload", "\"9s\"", "", "reload: 9s"),
    ("links.base", "\"http://{host}:81\"", "", "base: \"http://{host}:81\""),
    ("events.address", "\"truncated\"", "", "address: Truncated"),
    ("events.address_key_file", "\"a.key\"", "address = \"hashed\"\n", "/etc/waypost/a.key"),
    ("events.user_agent", "\"100B\"", "", "user_agent: 100"),
    ("events.referer", "\"200B\"", "", "referer: 200"),
    ("events.header", "\"100B\"", "", "header: 100"),
    ("events.meta", "\"400B\"", "", "meta: 400"),
    ("admin.listen", "\"127.0.0.1:9\"", "", "listen: 127.0.0.1:9,"),
    ("admin.token_file", "\"t\"", "", "token_file: Some(\"/etc/waypost/t\")"),
    ("admin.chain", "\"c\"", "key = \"k\"\n", "chain: Some(\"/etc/waypost/c\")"),
    ("admin.key", "\"k\"", "chain = \"c\"\n", "key: Some(\"/etc/waypost/k\")"),
    ("admin.hosts", "[\"ops.example\"]", "", "hosts: [\"ops.example\"]"),
    ("admin.deadline", "\"7s\"", "", "deadline: 7s"),
    ("trace.level", "\"debug\"", "", "level: Debug"),
    ("trace.form", "\"json\"", "", "form: Json"),
    ("shutdown.delay", "\"12s\"", "", "delay: 12s"),
    ("shutdown.grace", "\"11s\"", "", "grace: 11s"),
];

#[test]
fn every_key_is_heard() {
    let usual = format!("{:?}", Settings::default());
    for (key, value, companions, shown) in KEYS {
        let settings = parse(&one(key, value, companions));
        let settings = format!("{:?}", settings.unwrap_or_else(|told| panic!("{key}: {told:?}")));
        assert!(!usual.contains(shown), "{key}: {shown} is the default");
        assert!(settings.contains(shown), "{key} = {value} was ignored: {settings}");
    }
}

#[test]
fn no_key_goes_untested() {
    let mut tested: Vec<_> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
    let mut known = Settings::keys();
    tested.sort();
    known.sort();
    assert_eq!(tested, known);
}

/// The keys of `config/waypost.toml`, those in comments too, with their section.
fn documented() -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in FILE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            keys.push(format!("{section}.{key}"));
        }
    }
    keys
}

#[test]
fn the_file_in_the_repository_names_every_key_and_no_other() {
    let mut documented = documented();
    let mut known = Settings::keys();
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

#[test]
fn the_file_in_the_repository_says_the_defaults() {
    assert_eq!(parse(FILE).unwrap(), Settings::default());
    assert_eq!(parse("").unwrap(), Settings::default());
}

#[test]
fn every_key_in_the_file_has_a_reason_above_it() {
    let mut above = "";
    for line in FILE.lines() {
        let key = line.split_once(" = ").is_some_and(|(key, _)| !key.starts_with('#'));
        assert!(!key || above.starts_with("# "), "no comment above: {line}");
        above = line;
    }
}

#[test]
fn dev_has_settings_of_its_own() {
    let settings = Settings::dev(Path::new("/tmp/dev"));
    assert_eq!(settings.node.name, "dev", "config/dev.toml does not parse");
    assert_eq!(settings.journal.directory, Path::new("/tmp/dev/journal"));
    assert_eq!(settings.links.keys, Path::new("/tmp/dev/keys"));
    assert!(settings.edge.https.iter().all(|address| address.ip().is_loopback()));
    assert!(settings.edge.http.iter().all(|address| address.ip().is_loopback()));
}

/// Mistakes: a document, the keys that must be named, and a part of the reason for each.
const MISTAKES: &[(&str, &[(&str, &str)])] = &[
    ("[edge]\nhttp = 80\n", &[("edge.http", "expected")]),
    ("[acme]\ncontact = [\"ops@example.com\"]\n", &[("acme.contact", "mailto:")]),
    ("[acme]\nself_probe = \"yes\"\n", &[("acme.self_probe", "\"warn\"")]),
    ("[acme]\nhttp_port = 0\n", &[("acme.http_port", "1 to 65535")]),
    ("[acme]\norders = 0\n", &[("acme.orders", "1 to 1000")]),
    ("[[acme.issuer]]\n[[acme.issuer]]\n", &[("acme.issuer", "two are called")]),
    ("[[acme.issuer]]\nname = \"a b\"\n", &[("acme.issuer.name", "letters")]),
    (
        "[[acme.issuer]]\ndirectory = \"http://ca.example\"\n",
        &[("acme.issuer.directory", "https://")],
    ),
    ("[[acme.issuer]]\neab_key_id = \"k\"\n", &[("acme.issuer.eab_key_file", "is missing")]),
    ("[[acme.issuer]]\neab_key = \"k\"\n", &[("acme.issuer.eab_key", "eab_key_file")]),
    ("[[acme.issuer]]\npoll_first = \"9s\"\n", &[("acme.issuer.poll_longest", "at least")]),
    ("[[acme.issuer]]\nper_name = 0\n", &[("acme.issuer.per_name", "1 to")]),
    ("[[acme.issuer]]\npatience = \"2h\"\n", &[("acme.issuer.patience", "expected 1ms to 60m")]),
    ("[edge]\nhttp = [\"80\"]\n", &[("edge.http", "expected")]),
    ("[edge]\nhttps = [\"localhost:443\"]\n", &[("edge.https", "expected")]),
    ("[edge]\nhttps = []\nhttp = []\n", &[("edge.https", "")]),
    ("[edge]\nhttps = [\"0.0.0.0:1\"]\nhttp = [\"0.0.0.0:1\"]\n", &[("edge.http", "")]),
    ("[edge]\nidle = 60\n", &[("edge.idle", "in quotes")]),
    ("[edge]\nidle = \"60\"\n", &[("edge.idle", "unit")]),
    ("[edge]\nidle = \"-1s\"\n", &[("edge.idle", "")]),
    ("[edge]\nidle = \"0s\"\n", &[("edge.idle", "")]),
    ("[edge]\nhandshake = \"0s\"\n", &[("edge.handshake", "")]),
    ("[edge]\nheader = \"0s\"\n", &[("edge.header", "")]),
    ("[edge]\nwrite = \"0s\"\n", &[("edge.write", "")]),
    ("[edge]\nidel = \"1s\"\n", &[("edge.idel", "did you mean idle?")]),
    ("[edge]\nclick_prefix = \"a/b\"\n", &[("edge.click_prefix", "")]),
    ("[edge]\nclick_prefix = \"\"\n", &[("edge.click_prefix", "")]),
    ("[edge]\nclick_prefix = []\n", &[("edge.click_prefix", "1 to 16")]),
    ("[edge]\nclick_prefix = [\"c\", \"a/b\"]\n", &[("edge.click_prefix", "\"a/b\"")]),
    ("[edge]\nclick_prefix = 3\n", &[("edge.click_prefix", "in brackets")]),
    (
        "[edge]\nclick_prefix = [\"c\", \"x\"]\nopen_prefix = [\"x\", \"o\"]\n",
        &[("edge.open_prefix", "which has x")],
    ),
    ("[edge]\nproxy = [\"10.0.0.0/33\"]\n", &[("edge.proxy", "network")]),
    ("[edge]\nclick_prefix = \"x\"\nopen_prefix = \"x\"\n", &[("edge.open_prefix", "")]),
    ("[edge]\nclick_prefix = \".well-known\"\n", &[("edge.click_prefix", "")]),
    ("[edge]\nstreams = 0\n", &[("edge.streams", "")]),
    ("[edge]\nstreams = 1.5\n", &[("edge.streams", "")]),
    ("[edge]\nstreams = 99999999999\n", &[("edge.streams", "too large")]),
    ("[edge]\nconnections = 0\n", &[("edge.connections", "")]),
    ("[edge]\nconnections = -3\n", &[("edge.connections", "")]),
    ("[edge]\nper_address = 0\n", &[("edge.per_address", "")]),
    ("[edge]\nexempt = [\"10.0.0.0/33\"]\n", &[("edge.exempt", "network")]),
    ("[edge]\noperator = true\n", &[("edge.operator", "")]),
    ("[tls]\noldest = \"1.1\"\n", &[("tls.oldest", "1.2")]),
    ("[tls]\noldest = 1.2\n", &[("tls.oldest", "")]),
    ("[tls]\ncache = 0\n", &[("tls.cache", "")]),
    ("[tls]\nreload = \"0s\"\n", &[("tls.reload", "")]),
    ("[tls]\ncertificate = \"a.pem\"\n", &[("tls.certificate", "tables")]),
    (
        "[[tls.certificate]]\nhosts = [\"a.example\"]\n",
        &[("tls.certificate.chain", "is missing"), ("tls.certificate.key", "is missing")],
    ),
    (
        "[[tls.certificate]]\nhosts = []\nchain = \"a\"\nkey = \"b\"\n",
        &[("tls.certificate.hosts", "at least one")],
    ),
    (
        "[[tls.certificate]]\nhosts = [\"a b\"]\nchain = \"a\"\nkey = \"b\"\n",
        &[("tls.certificate.hosts", "")],
    ),
    ("[journal]\nsync = \"never\"\n", &[("journal.sync", "disk")]),
    ("[journal]\nsegment = \"1B\"\n", &[("journal.segment", "")]),
    ("[journal]\nsegment = \"1TiB\"\n", &[("journal.segment", "")]),
    ("[journal]\nqueue = \"64\"\n", &[("journal.queue", "unit")]),
    ("[journal]\nqueue = \"0B\"\n", &[("journal.queue", "")]),
    ("[journal]\nretention_size = \"1MiB\"\n", &[("journal.retention_size", "")]),
    ("[journal]\nretention_age = \"0s\"\n", &[("journal.retention_age", "")]),
    ("[journal]\nanswer_within = \"0s\"\n", &[("journal.answer_within", "")]),
    ("[links]\nkey = \"c2VjcmV0\"\n", &[("links.key", "read from files")]),
    ("[links]\nbase = \"ftp://{host}\"\n", &[("links.base", "")]),
    ("[links]\nbase = \"https://example.com\"\n", &[("links.base", "")]),
    ("[links]\nreload = \"0s\"\n", &[("links.reload", "")]),
    ("[events]\naddress = \"half\"\n", &[("events.address", "truncated")]),
    ("[events]\naddress = \"hashed\"\n", &[("events.address_key_file", "")]),
    ("[events]\naddress_key = \"s\"\n", &[("events.address_key", "address_key_file")]),
    ("[events]\nuser_agent = \"1GiB\"\n", &[("events.user_agent", "")]),
    ("[events]\nmeta = \"1GiB\"\n", &[("events.meta", "")]),
    (
        "[admin]\nlisten = \"0.0.0.0:9180\"\n",
        &[("admin.listen", "admin.chain"), ("admin.listen", "admin.token_file")],
    ),
    ("[domains]\nadmission = \"all\"\n", &[("domains.admission", "registered")]),
    ("[domains]\ntarget = \"\"\n", &[("domains.target", "cname")]),
    ("[domains]\ntarget = \"a b\"\n", &[("domains.target", "byte")]),
    ("[domains]\nfiles = \"n\"\n", &[("domains.files", "list")]),
    ("[domains]\nauthorities = [\"a b\"]\n", &[("domains.authorities", "byte")]),
    ("[domains]\npoll_rate = 100000\n", &[("domains.poll_rate", "10000")]),
    ("[domains]\npoll_first = \"0s\"\n", &[("domains.poll_first", "")]),
    ("[domains]\npoll_first = \"2h\"\n", &[("domains.poll_longest", "poll_first")]),
    ("[domains]\nrefusal_first = \"2h\"\n", &[("domains.refusal_longest", "refusal_first")]),
    ("[domains]\nquarantine = \"400d\"\n", &[("domains.quarantine", "")]),
    ("[domains]\ndetach_answers = 0\n", &[("domains.detach_answers", "")]),
    ("[domains]\nquestions_per_domain = 1\n", &[("domains.questions_per_domain", "5")]),
    ("[domains]\nquestions_in_all = 4\n", &[("domains.questions_in_all", "5")]),
    ("[domains]\nlabels = 0\n", &[("domains.labels", "")]),
    ("[domains]\nrefusals = 1\n", &[("domains.refusals", "")]),
    ("[dns]\nservers = [\"192.0.2.1\"]\n", &[("dns.servers", "port")]),
    ("[dns]\ntimeout = \"1h\"\n", &[("dns.timeout", "")]),
    ("[dns]\ntries = 0\n", &[("dns.tries", "")]),
    ("[dns]\nlongest = \"2d\"\n", &[("dns.longest", "")]),
    ("[dns]\nin_flight = 0\n", &[("dns.in_flight", "")]),
    ("[dns]\nserver_rate = 0\n", &[("dns.server_rate", "")]),
    ("[dns]\nzone_port = 70000\n", &[("dns.zone_port", "65535")]),
    ("[dns]\nzone_port = 0\n", &[("dns.zone_port", "65535")]),
    ("[dns]\ncache = 99999999999\n", &[("dns.cache", "")]),
    ("[store]\nseal_key = \"s\"\n", &[("store.seal_key", "seal_key_file")]),
    ("[store]\ncache = \"1B\"\n", &[("store.cache", "")]),
    ("[store]\ntimeout = \"2h\"\n", &[("store.timeout", "")]),
    ("[store]\nwait = \"2h\"\n", &[("store.wait", "")]),
    (
        "[edge]\nhttps = [\"0.0.0.0:443\"]\n[admin]\nlisten = \"127.0.0.1:443\"\n",
        &[("admin.listen", "public door")],
    ),
    ("[links]\nbase = \"https://{host}:99999\"\n", &[("links.base", "port")]),
    ("[links]\nbase = \"https://{host}:abc/mail\"\n", &[("links.base", "port")]),
    ("[links]\nbase = \"https://{host}:\"\n", &[("links.base", "port")]),
    ("[links]\nbase = \"https://{host}:+80\"\n", &[("links.base", "port")]),
    ("[admin]\nchain = \"c\"\n", &[("admin.key", "")]),
    ("[admin]\nkey = \"k\"\n", &[("admin.chain", "")]),
    ("[admin]\ntoken = \"s\"\n", &[("admin.token", "token_file")]),
    ("[trace]\nlevel = \"loud\"\n", &[("trace.level", "info")]),
    ("[trace]\nform = \"xml\"\n", &[("trace.form", "json")]),
    ("[shutdown]\ngrace = \"2h\"\n", &[("shutdown.grace", "at most 10m")]),
    ("[node]\nname = \"\"\n", &[("node.name", "1 to 255")]),
    ("[node]\nreactors = 5000\n", &[("node.reactors", "1024")]),
    ("[node]\ndata = \"\"\n", &[("node.data", "")]),
    ("[noed]\nname = \"a\"\n", &[("noed", "did you mean [node]?")]),
    ("edge = 3\n", &[("edge", "section")]),
    ("idle = \"60s\"\n", &[("idle", "unknown key")]),
    ("[edge]\nidle = \"1s\"\nidle = \"2s\"\n", &[("", "no TOML")]),
    ("[edge\nidle = \"1s\"\n", &[("", "no TOML")]),
    ("[edge]\nidle = 1s\n", &[("", "no TOML")]),
];

#[test]
fn every_mistake_names_its_key_and_reason() {
    let mut silent = Vec::new();
    for (text, wanted) in MISTAKES {
        let told = parse(text).err().unwrap_or_default();
        for (key, reason) in *wanted {
            if !told.iter().any(|told| told.key == *key && told.reason.contains(reason)) {
                silent.push(format!("{text}\n  wanted {key}: {reason}\n  told {told:?}"));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn a_mistake_knows_its_line() {
    for (text, line) in [
        ("[edge]\n\n\nidle = \"60\"\n", 4),
        ("[edge]\nidle = \"1s\"\n[journal]\nsync = \"x\"\n", 4),
        ("\n[noed]\n", 2),
        ("[edge]\nidle = \"1s\"\nidle = \"2s\"\n", 3),
    ] {
        let told = parse(text).unwrap_err();
        assert_eq!(told.first().map(|problem| problem.line), Some(line), "{text}\n{told:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "\
[node]\nreactors = -1\nnmae = \"x\"\n\
[edge]\nidle = 3\nstreams = \"many\"\n\
[journal]\nsync = \"maybe\"\nsegment = \"3\"\n\
[events]\naddress = \"none\"\n\
[frobnicate]\nx = 1\n";
    let told = parse(text).unwrap_err();
    let keys: Vec<_> = told.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "node.reactors",
            "node.nmae",
            "edge.idle",
            "edge.streams",
            "journal.sync",
            "journal.segment",
            "events.address",
            "frobnicate",
        ]
    );
}

#[test]
fn a_secret_in_the_file_is_not_shown_again() {
    for text in ["[links]\nkey = \"hunter2\"\n", "[admin]\ntoken = \"hunter2\"\n"] {
        let told = Settings::parse(text, Path::new("w.toml")).unwrap_err();
        assert!(!told.to_string().contains("hunter2"), "{told}");
        assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
    }
}

#[test]
fn a_file_that_is_named_and_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waypost.toml");
    let text = "[admin]\ntoken_file = \"t\"\nchain = \"c\"\nkey = \"k\"\n\
        [events]\naddress = \"hashed\"\naddress_key_file = \"a\"\n\
        [[tls.certificate]]\nhosts = [\"a.example\"]\nchain = \"x\"\nkey = \"y\"\n";
    fs::write(&file, text).unwrap();
    let told = Settings::load(&SystemDisk, &file).unwrap().unwrap_err();
    let keys: Vec<_> = told.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["admin.token_file", "admin.chain", "admin.key", "events.address_key_file",]);
    assert_eq!(told.problems.iter().map(|told| told.line).collect::<Vec<_>>(), [2, 3, 4, 7]);
    // A certificate is left out, which `waypost check` tells: it is no reason not to start.
    for name in ["t", "c", "k", "a"] {
        fs::write(folder.path().join(name), "something").unwrap();
    }
    assert!(Settings::load(&SystemDisk, &file).unwrap().is_ok());
}

#[test]
fn relative_paths_begin_where_the_file_is() {
    let text = "[node]\ndata = \"data\"\n[admin]\ntoken_file = \"t\"\n";
    let settings = parse(text).unwrap();
    assert_eq!(settings.node.data, Path::new("/etc/waypost/data"));
    assert_eq!(settings.journal.directory, Path::new("/etc/waypost/data/journal"));
    assert_eq!(settings.admin.token_file, Some(PathBuf::from("/etc/waypost/t")));
}

#[test]
fn any_bytes_are_a_file_or_a_list_of_problems() {
    // Pieces of the real file in any order: near enough to a file to reach deep.
    let pieces: Vec<_> = FILE.split_inclusive(['\n', '=', '"', '[', ']', '.']).collect();
    let mut state = 7_u64;
    for _ in 0..2_000 {
        let mut text = String::new();
        for _ in 0..20 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        if let Err(told) = parse(&text) {
            assert!(!told.is_empty());
            assert!(told.iter().all(|problem| !problem.reason.is_empty()));
        }
    }
}
