//! Which keys each section has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::document::{Value, Written};
use super::problems::Problem;
use super::reader::{
    Finished, Section, address, bytes, choice, count, duration, list, network, path, size, text,
    texts,
};
use super::settings::{Form, Level, Settings};
use super::suggest;
use crate::acme::{IssuerConfig, SelfProbe};
use crate::domains::Admission;
use crate::event::AddressForm;
use crate::hostname::Hostname;
use crate::journal::Sync;
use crate::kafka::{Compression, Password, Sasl, Secret, Security};
use crate::shipper::Start;
use crate::tls::{CertificateFiles, Version};

/// Reads every section into `settings`.
pub(super) fn read(
    settings: &mut Settings,
    document: &mut BTreeMap<String, Written>,
    base: &Path,
) -> Finished {
    let mut finished = Finished::default();
    node(settings, Section::new("node", document, base), &mut finished);
    edge(settings, Section::new("edge", document, base), &mut finished);
    tls(settings, Section::new("tls", document, base), base, &mut finished);
    journal(settings, Section::new("journal", document, base), &mut finished);
    kafka(settings, Section::new("kafka", document, base), &mut finished);
    links(settings, Section::new("links", document, base), &mut finished);
    events(settings, Section::new("events", document, base), &mut finished);
    domains(settings, Section::new("domains", document, base), &mut finished);
    audit(settings, Section::new("audit", document, base), base, &mut finished);
    dns(settings, Section::new("dns", document, base), &mut finished);
    acme(settings, Section::new("acme", document, base), base, &mut finished);
    store(settings, Section::new("store", document, base), &mut finished);
    admin(settings, Section::new("admin", document, base), &mut finished);
    trace(settings, Section::new("trace", document, base), &mut finished);
    shutdown(settings, Section::new("shutdown", document, base), &mut finished);
    for (name, written) in document.iter() {
        let kind = if matches!(written.value, Value::Table(_)) { "section" } else { "key" };
        let reason = match suggest::nearest(name, SECTIONS.into_iter()) {
            Some(near) => format!("unknown {kind}, did you mean [{near}]?"),
            None => format!("unknown {kind}; the sections are {}", SECTIONS.join(", ")),
        };
        let (line, key) = (written.line, name.clone());
        finished.problems.push(Problem { line, key, value: String::new(), reason });
    }
    finished
}

fn node(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let node = &mut settings.node;
    section.take("name", &mut node.name, text);
    section.take("data", &mut node.data, path);
    section.take("reactors", &mut node.reactors, whole);
    let mut problems = Vec::new();
    if node.reactors > MAX_REACTORS {
        problems.push(("reactors", format!("expected 0 (one for each core) to {MAX_REACTORS}")));
    }
    if node.name.is_empty() || node.name.len() > 255 {
        problems.push(("name", "expected 1 to 255 bytes".to_owned()));
    }
    section.refuse(problems);
    section.finish(finished);
}

fn edge(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let edge = &mut settings.edge;
    section.take("https", &mut edge.https, |written, base| list(written, base, address));
    section.take("http", &mut edge.http, |written, base| list(written, base, address));
    section.take("click_prefix", &mut edge.click_prefix, texts);
    section.take("open_prefix", &mut edge.open_prefix, texts);
    section.take("page_prefix", &mut edge.page_prefix, texts);
    section.take("check_every", &mut edge.check_every, duration);
    section.take("checks_per_minute", &mut edge.checks_per_minute, count_of);
    section.take("operator", &mut edge.operator, text);
    section.take("handshake", &mut edge.handshake, duration);
    section.take("order_wait", &mut edge.order_wait, duration);
    section.take("order_waiters", &mut edge.order_waiters, whole);
    let per_name = &mut edge.order_waiters_per_name;
    section.take("order_waiters_per_name", per_name, whole);
    section.take("header", &mut edge.header, duration);
    section.take("idle", &mut edge.idle, duration);
    section.take("park", &mut edge.park, duration);
    section.take("write", &mut edge.write, duration);
    section.take("streams", &mut edge.streams, count_of);
    section.take("connections", &mut edge.connections, whole);
    section.take("per_address", &mut edge.per_address, whole);
    section.take("exempt", &mut edge.exempt, |written, base| list(written, base, network));
    section.take("proxy", &mut edge.proxy, |written, base| list(written, base, network));
    section.take("hsts", &mut edge.hsts, duration);
    section.refuse(edge.problems());
    section.finish(finished);
}

