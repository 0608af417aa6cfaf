//! What reading and evaluating costs: time by criterion, and allocations counted once.
//!
//! `cargo bench --bench audit`

#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::alloc::System;
use std::hint::black_box;

use criterion::Criterion;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use waypost::audit::spf::{self, Evaluation, Outcome, Request};
use waypost::audit::{Answer, Answers, Published, Unanswered, dkim, dmarc, svg};
use waypost::clock::Timestamp;
use waypost::dns::{Kind, Name, Question};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let known = known();
    let works: [(&str, &dyn Fn()); 9] = [
        ("spf/read 110 bytes", &|| drop(black_box(spf::read(RECORD)))),
        ("spf/judge 110 bytes", &|| drop(black_box(spf::judge(&text(RECORD))))),
        ("spf/check_host, one record, known", &|| {
            drop(black_box(check("192.0.2.1", PLAIN, &known)))
        }),
        ("spf/check_host, ten lookups, known", &|| {
            drop(black_box(check("203.0.113.9", FULL, &known)))
        }),
        ("spf/check_host, ten lookups, asked round by round", &|| {
            drop(black_box(asked(FULL, &known)))
        }),
        ("spf/survey, ten lookups, known", &|| drop(black_box(spf::survey(FULL, &known)))),
        ("dkim/judge 1024 bits", &|| {
            drop(black_box(dkim::judge(&text(KEY), dkim::Signer::default())))
        }),
        ("dmarc/judge", &|| drop(black_box(dmarc::judge(&text(POLICY))))),
        ("svg/judge 1 kB", &|| drop(black_box(svg::judge(svg::Image::read(image().as_bytes()))))),
    ];
    println!("{:<52} {:>12} {:>12}", "one run of", "allocations", "bytes");
    for (name, work) in works {
        work();
        let region = Region::new(ALLOCATOR);
        work();
        let change = region.change();
        println!("{name:<52} {:>12} {:>12}", change.allocations, change.bytes_allocated);
    }
    for (name, work) in works {
        criterion.bench_function(name, |bencher| bencher.iter(work));
    }
    criterion.final_summary();
}

fn text(record: &str) -> Published {
    Published::of_strings([record])
}

fn check(ip: &str, domain: &str, answers: &Answers) -> Outcome {
    evaluation(ip, domain).check(answers).unwrap()
}

/// The same as an evaluation that begins with no answers: each round asks, and begins again.
fn asked(domain: &str, known: &Answers) -> Outcome {
    let (mut evaluation, mut answers) = (evaluation("203.0.113.9", domain), Answers::new());
    loop {
        match evaluation.check(&answers) {
            Ok(outcome) => return outcome,
            Err(Unanswered(questions)) => {
                for question in questions {
                    let answer = known.of(&question).unwrap().clone();
                    answers.insert(question, answer);
                }
            }
        }
    }
}

fn evaluation(ip: &str, domain: &str) -> Evaluation {
    let (ip, from) = (ip.parse().unwrap(), format!("user@{domain}"));
    Evaluation::new(Request::new(ip, &from, "mail.example.net", Timestamp::default()))
}

/// A domain with one record, and one that uses all ten lookups.
fn known() -> Answers {
    let mut answers = Answers::new();
    let mut add = |name: &str, kind, answer| {
        answers.insert(Question::new(&Name::parse(name).unwrap(), kind), answer);
    };
    let record = |record: &str| Answer::Texts(vec![text(record)]);
    add(PLAIN, Kind::Txt, record("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"));
    let includes = ["a", "b", "c", "d"].map(|name| format!("include:{name}.example.org"));
    add(FULL, Kind::Txt, record(&format!("v=spf1 a mx {} -all", includes.join(" "))));
    add(FULL, Kind::A, Answer::Addresses(vec![[192, 0, 2, 1].into()]));
    let hosts = ["mx1.example.org", "mx2.example.org"];
    add(FULL, Kind::Mx, Answer::Exchanges(hosts.map(|host| Name::parse(host).unwrap()).to_vec()));
    for host in hosts {
        add(host, Kind::A, Answer::Addresses(vec![[192, 0, 2, 2].into()]));
    }
    for name in ["a", "b", "c", "d"] {
        let networks: String = (0..12).map(|n| format!("ip4:198.51.{n}.0/24 ")).collect();
        let own = format!("{name}.example.org");
        add(&own, Kind::Txt, record(&format!("v=spf1 {networks}a:%{{d1r}}.example.net ~all")));
        let host = format!("{name}.example.net");
        add(&host, Kind::A, Answer::Addresses(vec![[192, 0, 2, 3].into()]));
    }
    answers
}

fn image() -> String {
    let shapes =
        "<path d=\"M0 0h512v512H0z\" fill=\"#fff\"/><circle cx=\"9\" cy=\"9\" r=\"9\"/>".repeat(12);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.2\" baseProfile=\"tiny-ps\" viewBox=\"0 0 512 512\"><title>a</title>{shapes}</svg>"
    )
}

const PLAIN: &str = "plain.example.com";
const FULL: &str = "full.example.com";
const RECORD: &str = "v=spf1 ip4:198.51.100.0/24 ip6:2001:db8::/32 a mx:example.com/24 include:_spf.example.net exists:%{ir}.x.example -all";
const POLICY: &str = "v=DMARC1; p=reject; sp=quarantine; adkim=s; rua=mailto:a@example.com,mailto:b@example.net; fo=1";
const KEY: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCldFYh3Rfrmeov+WqYYpwfW2bVUzxXPy9dSVoUCGLKCn+vgY/pdKIIBFitkvZJXGLnHqreqwGzoriEWf9ZRd+cL2LdA4UrDKheMeorBd2NSIqihkTaKz8PA+SIBFxFGm2Z0Krh5ZDF2NtFVhtD4YvqmrFqk2muzZ0tFEko8zP30wIDAQAB";
