//! `spf-check` over a server: the same results, and what only a server can do to it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hickory_net::proto::rr::RecordType;
use serde_json::Value;
use waypost::audit::spf::{Evaluation, Request, Verdict};
use waypost::audit::{Answers, Asker};
use waypost::clock::{Clock, SystemClock};
use waypost::disk::SystemDisk;
use waypost::dns::{self, Kind, Resolver};
use waypost::metrics::Metrics;

use crate::check_host::{Case, groups};
use crate::dns::{DnsServer, Fault, a, aaaa, cname, mx, ptr, spf, txt};
use crate::waypost::{Ended, audit};
use crate::zone::{Zone, strings};

#[test]
fn the_command_ends_as_check_host_does() {
    let faults = Mutex::new(Vec::new());
    let groups = groups();
    let servers: Vec<_> = groups.iter().map(|group| serve(&Zone::parse(&group.zone))).collect();
    let mut work: Vec<_> = groups
        .iter()
        .zip(&servers)
        .flat_map(|(group, server)| group.cases.iter().map(move |case| (case, server)))
        .filter(|(case, _)| !case.here_only)
        .collect();
    assert!(work.len() > 270, "{}", work.len());
    let work = Mutex::new(work.drain(..));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((case, server)) = work.lock().unwrap().next() else { break };
                    let ended = check(server.resolver(), &case.ip, &case.from, &case.helo);
                    if !fits(case, &ended) {
                        faults.lock().unwrap().push(format!("{case:?}\n{ended:#?}"));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_result_comes_first_then_why_and_each_term_with_its_cost() {
    let server = server();
    server.add("example.test", txt(&["v=spf1 include:%{l}.test a:gone.test -all exp=why.test"]));
    server.add("inner.test", txt(&["v=spf1 ip4:198.51.100.0/24 mx:host.test ?all"]));
    server.add("host.test", mx(1, "mail.test"));
    server.add("mail.test", a([198, 51, 100, 1]));
    server.add("why.test", txt(&["%{i} is no server of %{d}"]));
    let ended = check(server.resolver(), "192.0.2.1", "inner@example.test", "h.test");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(
        ended.out.lines().collect::<Vec<_>>(),
        [
            "fail",
            "explanation: 192.0.2.1 is no server of example.test",
            "reason: -all of example.test matches",
            "trace of example.test from 192.0.2.1:",
            "  record of example.test",
            "    include:%{l}.test [inner.test]: no match (1 lookup)",
            "    record of inner.test",
            "      ip4:198.51.100.0/24: no match",
            "      mx:host.test: no match (1 lookup)",
            "      ?all: match: neutral",
            "  record of example.test",
            "    a:gone.test: no match (1 lookup, void)",
            "    -all: match: fail",
            "lookups: 3 of 10, void: 1 of 2, questions to DNS: 6",
        ]
    );
}

#[test]
fn a_check_as_json_is_one_object_with_the_fields_that_are_told() {
    let told = std::fs::read_to_string("docs/audit.md").unwrap();
    let server = server();
    server.add("example.test", txt(&["v=spf1 exists:%{l}.test a:slow.test -all"]));
    server.fault("slow.test", Fault::ServFail);
    let resolver = server.resolver().to_string();
    let arguments = ["--ip", "192.0.2.1", "--mail-from", "gone@example.test", "--helo", "h.test"];
    let ended =
        audit(&[&["spf-check", "--json", "--resolver", &resolver], &arguments[..]].concat());
    let object: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &object["result"]), (0, &"temperror".into()), "{object:#}");
    assert_eq!(object["explanation"], Value::Null);
    assert_eq!((&object["lookups"], &object["void_lookups"]), (&2.into(), &1.into()));
    assert_eq!((&object["questions"], &object["untold"]), (&3.into(), &0.into()));
    let first = &object["trace"][0];
    assert_eq!(
        (&first["term"], &first["target"]),
        (&"exists:%{l}.test".into(), &"gone.test".into())
    );
    assert_eq!((&first["lookups"], &first["void"]), (&1.into(), &true.into()));
    let came = object["trace"][1]["came"].as_str().unwrap();
    assert!(came.starts_with("temperror: A of slow.test: SERVFAIL"), "{came}");
    for object in [&object, first] {
        for field in object.as_object().unwrap().keys() {
            assert!(told.contains(&format!("`{field}`")), "docs/audit.md does not tell {field}");
        }
    }
}