fn tls(settings: &mut Settings, mut section: Section<'_>, base: &Path, finished: &mut Finished) {
    let tls = &mut settings.tls;
    section.take("oldest", &mut tls.oldest, choice(&VERSIONS));
    section.take("reload", &mut tls.reload, duration);
    section.take("cache", &mut tls.cache, count);
    for (line, table) in section.tables("certificate") {
        let mut certificate = Section::of("tls.certificate", line, table, base);
        let mut files =
            CertificateFiles { hosts: Vec::new(), chain: PathBuf::new(), key: PathBuf::new() };
        certificate.take("hosts", &mut files.hosts, hosts);
        certificate.take("chain", &mut files.chain, path);
        certificate.take("key", &mut files.key, path);
        for key in ["hosts", "chain", "key"] {
            certificate.needs(key);
        }
        certificate.finish(finished);
        tls.certificates.push(files);
    }
    section.refuse(tls.problems());
    section.finish(finished);
}

fn journal(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let journal = &mut settings.journal;
    section.take("directory", &mut journal.directory, under_data);
    section.take("sync", &mut journal.sync, choice(&SYNCS));
    section.take("segment", &mut journal.segment, size);
    section.take("queue", &mut journal.queue, bytes);
    section.take("gather", &mut journal.gather, duration);
    section.take("answer_within", &mut journal.answer_within, duration);
    section.take("retention_size", &mut journal.retention_size, size);
    section.take("retention_age", &mut journal.retention_age, duration);
    section.refuse(journal.problems());
    section.finish(finished);
}

fn kafka(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let (kafka, shipper) = (&mut settings.kafka, &mut settings.shipper);
    section.take("brokers", &mut kafka.brokers, |written, base| list(written, base, text));
    section.take("security", &mut kafka.security, choice(&SECURITIES));
    section.take("ca", &mut kafka.ca, optional_path);
    section.take("certificate", &mut kafka.certificate, optional_path);
    section.take("key", &mut kafka.key, optional_path);
    section.take("sasl", &mut kafka.sasl, choice(&SASLS));
    section.take("username", &mut kafka.username, text);
    let (mut from_file, mut from_variable) = (None, None);
    section.take("password_file", &mut from_file, |written, base| {
        path(written, base).map(|file| Some(Password::File(file)))
    });
    section.take("password_variable", &mut from_variable, |written, base| {
        password_variable(&text(written, base)?).map(Some)
    });
    if from_file.is_some() && from_variable.is_some() {
        let reason = "expected kafka.password_file or kafka.password_variable, not both";
        section.refuse(vec![("password_variable", reason.to_owned())]);
    }
    kafka.password = from_file.or(from_variable);
    section.take("compression", &mut kafka.compression, choice(&COMPRESSIONS));
    section.take("linger", &mut kafka.linger, duration);
    section.take("batch", &mut kafka.batch, bytes);
    section.take("window", &mut shipper.window, bytes);
    section.take("start", &mut shipper.start, choice(&STARTS));
    section.take("events_topic", &mut kafka.topics.events, text);
    section.take("domains_topic", &mut kafka.topics.domains, text);
    section.take("audits_topic", &mut kafka.topics.audits, text);
    section.take("partitions", &mut kafka.partitions, count_of);
    section.take("replicas", &mut kafka.replicas, count_of);
    section.no_secret("password", "password_file");
    section.refuse(kafka.problems());
    section.refuse(shipper.problems());
    section.finish(finished);
}

/// The password that a variable of the environment holds.
#[expect(clippy::disallowed_methods, reason = "the environment is read here")]
fn password_variable(name: &str) -> Result<Password, String> {
    let held = std::env::var(name).map_err(|_| "the environment has no such text".to_owned())?;
    Ok(Password::Given { variable: name.to_owned(), secret: Secret::new(held) })
}

fn links(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let links = &mut settings.links;
    section.take("keys", &mut links.keys, under_data);
    section.take("reload", &mut links.reload, duration);
    section.take("base", &mut links.base, text);
    section.no_secret("key", "keys, a folder");
    section.refuse(links.problems());
    section.finish(finished);
}

