//! What the DNS says, what it does not know and what it failed to say stay three things.

#![allow(clippy::disallowed_methods, reason = "a test reads clocks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod dns;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns::{DnsServer, Fault, a, aaaa, caa, cname, mx, ns, ptr, spf, txt};
use tokio::net::UdpSocket;
use waypost::clock::SystemClock;
use waypost::disk::SystemDisk;
use waypost::dns::{
    Answer, Config, Data, End, Failure, Issuer, Kind, Lookup, Name, Question, Resolver, Verdict,
};
use waypost::metrics::Metrics;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn question(text: &str, kind: Kind) -> Question {
    Question::new(&name(text), kind)
}

fn config(server: &DnsServer) -> Config {
    Config {
        servers: vec![server.resolver()],
        timeout: Duration::from_millis(400),
        zone_port: server.port(),
        ..Config::default()
    }
}

fn lookup(config: Config) -> (Arc<dyn Lookup>, Metrics) {
    let metrics = Metrics::new();
    let resolver = Resolver::new(config, &SystemDisk, Arc::new(SystemClock), &metrics).unwrap();
    (Arc::new(resolver), metrics)
}

/// The tests' server with a zone, and the product that asks it.
fn house(authorities: usize) -> (DnsServer, Arc<dyn Lookup>) {
    let server = DnsServer::start(authorities);
    server.zone("example.test", 60);
    let (lookup, _) = lookup(config(&server));
    (server, lookup)
}

#[tokio::test]
async fn every_kind_of_record_is_read() {
    let (server, lookup) = house(1);
    server.add("example.test", a([192, 0, 2, 1]));
    server.add("example.test", aaaa([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]));
    server.add("example.test", mx(10, "mail.example.test"));
    server.add("example.test", txt(&["v=spf1 ", "-all"]));
    server.add("example.test", txt(&["another"]));
    server.add("example.test", spf("v=spf1 -all"));
    server.add("example.test", caa(128, "issue", "ca.example"));
    server.add("trk.example.test", cname("Target.Example.test"));
    server.zone("2.0.192.in-addr.arpa", 60);
    server.add("1.2.0.192.in-addr.arpa", ptr("host.example.test"));
    let ask = async |at: &str, kind| lookup.ask(&question(at, kind)).await.unwrap();
    let data = async |at: &str, kind| {
        ask(at, kind).await.records().iter().map(|record| record.data.clone()).collect::<Vec<_>>()
    };
    assert_eq!(data("example.test", Kind::A).await, [Data::A([192, 0, 2, 1].into())]);
    let address = "2001:db8::1".parse().unwrap();
    assert_eq!(data("example.test", Kind::Aaaa).await, [Data::Aaaa(address)]);
    let exchange = name("mail.example.test");
    assert_eq!(data("example.test", Kind::Mx).await, [Data::Mx { preference: 10, exchange }]);
    let texts = data("example.test", Kind::Txt).await;
    assert_eq!(texts[0], Data::Txt(vec![b"v=spf1 ".to_vec(), b"-all".to_vec()]));
    assert_eq!(texts[0].text().unwrap(), b"v=spf1 -all");
    assert_eq!(texts.len(), 2);
    let old = Data::Other(Kind::Spf, b"\x0bv=spf1 -all".to_vec());
    assert_eq!(data("example.test", Kind::Spf).await, [old]);
    let Data::Caa(property) = &data("example.test", Kind::Caa).await[0] else { panic!() };
    assert_eq!(
        (property.flags, property.to_string()),
        (128, "128 issue \"ca.example\"".to_owned())
    );
    assert_eq!(
        data("trk.example.test", Kind::Cname).await,
        [Data::Cname(name("target.example.test"))]
    );
    assert_eq!(data("example.test", Kind::Ns).await, [Data::Ns(name("ns1.example.test"))]);
    let reverse = Name::reverse(IpAddr::from([192, 0, 2, 1]));
    assert_eq!(data(reverse.as_str(), Kind::Ptr).await, [Data::Ptr(name("host.example.test"))]);
    let Data::Soa(soa) = &data("example.test", Kind::Soa).await[0] else { panic!() };
    assert_eq!(soa.minimum, 60);
}

