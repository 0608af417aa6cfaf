//! What the audit fetches: images, mark certificates and policies, of servers that mean it well
//! and ill.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;
use waypost::audit::domain::{Auditor, Document, Files, Subject, Unfetched, Wanted};
use waypost::clock::{Clock, SystemClock};
use waypost::disk::SystemDisk;
use waypost::dns::{Lookup, Resolver};
use waypost::fetch::{Reach, Roots};
use waypost::metrics::Metrics;
use waypost::server::{Reached, Web, auditor};

use crate::certificates::{Mark, packed};
use crate::dns::{a, aaaa, txt};
use crate::mark::{IMAGE, OTHER};
use crate::scene::{Scene, finding, findings, published};
use crate::site::{Page, Site};

#[test]
fn a_logo_with_its_certificate_and_a_policy_are_right() {
    let house = House::new();
    assert_eq!(house.told(), Vec::<String>::new());
    let shared = ["spf.aksend.net", "_dmarc.com", "com"];
    let asked = house.scene.server.asked();
    let own = asked.iter().filter(|asked| !shared.contains(&asked.name.as_str())).count();
    assert!(own <= 30, "{own}: {asked:#?}");
    let heard = house.site.heard();
    assert_eq!(heard.len(), 3, "{heard:#?}");
    for request in heard {
        let request = request.to_lowercase();
        assert!(request.contains("accept-encoding: gzip\r\n"), "{request}");
        for word in ["cookie", "authorization", "referer", "http/1.1\r\nhttp"] {
            assert!(!request.contains(word), "{request}");
        }
    }
    // Packed, as a file and on its way.
    let gzip = "content-type: image/svg+xml\r\ncontent-encoding: gzip\r\n";
    for page in [
        Page::of("image/svg+xml", packed(IMAGE.as_bytes())),
        Page::Whole(200, gzip.to_owned(), packed(IMAGE.as_bytes())),
        Page::Elsewhere("https://www.example.com/b.svg".to_owned()),
    ] {
        house.site.put("example.com/a.svg", page);
        assert_eq!(house.told(), Vec::<String>::new());
    }
}

#[test]
fn a_chain_may_be_longer_than_an_image() {
    let house = House::new();
    let long = [b"x\n".repeat(50_000), house.certificate.clone()].concat();
    house.site.put("example.com/a.pem", Page::of("application/pem", long));
    assert_eq!(house.told(), Vec::<String>::new());
}