fn events(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let events = &mut settings.events;
    section.take("address", &mut events.address, choice(&ADDRESS_FORMS));
    section.take("address_key_file", &mut events.address_key_file, optional_path);
    section.take("user_agent", &mut events.user_agent, bytes);
    section.take("referer", &mut events.referer, bytes);
    section.take("header", &mut events.header, bytes);
    section.take("meta", &mut events.meta, bytes);
    section.no_secret("address_key", "address_key_file");
    section.refuse(events.problems());
    section.finish(finished);
}

fn domains(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let domains = &mut settings.domains;
    section.take("admission", &mut domains.admission, choice(&ADMISSIONS));
    section.take("target", &mut domains.target, optional_host);
    section.take("files", &mut domains.files, |written, base| list(written, base, path));
    section.take("authorities", &mut domains.authorities, authorities);
    section.take("poll_rate", &mut domains.poll_rate, count_of);
    section.take("poll_first", &mut domains.poll_first, duration);
    section.take("poll_longest", &mut domains.poll_longest, duration);
    section.take("poll_abandoned", &mut domains.poll_abandoned, duration);
    section.take("abandoned_after", &mut domains.abandoned_after, duration);
    section.take("poll_pointed", &mut domains.poll_pointed, duration);
    section.take("detach_answers", &mut domains.detach_answers, count_of);
    section.take("detach_after", &mut domains.detach_after, duration);
    section.take("quarantine", &mut domains.quarantine, duration);
    section.take("names_per_domain", &mut domains.names_per_domain, count_of);
    section.take("names_in_all", &mut domains.names_in_all, count_of);
    section.take("labels", &mut domains.labels, whole);
    section.take("refusals", &mut domains.refusals, whole);
    section.take("refusal_first", &mut domains.refusal_first, duration);
    section.take("refusal_longest", &mut domains.refusal_longest, duration);
    section.take("questions_per_domain", &mut domains.questions_per_domain, count_of);
    section.take("questions_in_all", &mut domains.questions_in_all, count_of);
    section.refuse(domains.problems());
    section.finish(finished);
}

fn audit(settings: &mut Settings, mut section: Section<'_>, base: &Path, finished: &mut Finished) {
    let audit = &mut settings.audit;
    section.take("fetch", &mut audit.fetch, choice(&SWITCHES));
    section.take("mark_roots", &mut audit.mark_roots, |written, base| list(written, base, path));
    section.take("active_every", &mut audit.active_every, duration);
    section.take("other_every", &mut audit.other_every, duration);
    section.take("second_look", &mut audit.second_look, duration);
    section.take("rate", &mut audit.rate, count_of);
    section.take("at_once", &mut audit.at_once, whole);
    section.refuse(audit.problems());
    let expect = &mut audit.expect;
    let (line, table) = section.table("expect");
    let mut inner = Section::of("audit.expect", line, table, base);
    inner.take("spf_include", &mut expect.spf_include, text);
    inner.take("spf", &mut expect.spf, text);
    inner.take("selector", &mut expect.selector, text);
    inner.take("dkim", &mut expect.dkim, text);
    inner.take("former_dkim", &mut expect.former_dkim, |w, base| list(w, base, text));
    inner.take("dmarc", &mut expect.dmarc, text);
    inner.take("bimi_selector", &mut expect.bimi_selector, text);
    inner.take("bimi", &mut expect.bimi, text);
    inner.take("tracking", &mut expect.tracking, text);
    inner.take("mail_from", &mut expect.mail_from, text);
    inner.take("dkim_d", &mut expect.dkim_d, text);
    inner.take("acme_account", &mut expect.acme_account, text);
    inner.refuse(expect.problems());
    inner.finish(finished);
    section.finish(finished);
}

fn dns(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let dns = &mut settings.dns;
    section.take("servers", &mut dns.servers, |written, base| list(written, base, address));
    section.take("timeout", &mut dns.timeout, duration);
    section.take("tries", &mut dns.tries, whole);
    section.take("cache", &mut dns.cache, count);
    section.take("longest", &mut dns.longest, duration);
    section.take("longest_absence", &mut dns.longest_absence, duration);
    section.take("in_flight", &mut dns.in_flight, whole);
    section.take("server_rate", &mut dns.server_rate, count_of);
    section.take("zone_port", &mut dns.zone_port, port);
    section.refuse(dns.problems());
    section.finish(finished);
}