#[tokio::test]
async fn absence_is_a_reply_and_failure_is_none() {
    let (server, lookup) = house(1);
    server.add("here.example.test", a([192, 0, 2, 1]));
    let ask = async |at: &str| lookup.ask(&question(at, Kind::Txt)).await;
    let absent = ask("gone.example.test").await.unwrap();
    assert_eq!((absent.answer, absent.zone), (Answer::NoName, Some(name("example.test"))));
    let empty = ask("here.example.test").await.unwrap();
    assert_eq!((empty.answer, empty.zone), (Answer::NoData, Some(name("example.test"))));
    for (fault, failure) in [
        (Fault::ServFail, Failure::ServerFailure),
        (Fault::Refuse, Failure::Refused),
        (Fault::Drop, Failure::TimedOut),
        (Fault::Garbage, Failure::Malformed),
        (Fault::Lame, Failure::Lame),
    ] {
        let at = format!("{}.example.test", failure.code());
        server.fault(&at, fault);
        assert_eq!(ask(&at).await, Err(failure), "{fault:?}");
        server.heal();
        // A failure is not remembered: the next question finds out.
        assert_eq!(ask(&at).await.unwrap().answer, Answer::NoName, "{fault:?} is over");
    }
    let nobody = SocketAddr::from(([127, 0, 0, 77], 1));
    let (lookup, _) = self::lookup(Config { servers: vec![nobody], ..config(&server) });
    let failed = lookup.ask(&question("here.example.test", Kind::A)).await;
    assert_eq!(failed, Err(Failure::TimedOut));
}

#[tokio::test]
async fn aliases_are_followed_and_told() {
    let (server, lookup) = house(1);
    server.add("one.example.test", cname("two.example.test"));
    server.add("two.example.test", cname("three.example.test"));
    server.add("three.example.test", a([192, 0, 2, 3]));
    server.add("dangling.example.test", cname("nowhere.example.test"));
    server.add("round.example.test", cname("round.example.test"));
    let reply = lookup.ask(&question("one.example.test", Kind::A)).await.unwrap();
    assert_eq!(reply.aliases, [name("two.example.test"), name("three.example.test")]);
    assert_eq!(reply.records()[0].name, name("three.example.test"));
    let reply = lookup.ask(&question("dangling.example.test", Kind::A)).await.unwrap();
    assert_eq!((reply.answer, reply.aliases), (Answer::NoName, vec![name("nowhere.example.test")]));
    let reply = lookup.ask(&question("round.example.test", Kind::A)).await;
    assert!(matches!(reply, Err(Failure::ServerFailure | Failure::Endless)), "{reply:?}");
    // A resolver that does not follow aliases, such as a zone's own server, is helped along.
    let config = Config {
        servers: vec![SocketAddr::from(([127, 0, 0, 2], server.port()))],
        ..config(&server)
    };
    server.zone("other.test", 60);
    server.add("far.example.test", cname("near.other.test"));
    server.add("near.other.test", txt(&["found"]));
    let reply = self::lookup(config).0.ask(&question("far.example.test", Kind::Txt)).await.unwrap();
    assert_eq!(reply.records().len(), 1, "{reply:?}");
}

#[tokio::test]
async fn a_chain_is_walked_one_by_one_and_its_end_is_told() {
    let (server, lookup) = house(1);
    server.add("straight.example.test", cname("target.example.test"));
    server.add("bent.example.test", cname("straight.example.test"));
    server.add("wrong.example.test", cname("ns1.example.test"));
    server.add("dangling.example.test", cname("nowhere.example.test"));
    server.add("left.example.test", cname("right.example.test"));
    server.add("right.example.test", cname("left.example.test"));
    for step in 0..20 {
        server.add(&format!("s{step}.example.test"), cname(&format!("s{}.example.test", step + 1)));
    }
    let target = name("target.example.test");
    for (at, end, length) in [
        ("straight", End::Target, 2),
        ("bent", End::Target, 3),
        ("target", End::Target, 1),
        ("ns1", End::Other, 1),
        ("wrong", End::Other, 2),
        ("gone", End::NoName, 1),
        ("dangling", End::NoName, 2),
        ("left", End::Loop, 3),
        ("s0", End::TooLong, 10),
    ] {
        let chain = lookup.chain(&name(&format!("{at}.example.test")), &target).await.unwrap();
        assert_eq!((chain.end, chain.names.len()), (end, length), "{at}: {chain:?}");
    }
    server.fault("right.example.test", Fault::ServFail);
    lookup.forget(&name("right.example.test"));
    let failed = lookup.chain(&name("left.example.test"), &target).await;
    assert_eq!(failed, Err(Failure::ServerFailure));
}