/// What is wrong, and the rule, severity and words that tell it.
type Fault = (fn(&House), &'static str, &'static str, &'static str);

#[test]
fn each_fault_of_what_is_fetched_is_told() {
    let house = House::new();
    for (change, rule, severity, words) in FAULTS {
        house.mend();
        change(&house);
        let report = house.report();
        let is_told = |finding: &&Value| {
            finding["rule"] == *rule && finding["found"].as_str().unwrap().contains(words)
        };
        let told = findings(&report).find(is_told);
        let told = told.unwrap_or_else(|| panic!("{rule} {words}: {:#?}", house.told()));
        assert_eq!(told["severity"], *severity, "{told:#}");
        assert!(told["expected"].is_string() || *severity == "unknown", "{told:#}");
    }
}

const FAULTS: &[Fault] = &[
    (|house| house.image(Page::of("text/plain", IMAGE)), "B09", "weak", "text/plain"),
    (
        |house| house.image(Page::of("image/svg+xml", IMAGE.replace("/desc>", &spaces(40_000)))),
        "B09",
        "weak",
        "an image of 40",
    ),
    (
        |house| house.image(Page::of("image/svg+xml", spaces(70_000))),
        "B09",
        "error",
        "larger than 65536 bytes",
    ),
    (
        |house| house.image(Page::Whole(404, String::new(), Vec::new())),
        "B09",
        "error",
        "status 404",
    ),
    (
        |house| house.image(Page::Whole(503, String::new(), Vec::new())),
        "B09",
        "unknown",
        "status 503",
    ),
    (
        |house| {
            let dtd = "<!DOCTYPE svg [<!ENTITY a \"&a;&a;\">]>";
            house.image(Page::of("image/svg+xml", format!("{dtd}{IMAGE}")));
        },
        "B10",
        "error",
        "DOCTYPE",
    ),
    (
        |house| {
            let deep = format!("{}{}", "<g>".repeat(5_000), "</g>".repeat(5_000));
            house.image(Page::of("image/svg+xml", IMAGE.replace("<rect", &(deep + "<rect"))));
        },
        "B10",
        "error",
        "nested more than 100 deep",
    ),
    (
        |house| house.image(Page::of("image/svg+xml", IMAGE.replace("<rect", "<script/><rect"))),
        "B14",
        "error",
        "script",
    ),
    (
        |house| house.image(Page::of("image/svg+xml", OTHER)),
        "B17",
        "error",
        "the image at l= is not the one",
    ),
    (
        |house| house.site.put("example.com/a.pem", Page::Whole(404, String::new(), Vec::new())),
        "B17",
        "error",
        "could not be fetched: the server answers with status 404",
    ),
    (
        |house| {
            let long = [vec![b' '; 300_000], house.certificate.clone()].concat();
            house.site.put("example.com/a.pem", Page::of("application/pem", long));
        },
        "B17",
        "error",
        "larger than 262144 bytes",
    ),
    (
        |house| house.site.put("example.com/a.pem", Page::of("text/html", "<html>")),
        "B17",
        "error",
        "without a certificate",
    ),
    (
        |house| {
            let made = Mark::of("example.com", IMAGE.as_bytes()).make();
            house.site.put("example.com/a.pem", Page::of("application/pem", made.file()));
        },
        "B17",
        "error",
        "no trusted authority",
    ),
    (
        |house| house.image(Page::of("image/svg+xml", b"\x1f\x8b\x08rubbish".to_vec())),
        "B10",
        "error",
        "gzip that cannot be unpacked",
    ),
    (
        |house| house.site.put(POLICY, Page::Whole(503, String::new(), Vec::new())),
        "X07",
        "unknown",
        "status 503",
    ),
    (|house| house.policy("version: STSv1\nmode: on"), "X07", "weak", "mode: on"),
    (
        |house| house.policy("version: STSv1\nmode: enforce\nmx: a.example.com\nmax_age: 604800"),
        "X07",
        "error",
        "mail.example.com is none of the policy's",
    ),
    (
        |house| house.policy("version: STSv1\nmode: testing\nmx: a.example.com\nmax_age: 604800"),
        "X07",
        "weak",
        "mail.example.com is none of the policy's",
    ),
    (
        |house| house.policy("version: STSv1\nmode: testing\nmx: *.example.com\nmax_age: 604800"),
        "X07",
        "note",
        "testing",
    ),
    (
        |house| house.policy("version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 60"),
        "X07",
        "weak",
        "max_age: 60",
    ),
    (
        |house| house.site.put(POLICY, Page::of("text/html", RIGHT_POLICY)),
        "X07",
        "weak",
        "text/html",
    ),
    (
        |house| house.site.put(POLICY, Page::Elsewhere("https://example.com/p.txt".to_owned())),
        "X07",
        "weak",
        "status 302",
    ),
    (
        |house| house.scene.server.remove("_smtp._tls.example.com"),
        "X03",
        "note",
        "nobody is asked to report",
    ),
];

#[test]
fn a_server_that_means_it_ill_is_left_in_bounded_time() {
    let house = House::new();
    let server = &house.scene.server;
    server.add("other.example.com", a([127, 0, 0, 1]));
    server.add(
        "mapped.example.com",
        aaaa("::ffff:169.254.169.254".parse::<std::net::Ipv6Addr>().unwrap()),
    );
    server.add("metadata.example.com", a([169, 254, 169, 254]));
    server.fault("silent.example.com", crate::dns::Fault::Drop);
    let bomb = packed(&vec![b' '; 32 << 20]);
    let elsewhere = |to: &str| Page::Elsewhere(to.to_owned());
    let with = |line: &str, content: Vec<u8>| Page::Whole(200, format!("{line}\r\n"), content);
    let pages = [
        (elsewhere("http://example.com/a.svg"), "may not be asked", false),
        (elsewhere("https://example.com:9200/"), "may not be asked", false),
        (elsewhere("https://a:b@example.com/"), "may not be asked", false),
        (elsewhere("https://metadata.example.com/"), "no address that may be asked", false),
        (elsewhere("https://mapped.example.com/"), "no address that may be asked", false),
        (elsewhere("https://169.254.169.254/latest"), "no address that may be asked", false),
        (elsewhere("https://[::ffff:169.254.169.254]/"), "no address that may be asked", false),
        (elsewhere("https://0.0.0.0/"), "no address that may be asked", false),
        (elsewhere("https://other.example.com/"), "not trusted", false),
        (elsewhere("https://nobody.example.com/"), "has no address", false),
        (elsewhere("https://silent.example.com/"), "could not be resolved", true),
        (elsewhere("file:///etc/passwd"), "redirected too often, or nowhere", false),
        (elsewhere("https://example.com/p0"), "may not be asked", false),
        (elsewhere("https://example.com/p13"), "redirected too often", false),
        (Page::Silence, "no answer in time", true),
        (Page::Endless(b"x".to_vec(), Duration::from_millis(50)), "no answer in time", true),
        (Page::Endless(vec![b'x'; 4_096], Duration::ZERO), "larger than 65536", false),
        (with("content-encoding: gzip", bomb.clone()), "larger than 65536", false),
        (
            with("content-encoding: gzip", b"\x1f\x8b\x08rubbish".to_vec()),
            "cannot be unpacked",
            false,
        ),
        (with("content-encoding: br", b"x".to_vec()), "encoded as br", false),
        (with("content-encoding: gzip\r\ncontent-encoding: gzip", bomb), "encoded", false),
        (with(&format!("x: {}", "x".repeat(1 << 20)), Vec::new()), "broke off", true),
        (Page::Whole(429, String::new(), Vec::new()), "status 429", true),
        (Page::Whole(204, String::new(), Vec::new()), "status 204", false),
    ];
    for (number, (page, ..)) in pages.iter().enumerate() {
        house.site.put(&format!("example.com/p{number}"), page.clone());
    }
    let web = house.web(Reach::Inside);
    let begun = Instant::now();
    let came = house.runtime().block_on(join_all((0..pages.len()).map(|number| {
        let address = format!("https://example.com/p{number}");
        let web = &web;
        async move { web.fetch(&Wanted { document: Document::Image, address }).await }
    })));
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    for ((_, words, is_unknown), came) in pages.iter().zip(came) {
        let told = came.expect_err(words);
        assert!(told.to_string().contains(words), "{words}: {told}");
        assert_eq!(matches!(told, Unfetched::Unknown(_)), *is_unknown, "{words}: {told}");
    }
}

#[test]
fn what_a_record_names_is_asked_at_public_addresses_only() {
    let house = House::new();
    let web = house.web(Reach::Public);
    let fetch = |address: &str| {
        let wanted = Wanted { document: Document::Image, address: address.to_owned() };
        house.runtime().block_on(web.fetch(&wanted)).unwrap_err().to_string()
    };
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "[fd00::1]", "localhost."]
    {
        let told = fetch(&format!("https://{host}/a.svg"));
        let is_refused = told.contains("no address that may be asked")
            || host == "localhost." && told.contains("no address");
        assert!(is_refused, "{host}: {told}");
    }
    let private: [std::net::Ipv4Addr; 5] =
        [[127, 0, 0, 1], [10, 0, 0, 1], [192, 168, 1, 1], [169, 254, 169, 254], [100, 64, 0, 1]]
            .map(Into::into);
    for (number, address) in private.into_iter().enumerate() {
        house.scene.server.add(&format!("h{number}.example.com"), a(address));
        let told = fetch(&format!("https://h{number}.example.com/a.svg"));
        assert!(told.contains(&format!("{address} is no address")), "{told}");
    }
    assert_eq!(house.site.heard(), Vec::<String>::new());
    // The command itself has no other way.
    house.scene.configure("fetch = \"on\"", "");
    let report = house.scene.json("example.com");
    let told = finding(&report, "B09").unwrap();
    assert!(told["found"].as_str().unwrap().contains("127.0.0.1 is no address"), "{told:#}");
    assert_eq!(house.site.heard(), Vec::<String>::new());
}