fn acme(settings: &mut Settings, mut section: Section<'_>, base: &Path, finished: &mut Finished) {
    let acme = &mut settings.acme;
    section.take("contact", &mut acme.contact, |written, base| list(written, base, text));
    section.take("self_probe", &mut acme.self_probe, choice(&SELF_PROBES));
    section.take("http_port", &mut acme.http_port, port);
    section.take("own_name", &mut acme.own_name, choice(&OWN_NAMES));
    section.take("orders", &mut acme.orders, whole);
    for (line, table) in section.tables("issuer") {
        let mut own = Section::of("acme.issuer", line, table, base);
        let mut issuer = IssuerConfig::default();
        own.take("name", &mut issuer.name, text);
        own.take("directory", &mut issuer.directory, text);
        own.take("roots", &mut issuer.roots, optional_path);
        own.take("caa", &mut issuer.caa, authorities);
        own.take("profile", &mut issuer.profile, optional_text);
        own.take("eab_key_id", &mut issuer.eab_key_id, optional_text);
        own.take("eab_key_file", &mut issuer.eab_key_file, optional_path);
        own.take("poll_first", &mut issuer.poll_first, duration);
        own.take("poll_longest", &mut issuer.poll_longest, duration);
        own.take("timeout", &mut issuer.timeout, duration);
        own.take("patience", &mut issuer.patience, duration);
        own.take("orders", &mut issuer.orders, count_of);
        own.take("per_domain", &mut issuer.per_domain, count_of);
        own.take("per_name", &mut issuer.per_name, count_of);
        own.no_secret("eab_key", "eab_key_file");
        own.refuse(issuer.problems());
        own.finish(finished);
        acme.issuers.push(issuer);
    }
    section.refuse(acme.problems());
    section.finish(finished);
    settings.domains.is_certifying = !settings.acme.issuers.is_empty();
}

fn store(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let store = &mut settings.store;
    section.take("file", &mut store.file, under_data);
    section.take("seal_key_file", &mut store.seal_key_file, under_data);
    section.take("cache", &mut store.cache, bytes);
    section.take("timeout", &mut store.timeout, duration);
    section.take("wait", &mut store.wait, duration);
    section.no_secret("seal_key", "seal_key_file");
    section.refuse(store.problems());
    section.finish(finished);
}

fn admin(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let admin = &mut settings.admin;
    section.take("listen", &mut admin.listen, address);
    section.take("token_file", &mut admin.token_file, optional_path);
    section.take("chain", &mut admin.chain, optional_path);
    section.take("key", &mut admin.key, optional_path);
    section.take("hosts", &mut admin.hosts, |written, base| list(written, base, text));
    section.take("deadline", &mut admin.deadline, duration);
    section.no_secret("token", "token_file");
    let mut problems = admin.problems();
    let edge = settings.edge.https.iter().chain(&settings.edge.http);
    if let Some(edge) = edge.into_iter().find(|edge| meet(edge, &admin.listen)) {
        problems.push(("listen", format!("{edge} is where the public door answers")));
    }
    section.refuse(problems);
    section.finish(finished);
}

fn trace(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    section.take("level", &mut settings.trace.level, choice(&LEVELS));
    section.take("form", &mut settings.trace.form, choice(&FORMS));
    section.finish(finished);
}

fn shutdown(settings: &mut Settings, mut section: Section<'_>, finished: &mut Finished) {
    let shutdown = &mut settings.shutdown;
    section.take("delay", &mut shutdown.delay, duration);
    section.take("grace", &mut shutdown.grace, duration);
    let waits = [("delay", shutdown.delay), ("grace", shutdown.grace)];
    let too_long = waits.into_iter().filter(|(_, wait)| wait.as_secs() > 600);
    section.refuse(too_long.map(|(key, _)| (key, "expected at most 10m".to_owned())).collect());
    section.finish(finished);
}

/// Whether two addresses cannot both be listened on.
fn meet(one: &SocketAddr, other: &SocketAddr) -> bool {
    let (a, b) = (one.ip(), other.ip());
    let is_any = a.is_unspecified() || b.is_unspecified();
    one.port() == other.port()
        && one.port() != 0
        && a.is_ipv4() == b.is_ipv4()
        && (a == b || is_any)
}