#[test]
fn silence_and_servfail_are_temperror_and_absence_is_not() {
    let server = server();
    server.add("example.test", txt(&["v=spf1 include:inner.test -all"]));
    server.add("inner.test", txt(&["v=spf1 a:host.test -all"]));
    let result = |fault: Option<(&str, Fault)>| {
        server.heal();
        fault.inspect(|(name, fault)| server.fault(name, *fault));
        first_line(&check(server.resolver(), "192.0.2.1", "a@example.test", "h.test"))
    };
    // The host does not exist: a void lookup, then the include does not match.
    assert_eq!(result(None), "fail");
    for name in ["example.test", "inner.test", "host.test"] {
        for fault in [Fault::ServFail, Fault::Refuse, Fault::Garbage, Fault::Drop] {
            assert_eq!(result(Some((name, fault))), "temperror", "{name} {fault:?}");
        }
        assert_eq!(result(Some((name, Fault::NoEdns))), "fail", "{name}");
    }
    server.remove("inner.test");
    assert_eq!(result(None), "permerror");
}

#[test]
fn aliases_are_followed_and_their_circles_are_temperror() {
    let server = server();
    server.add("example.test", cname("real.test"));
    server.add("real.test", txt(&["v=spf1 a:alias.test -all"]));
    server.add("alias.test", cname("host.test"));
    server.add("host.test", a([192, 0, 2, 1]));
    server.add("loop.test", txt(&["v=spf1 a:one.test -all"]));
    server.add("one.test", cname("two.test"));
    server.add("two.test", cname("one.test"));
    server.add("dangling.test", txt(&["v=spf1 a:gone.test -all"]));
    server.add("gone.test", cname("nowhere.test"));
    for (from, result) in
        [("a@example.test", "pass"), ("a@loop.test", "temperror"), ("a@dangling.test", "fail")]
    {
        let ended = check(server.resolver(), "192.0.2.1", from, "h.test");
        assert_eq!(first_line(&ended), result, "{ended:?}");
    }
}

#[test]
fn the_record_type_that_was_given_up_is_not_asked_for() {
    let server = server();
    server.add("only.test", spf("v=spf1 +all"));
    server.add("both.test", spf("v=spf1 +all"));
    server.add("both.test", txt(&["v=spf1 -all"]));
    for (from, result) in [("a@only.test", "none"), ("a@both.test", "fail")] {
        let ended = check(server.resolver(), "192.0.2.1", from, "h.test");
        assert_eq!(first_line(&ended), result, "{ended:?}");
    }
    assert!(server.asked().iter().all(|asked| asked.kind == RecordType::TXT));
}

#[test]
fn wildcards_split_strings_and_answers_that_need_tcp_are_read() {
    let server = server();
    server.add("*.wild.test", txt(&["v=spf1 ip4:192.0.2.1", " -all"]));
    server.add("split.test", txt(&["v=spf1 ip4:192.0.", "2.1 -all"]));
    server.add("large.test", txt(&["v=spf1 ip4:192.0.2.1 -all"]));
    for number in 0..100 {
        server.add("large.test", txt(&[&format!("token-{number}-{}", "x".repeat(200))]));
    }
    server.add("many.test", txt(&["v=spf1 a -all"]));
    for number in 0..=200 {
        server.add("many.test", a([192, 0, 2, number]));
    }
    for name in ["large.test", "many.test"] {
        server.fault(name, Fault::Truncate);
    }
    for from in ["a@x.wild.test", "a@split.test", "a@large.test", "a@many.test"] {
        let ended = check(server.resolver(), "192.0.2.1", from, "h.test");
        assert_eq!(first_line(&ended), "pass", "{from} {ended:?}");
    }
    assert!(server.asked().iter().any(|asked| asked.is_tcp), "nothing was asked over TCP");
}

#[test]
fn nobody_but_the_resolver_is_asked_and_each_question_once() {
    let (server, other) = (server(), server());
    server.add("example.test", txt(&["v=spf1 include:a.test include:a.test mx -all"]));
    server.add("a.test", txt(&["v=spf1 a:host.test a:host.test -all"]));
    server.add("host.test", a([192, 0, 2, 9]));
    server.add("example.test", mx(1, "host.test"));
    let ended = check(server.resolver(), "192.0.2.1", "a@example.test", "h.test");
    assert_eq!(first_line(&ended), "fail", "{ended:?}");
    let asked: Vec<_> =
        server.asked().iter().map(|asked| (asked.name.clone(), asked.kind)).collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(other.asked(), []);
}

#[test]
fn a_resolver_may_be_at_an_address_of_ipv6() {
    let server = server();
    server.add("example.test", txt(&["v=spf1 ip6:2001:db8::/32 -all"]));
    let Ok(relay) = Relay::start(server.resolver()) else {
        println!("SKIPPED ipv6: this machine has no ::1");
        return;
    };
    let ended = check(relay.address, "2001:db8::1", "a@example.test", "h.test");
    assert_eq!(first_line(&ended), "pass", "{ended:?}");
}