#[test]
fn nothing_is_fetched_unless_it_is_wished_for() {
    let house = House::new();
    let asked = |house: &House| {
        let asked = house.scene.server.asked();
        asked.iter().any(|asked| asked.name == "mta-sts.example.com")
    };
    house.scene.configure("fetch = \"off\"", "");
    let off = house.scene.json("example.com");
    assert!(!asked(&house) && finding(&off, "B09").is_none(), "{off:#}");
    house.scene.configure("fetch = \"on\"", "");
    let ended = house.scene.audit(&["example.com", "--no-fetch", "--json"]);
    assert!(!asked(&house) && !ended.out.contains("B09"), "{ended:?}");
    for depth in ["core", "usual"] {
        let ended = house.scene.audit(&["example.com", "--depth", depth, "--json"]);
        assert!(!asked(&house) && !ended.out.contains("B09"), "{ended:?}");
    }
    let on = house.scene.json("example.com");
    assert!(asked(&house) && finding(&on, "B09").is_some(), "{on:#}");
}

#[test]
fn roots_that_cannot_be_used_are_told_before_anything_is_asked() {
    let scene = published();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificate").unwrap();
    let path = file.path().display();
    for path in [path.to_string(), "/nonexistent.pem".to_owned()] {
        scene.configure(&format!("mark_roots = [\"{path}\"]"), "");
        let ended = scene.audit(&["example.com"]);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{ended:?}");
        assert!(ended.err.contains("audit.mark_roots") && ended.err.contains(&path), "{ended:?}");
        let objections = scene.objections();
        let told = objections.iter().find(|(key, _)| *key == "audit.mark_roots");
        assert!(told.is_some_and(|(_, why)| why.contains(&path)), "{objections:?}");
    }
}