#[tokio::test]
async fn caa_is_found_as_the_authorities_find_it() {
    let (server, lookup) = house(1);
    server.zone("target.test", 60);
    server.add("host.target.test", caa(0, "issue", "ca.example"));
    server.add("host.target.test", a([192, 0, 2, 1]));
    server.add("target.test", caa(0, "issue", ";"));
    server.add("plain.target.test", a([192, 0, 2, 1]));
    server.add("trk.example.test", cname("host.target.test"));
    server.add("bare.example.test", cname("plain.target.test"));
    server.add("example.test", caa(0, "issue", "other.example"));
    let caa_of = async |at: &str| lookup.caa(&name(at)).await;
    // At the end of the alias, since each question follows it.
    let set = caa_of("trk.example.test").await.unwrap().unwrap();
    assert_eq!((set.at, set.aliases), (name("trk.example.test"), vec![name("host.target.test")]));
    // The parents of the alias's target do not count; the name's own do.
    let set = caa_of("bare.example.test").await.unwrap().unwrap();
    assert_eq!(set.at, name("example.test"));
    let ours = Issuer { domain: "ca.example", account: None, method: "http-01" };
    assert!(set.permits(&ours).unwrap_err().to_string().contains("other.example"));
    assert_eq!(caa_of("nothing.test").await, Ok(None));
    // A failure nearer than the set blocks; one beyond it does not matter.
    server.fault("bare.example.test", Fault::ServFail);
    lookup.forget(&name("bare.example.test"));
    let failed = caa_of("bare.example.test").await.unwrap_err();
    assert_eq!(failed, (name("bare.example.test"), Failure::ServerFailure));
    server.heal();
    server.fault("test", Fault::ServFail);
    let set = caa_of("trk.example.test").await.unwrap().unwrap();
    assert_eq!(set.at, name("trk.example.test"));
}