#[test]
fn a_zone_that_answers_slowly_is_given_up_in_bounded_time() {
    let server = server();
    server.add("slow.test", txt(&["v=spf1 include:n0.slow.test -all"]));
    for number in 0..9 {
        let next = format!("v=spf1 include:n{}.slow.test -all", number + 1);
        server.add(&format!("n{number}.slow.test"), txt(&[&next]));
    }
    server.fault("slow.test", Fault::Delay(Duration::from_millis(300)));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let config = dns::Config { servers: vec![server.resolver()], ..dns::Config::default() };
    let lookup = Resolver::new(config, &SystemDisk, Arc::clone(&clock), &Metrics::new()).unwrap();
    let asker = Asker { lookup: &lookup, clock: &*clock, patience: Duration::from_millis(1_000) };
    let request = Request::new([192, 0, 2, 1].into(), "a@slow.test", "h.test", clock.wall());
    let mut evaluation = Evaluation::new(request);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut answers = Answers::new();
    let begun = Instant::now();
    let judging = asker.judge(&mut answers, |answers| evaluation.check(answers));
    let outcome = runtime.block_on(judging);
    assert_eq!(outcome.verdict, Verdict::TempError, "{outcome:#?}");
    let took = begun.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[test]
fn a_configuration_says_who_is_asked_and_an_option_says_otherwise() {
    let (one, other) = (server(), server());
    one.add("example.test", txt(&["v=spf1 ip4:192.0.2.1 -all"]));
    other.add("example.test", txt(&["v=spf1 -all"]));
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!("[dns]\nservers = [\"{}\"]\n", one.resolver());
    std::fs::write(file.path(), text).unwrap();
    let config = file.path().to_str().unwrap();
    let asked = ["spf-check", "--ip", "192.0.2.1", "--mail-from", "a@example.test", "--helo", "h"];
    let by_file = [&asked[..], &["--config", config]].concat();
    assert_eq!(first_line(&audit(&by_file)), "pass");
    let resolver = other.resolver().to_string();
    let by_option = [&by_file[..], &["--resolver", &resolver]].concat();
    assert_eq!(first_line(&audit(&by_option)), "fail");
    let missing = [&asked[..], &["--config", "/nonexistent.toml"]].concat();
    assert_eq!(audit(&missing).code, 2);
}

fn fits(case: &Case, ended: &Ended) -> bool {
    let told = ended.out.lines().find_map(|line| line.strip_prefix("explanation: "));
    ended.code == 0
        && first_line(ended) == case.result
        && case.explanation.as_ref().is_none_or(|wanted| wanted == told.unwrap_or_default())
}

fn check(resolver: SocketAddr, ip: &str, from: &str, helo: &str) -> Ended {
    let resolver = resolver.to_string();
    let arguments = ["spf-check", "--ip", ip, "--mail-from", from, "--helo", helo];
    audit(&[&arguments[..], &["--resolver", &resolver]].concat())
}

fn first_line(ended: &Ended) -> String {
    ended.out.lines().next().unwrap_or_default().to_owned()
}

fn server() -> DnsServer {
    let server = DnsServer::start(0);
    for apex in ["com", "net", "org", "test", "arpa"] {
        server.zone(apex, 60);
    }
    server
}

/// A server for a zone of the cases.
fn serve(zone: &Zone) -> DnsServer {
    let server = server();
    for (name, kind, data) in zone.lines() {
        match data {
            "TIMEOUT" => {
                server.fault(name, Fault::Drop);
                continue;
            }
            "SERVFAIL" => {
                server.fault(name, Fault::ServFail);
                continue;
            }
            _ => {}
        }
        let data = match kind {
            Kind::A => a(data.parse::<std::net::Ipv4Addr>().unwrap()),
            Kind::Aaaa => aaaa(data.parse::<std::net::Ipv6Addr>().unwrap()),
            Kind::Mx => {
                let (preference, host) = data.split_once(' ').unwrap();
                mx(preference.parse().unwrap(), host)
            }
            Kind::Ptr => ptr(data),
            kind => {
                assert_eq!(kind, Kind::Txt);
                let strings = strings(data);
                let short: Vec<&str> = strings.iter().flat_map(|s| short(s)).collect();
                txt(&short)
            }
        };
        server.add(name, data);
    }
    server
}

/// A string in pieces that fit one of a TXT record.
fn short(string: &str) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), string);
    while rest.len() > 255 {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(255));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// Passes datagrams from an address of IPv6 on to a server.
struct Relay {
    address: SocketAddr,
}

impl Relay {
    fn start(server: SocketAddr) -> std::io::Result<Self> {
        let front = UdpSocket::bind("[::1]:0")?;
        let back = UdpSocket::bind("127.0.0.1:0")?;
        back.connect(server)?;
        let address = front.local_addr()?;
        front.set_read_timeout(Some(Duration::from_secs(20)))?;
        thread::spawn(move || -> std::io::Result<()> {
            let mut buffer = [0; 4_096];
            loop {
                let (length, peer) = front.recv_from(&mut buffer)?;
                back.send(&buffer[..length])?;
                let length = back.recv(&mut buffer)?;
                front.send_to(&buffer[..length], peer)?;
            }
        });
        Ok(Self { address })
    }
}

const WORKERS: usize = 8;