/// A domain with a logo, a certificate and a policy, and the server where they stand.
struct House {
    scene: Scene,
    site: Site,
    root: tempfile::NamedTempFile,
    certificate: Vec<u8>,
}

impl House {
    fn new() -> Self {
        let scene = published();
        let site = Site::start(&["example.com", "www.example.com", "mta-sts.example.com"]);
        let server = &scene.server;
        for name in ["example.com", "mta-sts.example.com"] {
            server.add(name, a([127, 0, 0, 1]));
        }
        server.remove("www.example.com");
        server.add("www.example.com", a([127, 0, 0, 1]));
        server.remove("default._bimi.example.com");
        let record = "v=BIMI1; l=https://example.com/a.svg; a=https://example.com/a.pem";
        server.add("default._bimi.example.com", txt(&[record]));
        server.add("_mta-sts.example.com", txt(&["v=STSv1; id=1"]));
        server.remove("_dmarc.example.com");
        let policy = "v=DMARC1; p=reject; rua=mailto:report@example.com";
        server.add("_dmarc.example.com", txt(&[policy]));
        let made = Mark::of("example.com", IMAGE.as_bytes()).make();
        let root = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(root.path(), &made.root).unwrap();
        let roots = format!("mark_roots = [\"{}\"]", root.path().display());
        scene.configure(&roots, "");
        let house = Self { scene, site, root, certificate: made.file() };
        house.mend();
        house
    }

    /// Puts everything right again.
    fn mend(&self) {
        self.image(Page::of("image/svg+xml", IMAGE));
        self.site.put("www.example.com/b.svg", Page::of("image/svg+xml", IMAGE));
        let certificate = Page::of("application/pem-certificate-chain", self.certificate.clone());
        self.site.put("example.com/a.pem", certificate);
        self.policy(RIGHT_POLICY);
        self.scene.server.remove("_smtp._tls.example.com");
        let reports = "v=TLSRPTv1; rua=mailto:tls@example.com";
        self.scene.server.add("_smtp._tls.example.com", txt(&[reports]));
    }

    fn image(&self, page: Page) {
        self.site.put("example.com/a.svg", page);
    }

    fn policy(&self, text: &str) {
        self.site.put(POLICY, Page::of("text/plain; charset=utf-8", text));
    }

    fn runtime(&self) -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn lookup(&self) -> Arc<dyn Lookup> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let dns = self.scene.settings().dns;
        Arc::new(Resolver::new(dns, &SystemDisk, clock, &Metrics::new()).unwrap())
    }

    fn web(&self, reach: Reach) -> Web {
        let roots = Roots::parse(self.site.root.as_bytes()).unwrap();
        Web::new(self.lookup(), &Reached { reach, port: self.site.port, roots }).unwrap()
    }

    fn report(&self) -> Value {
        assert!(self.root.path().exists());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (settings, lookup) = (self.scene.settings(), self.lookup());
        let usual = auditor(&settings, Arc::clone(&lookup), &SystemDisk, Arc::clone(&clock));
        let platform = usual.unwrap().platform().clone();
        let subject = Subject::new("example.com", &platform.expect, "nonce").unwrap();
        let files: Arc<dyn Files> = Arc::new(self.web(Reach::Inside));
        let auditor = Auditor::new(platform, lookup, Some(files), clock);
        self.runtime().block_on(auditor.audit(&subject)).0.json()
    }

    /// What is told of what is fetched.
    fn told(&self) -> Vec<String> {
        let report = self.report();
        let ours = ["BIMI", "mail"];
        let sections = report["sections"].as_array().unwrap().iter();
        let sections =
            sections.filter(|section| ours.contains(&section["topic"].as_str().unwrap()));
        sections
            .flat_map(|section| section["findings"].as_array().unwrap())
            .map(|finding| format!("{} {}", finding["rule"], finding["found"]))
            .collect()
    }
}

fn spaces(count: usize) -> String {
    format!("/desc>{}", " ".repeat(count))
}

const POLICY: &str = "mta-sts.example.com/.well-known/mta-sts.txt";
const RIGHT_POLICY: &str =
    "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n";