fn whole(written: &Written, base: &Path) -> Result<usize, String> {
    count(written, base).and_then(|count| usize::try_from(count).map_err(|_| "is too large".into()))
}

fn count_of(written: &Written, base: &Path) -> Result<u32, String> {
    whole(written, base).and_then(|count| u32::try_from(count).map_err(|_| "is too large".into()))
}

fn port(written: &Written, base: &Path) -> Result<u16, String> {
    count(written, base)
        .and_then(|port| u16::try_from(port).map_err(|_| "expected 1 to 65535".into()))
}

/// A text; an empty one is none.
fn optional_text(written: &Written, base: &Path) -> Result<Option<String>, String> {
    text(written, base).map(|text| (!text.is_empty()).then_some(text))
}

/// Domains by which CAA records name authorities.
fn authorities(written: &Written, base: &Path) -> Result<Vec<String>, String> {
    let domain = |written: &Written, base: &Path| {
        let text = text(written, base)?;
        Hostname::parse(&text).map(|host| host.to_string()).map_err(|error| error.to_string())
    };
    list(written, base, domain)
}

/// A hostname; an empty text is none.
fn optional_host(written: &Written, base: &Path) -> Result<Option<Hostname>, String> {
    match text(written, base)?.as_str() {
        "" => Ok(None),
        host => Hostname::parse(host).map(Some).map_err(|error| error.to_string()),
    }
}

fn hosts(written: &Written, base: &Path) -> Result<Vec<Hostname>, String> {
    let host = |written: &Written, base: &Path| {
        Hostname::parse(&text(written, base)?).map_err(|error| error.to_string())
    };
    let hosts = list(written, base, host)?;
    if hosts.is_empty() { Err("expected at least one hostname".to_owned()) } else { Ok(hosts) }
}

fn optional_path(written: &Written, base: &Path) -> Result<Option<PathBuf>, String> {
    path(written, base).map(Some)
}

/// A path that is relative to the data folder, which is joined later.
fn under_data(written: &Written, _: &Path) -> Result<PathBuf, String> {
    path(written, Path::new(""))
}

const SECTIONS: [&str; 15] = [
    "node", "edge", "tls", "journal", "kafka", "links", "events", "domains", "audit", "dns",
    "acme", "store", "admin", "trace", "shutdown",
];
const SWITCHES: [(&str, bool); 2] = [("on", true), ("off", false)];
const MAX_REACTORS: usize = 1_024;
static VERSIONS: [(&str, Version); 2] = [("1.2", Version::Tls12), ("1.3", Version::Tls13)];
static SYNCS: [(&str, Sync); 2] = [("disk", Sync::Disk), ("os", Sync::Os)];
static ADMISSIONS: [(&str, Admission); 2] =
    [("cname", Admission::Cname), ("registered", Admission::Registered)];
static OWN_NAMES: [(&str, bool); 2] = [("certify", true), ("leave", false)];
static SELF_PROBES: [(&str, SelfProbe); 3] =
    [("off", SelfProbe::Off), ("warn", SelfProbe::Warn), ("require", SelfProbe::Require)];
static SECURITIES: [(&str, Security); 2] =
    [("plaintext", Security::Plaintext), ("tls", Security::Tls)];
static SASLS: [(&str, Sasl); 4] = [
    ("none", Sasl::None),
    ("plain", Sasl::Plain),
    ("scram-sha-256", Sasl::ScramSha256),
    ("scram-sha-512", Sasl::ScramSha512),
];
static COMPRESSIONS: [(&str, Compression); 3] =
    [("zstd", Compression::Zstd), ("lz4", Compression::Lz4), ("none", Compression::None)];
static STARTS: [(&str, Start); 2] = [("oldest", Start::Oldest), ("now", Start::Now)];
static ADDRESS_FORMS: [(&str, AddressForm); 3] = [
    ("whole", AddressForm::Whole),
    ("truncated", AddressForm::Truncated),
    ("hashed", AddressForm::Hashed),
];
static LEVELS: [(&str, Level); 5] = [
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];
static FORMS: [(&str, Form); 2] = [("text", Form::Text), ("json", Form::Json)];