#[tokio::test]
async fn identical_questions_in_flight_are_asked_once_and_replies_remembered() {
    let (server, _) = house(0);
    let (lookup, metrics) = lookup(config(&server));
    server.add("slow.example.test", a([192, 0, 2, 1]));
    server.fault("slow.example.test", Fault::Delay(Duration::from_millis(50)));
    let question = question("slow.example.test", Kind::A);
    let replies = futures_util::future::join_all((0..50).map(|_| lookup.ask(&question))).await;
    assert!(replies.iter().all(|reply| reply.as_ref().unwrap().records().len() == 1));
    assert_eq!(server.asked().len(), 1);
    assert!(lookup.ask(&question).await.is_ok());
    assert_eq!(server.asked().len(), 0, "remembered");
    lookup.forget(&question.name);
    assert!(lookup.ask(&question).await.is_ok());
    assert_eq!(server.asked().len(), 1, "forgotten on demand");
    let text = metrics.text();
    for line in [
        "waypost_dns_questions_total{way=\"resolver\",result=\"found\"} 2",
        "waypost_dns_joined_total 49",
        "waypost_dns_remembered_total 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn another_server_is_asked_when_one_fails_and_is_then_preferred() {
    let (server, _) = house(2);
    server.add("here.example.test", a([192, 0, 2, 1]));
    let at = |last| SocketAddr::from(([127, 0, 0, last], server.port()));
    for fault in [Fault::ServFail, Fault::Refuse, Fault::Garbage, Fault::Drop, Fault::Lame] {
        server.heal();
        server.fault_at(1, "example.test", fault);
        let (lookup, _) = lookup(Config { servers: vec![at(2), at(3)], ..config(&server) });
        server.asked();
        for kind in [Kind::A, Kind::Txt, Kind::Mx] {
            let reply = lookup.ask(&question("here.example.test", kind)).await;
            assert!(reply.is_ok(), "{fault:?}: {reply:?}");
        }
        let asked = server.asked().iter().filter(|asked| asked.face == 1).count();
        assert_eq!(asked, 1, "{fault:?}: the one that failed is not asked again");
    }
    server.fault("example.test", Fault::ServFail);
    server.fault_at(2, "example.test", Fault::Drop);
    let (lookup, _) = lookup(Config { servers: vec![at(2), at(3)], ..config(&server) });
    let failed = lookup.ask(&question("here.example.test", Kind::A)).await;
    assert_eq!(failed, Err(Failure::ServerFailure), "what was said, not the silence");
}

#[tokio::test]
async fn a_record_without_data_takes_no_other_with_it() {
    let (server, lookup) = house(0);
    server.add("example.test", txt(&["kept"]));
    server.add("example.test", txt(&[]));
    server.add("empty.example.test", txt(&[]));
    let reply = lookup.ask(&question("example.test", Kind::Txt)).await.unwrap();
    let texts: Vec<_> = reply.records().iter().map(|record| record.data.text().unwrap()).collect();
    assert_eq!(texts, [b"kept"]);
    let reply = lookup.ask(&question("empty.example.test", Kind::Txt)).await.unwrap();
    assert_eq!(reply.answer, Answer::NoData);
}

#[tokio::test]
async fn what_does_not_fit_comes_over_tcp_and_old_servers_are_asked_without_edns() {
    let (server, lookup) = house(0);
    let long = "x".repeat(255);
    server.add("long.example.test", txt(&[&long, &long, &long]));
    server.add("old.example.test", txt(&["old"]));
    server.fault("long.example.test", Fault::Truncate);
    server.fault("old.example.test", Fault::NoEdns);
    let reply = lookup.ask(&question("long.example.test", Kind::Txt)).await.unwrap();
    assert_eq!(reply.records()[0].data.text().unwrap().len(), 765);
    let reply = lookup.ask(&question("old.example.test", Kind::Txt)).await.unwrap();
    assert_eq!(reply.records()[0].data.text().unwrap(), b"old");
    let ways: Vec<_> = server.asked().iter().map(|asked| asked.is_tcp).collect();
    assert_eq!(ways, [false, true, false, false]);
}

#[tokio::test]
async fn every_wait_ends() {
    let (server, lookup) = house(1);
    server.fault("example.test", Fault::Drop);
    let begun = Instant::now();
    assert_eq!(lookup.ask(&question("a.example.test", Kind::A)).await, Err(Failure::TimedOut));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let reply = lookup.ask_zone(&question("b.example.test", Kind::A)).await;
    assert_eq!(reply, Err(Failure::TimedOut));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_zones_own_servers_are_asked_past_what_the_resolver_remembers() {
    let (server, lookup) = house(2);
    let question = question("trk.example.test", Kind::Cname);
    assert_eq!(lookup.ask(&question).await.unwrap().answer, Answer::NoName);
    // The zone's servers know it, the resolver does not yet.
    for face in [1, 2] {
        server.change_at(face, |records| records.add("trk.example.test", cname("t.example.test")));
    }
    assert_eq!(lookup.ask(&question).await.unwrap().answer, Answer::NoName);
    let reply = lookup.ask_zone(&question).await.unwrap();
    assert_eq!(reply.zone, name("example.test"));
    let servers: Vec<_> = reply.servers.iter().map(|server| server.server.as_str()).collect();
    assert_eq!(servers, ["ns1.example.test", "ns2.example.test"]);
    let Verdict::One(one) = reply.verdict() else { panic!("{reply:?}") };
    assert_eq!(one.records()[0].data, Data::Cname(name("t.example.test")));
    assert!(one.is_authoritative);
}

#[tokio::test]
async fn servers_that_disagree_or_fail_are_told_one_by_one() {
    let (server, lookup) = house(3);
    let question = question("trk.example.test", Kind::Cname);
    for face in [1, 3] {
        server.change_at(face, |records| records.add("trk.example.test", cname("t.example.test")));
    }
    let reply = lookup.ask_zone(&question).await.unwrap();
    assert_eq!(reply.verdict(), Verdict::Disagree);
    let answers: Vec<_> =
        reply.servers.iter().map(|s| s.result.as_ref().unwrap().records().len()).collect();
    assert_eq!(answers, [1, 0, 1]);
    // One that fails does not vote, and is told.
    for (fault, failure) in [
        (Fault::Refuse, Failure::Refused),
        (Fault::ServFail, Failure::ServerFailure),
        (Fault::Lame, Failure::Lame),
        (Fault::Drop, Failure::TimedOut),
    ] {
        server.heal();
        server.fault_at(2, "trk.example.test", fault);
        let reply = lookup.ask_zone(&question).await.unwrap();
        assert_eq!(reply.servers[1].result, Err(failure));
        assert!(matches!(reply.verdict(), Verdict::One(_)), "{fault:?}: {reply:?}");
    }
    for face in [1, 2, 3] {
        server.fault_at(face, "trk.example.test", Fault::Refuse);
    }
    let reply = lookup.ask_zone(&question).await.unwrap();
    assert_eq!(reply.verdict(), Verdict::Failed(Failure::Refused));
    // A server without an address is one that cannot be reached.
    server.change_at(0, |records| records.add("example.test", ns("ghost.example.test")));
    lookup.forget(&name("example.test"));
    let reply = lookup.ask_zone(&question).await.unwrap();
    let ghost = &reply.servers[0];
    assert_eq!((ghost.address, &ghost.result), (None, &Err(Failure::Unreachable)));
}

#[tokio::test]
async fn the_zone_of_a_name_is_found_behind_aliases_and_below_delegations() {
    let (server, lookup) = house(1);
    server.zone("sub.example.test", 60);
    server.add("deep.er.sub.example.test", a([192, 0, 2, 1]));
    server.zone("other.test", 60);
    server.add("alias.example.test", cname("other.test"));
    for (at, zone) in [
        ("deep.er.sub.example.test", "sub.example.test"),
        ("no.such.name.example.test", "example.test"),
        ("alias.example.test", "example.test"),
        ("example.test", "example.test"),
    ] {
        let reply = lookup.ask_zone(&question(at, Kind::Cname)).await.unwrap();
        assert_eq!(reply.zone, name(zone), "{at}");
    }
}

#[tokio::test]
async fn each_of_a_zones_servers_is_asked_at_a_rate() {
    let (server, _) = house(1);
    let timeout = Duration::from_millis(200);
    let (lookup, _) = lookup(Config { server_rate: 10, timeout, ..config(&server) });
    let ask = |number: u32| {
        let question = question(&format!("n{number}.example.test"), Kind::Cname);
        let lookup = Arc::clone(&lookup);
        async move { lookup.ask_zone(&question).await.unwrap().servers[0].result.clone() }
    };
    let results = futures_util::future::join_all((0..30).map(ask)).await;
    let busy = results.iter().filter(|result| **result == Err(Failure::Busy)).count();
    let asked = server.asked().iter().filter(|asked| asked.face == 1).count();
    // Ten at once and four within twice the time-out; the others are told so.
    assert!((10..=16).contains(&asked), "{asked}");
    assert_eq!(busy + asked, 30);
}

#[tokio::test]
async fn a_guess_at_an_answer_is_not_heard() {
    let (real, _) = house(0);
    real.add("example.test", a([192, 0, 2, 1]));
    let bind = || UdpSocket::bind("127.0.0.1:0");
    let (front, back, stranger) =
        (bind().await.unwrap(), bind().await.unwrap(), bind().await.unwrap());
    let guessing = async {
        let mut buffer = vec![0; 4_096];
        let (length, peer) = front.recv_from(&mut buffer).await.unwrap();
        back.send_to(&buffer[..length], real.resolver()).await.unwrap();
        // NXDOMAIN: from elsewhere, with another id, to another question.
        let mut guess = buffer[..length].to_vec();
        (guess[2], guess[3]) = (0x84, 0x03);
        stranger.send_to(&guess, peer).await.unwrap();
        for at in [0, 13] {
            guess[at] ^= 1;
            front.send_to(&guess, peer).await.unwrap();
            guess[at] ^= 1;
        }
        let length = back.recv(&mut buffer).await.unwrap();
        front.send_to(&buffer[..length], peer).await.unwrap();
    };
    let servers = vec![front.local_addr().unwrap()];
    let (lookup, _) = lookup(Config { servers, ..config(&real) });
    let question = question("example.test", Kind::A);
    let (reply, ()) = tokio::join!(lookup.ask(&question), guessing);
    assert_eq!(reply.unwrap().records()[0].data, Data::A([192, 0, 2, 1].into()));
}
