//! Every question that an audit asks, unanswered: what was found without it is never taken for
//! gone, and nothing else is found for it.

use std::collections::BTreeSet;

use waypost::audit::domain::{Evidence, File, Report, Subject, Unfetched, Wanted, examine};
use waypost::audit::{Answer, Expect, Platform, Severity, Silence};
use waypost::dns::{Failure, Kind, Name, Question, Reply, ServerReply, ZoneReply};

use crate::scene::SHARED;
use crate::zone::Zone;

/// Who does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Silent {
    Nobody,
    Resolver(Question),
    Servers(Question),
    Web(Wanted),
}

/// The world around the domain: names, files, and what does not answer.
struct World<'a> {
    zone: &'a Zone,
    silent: Silent,
    failure: Failure,
    /// Whether what is silent answers when nothing is to be checked.
    is_bogus: bool,
    /// Whether it answers the second time.
    is_passing: bool,
}

impl World<'_> {
    /// Audits a domain; returns with the report who was asked for it.
    fn audit(&self, subject: &Subject, platform: &Platform) -> (Report, Vec<Silent>) {
        let (mut asked, mut evidence) = (Vec::new(), Evidence::default());
        evidence.is_fetching = true;
        loop {
            let needs = match examine(subject, platform, &evidence) {
                Ok(report) => return (report, asked),
                Err(needs) => needs,
            };
            for question in needs.questions {
                let (answer, aliases) = self.answer(&question);
                asked.push(Silent::Resolver(question.clone()));
                evidence.answers.insert_behind(question, answer, aliases);
            }
            for question in needs.unchecked {
                let answer = self.later(&question, self.is_bogus);
                evidence.unchecked.insert(question, answer);
            }
            for question in needs.again {
                let answer = self.later(&question, self.is_passing);
                evidence.again.insert(question, answer);
            }
            for question in needs.of_servers {
                let servers = Silent::Servers(question.clone());
                let result = if self.silent == servers { Err(self.failure) } else { agreed() };
                asked.push(servers);
                evidence.servers.insert(question, result);
            }
            for wanted in needs.files {
                let web = Silent::Web(wanted.clone());
                let result = if self.silent == web { silence() } else { Ok(file()) };
                asked.push(web);
                evidence.files.insert(wanted, result);
            }
        }
    }

    fn later(&self, question: &Question, is_answered: bool) -> Answer {
        if is_answered { self.zone.answer(question) } else { Answer::Failed(self.failure) }
    }

    fn answer(&self, question: &Question) -> (Answer, Vec<Name>) {
        let mut aliases = Vec::new();
        let mut at = question.clone();
        while self.silent != Silent::Resolver(question.clone()) {
            let answer = self.zone.answer(&at);
            let alias = self.zone.answer(&Question { name: at.name, kind: Kind::Cname });
            match (&answer, alias) {
                (Answer::NoData, Answer::Names(names)) if aliases.len() < 8 => {
                    at.name = names[0].clone();
                    aliases.push(names[0].clone());
                }
                _ => return (answer, aliases),
            }
        }
        (Answer::Failed(self.failure), Vec::new())
    }
}

/// Two servers that both say nothing.
fn agreed() -> Result<ZoneReply, Failure> {
    let server = |name: &str| ServerReply {
        server: Name::parse(name).unwrap(),
        address: None,
        result: Ok(Reply {
            answer: waypost::dns::Answer::NoData,
            aliases: Vec::new(),
            zone: None,
            is_authoritative: true,
            ttl: std::time::Duration::ZERO,
        }),
    };
    let zone = Name::parse("example.com").unwrap();
    Ok(ZoneReply { zone, servers: vec![server("ns1.example.com"), server("ns2.example.com")] })
}

fn file() -> File {
    File { media_type: "text/plain".to_owned(), bytes: b"neither image nor policy".to_vec() }
}

fn silence() -> Result<File, Unfetched> {
    Err(Unfetched::Unknown("no answer in time".to_owned()))
}

#[test]
fn whoever_is_silent_takes_no_finding_away_and_adds_none() {
    let mut seen = BTreeSet::new();
    for (number, world) in WORLDS.iter().enumerate() {
        let zone = Zone::parse(&world.replace("SHARED", SHARED));
        let platform =
            platform(if number == 1 { "bounce.example.net" } else { "{sending_domain}" });
        let domain = if number == 1 { "news.example.com" } else { "example.com" };
        let subject = Subject::new(domain, &platform.expect, "nonce").unwrap();
        let (is_bogus, is_passing) = (false, false);
        let within = |silent, failure| World { zone: &zone, silent, failure, is_bogus, is_passing };
        let whole = within(Silent::Nobody, Failure::TimedOut);
        let (whole, asked) = whole.audit(&subject, &platform);
        assert!(asked.len() > 10, "{asked:#?}");
        for silent in asked {
            for failure in [Failure::TimedOut, Failure::ServerFailure] {
                let (report, _) = within(silent.clone(), failure).audit(&subject, &platform);
                let case = format!("world {number}, {silent:?}: {failure}");
                // Where a key that strayed was found, nobody needs to know of other places.
                let is_same = number > 0 && rules(&report) == rules(&whole);
                let is_told = report.findings().any(is_unknown);
                assert!(is_told || is_same, "{case}: {:?}", rules(&report));
                nothing_is_lost(&whole, &report, &case);
            }
        }
        seen.extend(whole.findings().map(|finding| finding.rule.id));
    }
    for rule in HANGING {
        assert!(seen.contains(rule), "{rule} is in no world: {seen:?}");
    }
}

#[test]
fn only_what_is_refused_twice_in_a_signed_zone_is_bogus() {
    use Severity::{Error, Unknown};
    let policy = ("_dmarc.example.com", Kind::Txt);
    let alias = ("go.example.net", Kind::Cname);
    for (asked, ds, is_bogus, is_passing, expected) in [
        (policy, "example.com DS signed", true, false, Some(Error)),
        (policy, "example.com DS signed", true, true, None),
        (policy, "example.com DS signed", false, false, Some(Unknown)),
        (policy, "example.com DS SERVFAIL", true, false, Some(Unknown)),
        (policy, "example.com DS TIMEOUT", true, false, Some(Unknown)),
        (policy, "com DS signed", true, false, Some(Unknown)),
        (alias, "example.net DS signed", true, false, Some(Error)),
        (alias, "example.com DS signed", true, false, Some(Unknown)),
        (alias, "example.net DS signed", true, true, None),
    ] {
        let world = WORLDS[0].replace("SHARED", SHARED).replace("example.com DS signed", ds);
        let zone = Zone::parse(&format!("{world}\ngo.example.net CNAME trk.aksend.net"));
        let silent =
            Silent::Resolver(Question { name: Name::parse(asked.0).unwrap(), kind: asked.1 });
        let failure = Failure::ServerFailure;
        let world = World { zone: &zone, silent, failure, is_bogus, is_passing };
        let platform = platform("{sending_domain}");
        let subject = Subject::new("example.com", &platform.expect, "nonce").unwrap();
        let (report, _) = world.audit(&subject.tracked_at("go.example.net").unwrap(), &platform);
        let told = report.findings().find(|finding| finding.rule.id == "T06");
        let told = told.map(|finding| finding.severity);
        assert_eq!(told, expected, "{asked:?} {ds} {is_bogus} {is_passing}");
        assert!(report.findings().any(is_unknown), "what was asked is not known in any case");
    }
}

/// What the worlds have to show, so that it can be lost: rules that hang on a question beside the
/// record itself.
const HANGING: &[&str] = &[
    "S11", "S20", "S23", "S25", "S26", "K15", "K16", "K17", "K18", "D02", "D07", "D08", "D11",
    "D18", "B02", "B07", "B17", "T01", "T03", "X01", "X03", "X05", "X07",
];

fn nothing_is_lost(whole: &Report, report: &Report, case: &str) {
    let json = report.json();
    for section in &whole.sections {
        let now = report.section(section.topic);
        let mut sections = json["sections"].as_array().unwrap().iter();
        let silence = sections.find(|now| now["topic"] == section.topic.to_string());
        let silence = Silence::of(silence.unwrap());
        let findings = || now.iter().flat_map(|now| &now.findings);
        for had in &section.findings {
            let is_there = |now: &&waypost::audit::Finding| {
                now.rule == had.rule && now.severity == had.severity
            };
            let is_left = findings().any(|now| is_there(&now));
            assert!(is_left || silence.covers(had.rule.id), "{case} takes {} away", had.rule.id);
        }
        for now in findings().filter(|now| !is_unknown(now)) {
            let mut had = section.findings.iter();
            let is_old = had.any(|had| had.rule == now.rule && had.severity == now.severity);
            assert!(is_old, "{case} adds {now:#?}");
        }
    }
}

fn is_unknown(finding: &waypost::audit::Finding) -> bool {
    finding.severity == Severity::Unknown
}

fn rules(report: &Report) -> Vec<&'static str> {
    report.findings().map(|finding| finding.rule.id).collect()
}

fn platform(mail_from: &str) -> Platform {
    let mail_from = mail_from.to_owned();
    Platform {
        expect: Expect { mail_from, ..Expect::default() },
        target: "trk.aksend.net".to_owned(),
        authorities: vec!["letsencrypt.org".to_owned()],
        mark_roots: Vec::new(),
    }
}

/// A healthy domain; one below an organization; one with much that is wrong.
const WORLDS: &[&str] = &[
    "example.com TXT 'v=spf1 include:spf.aksend.net -all'
    example.com TXT 'spf2.0/pra include:spf.aksend.net -all'
    example.com MX 10 mail.example.com
    example.com DS signed
    mail.example.com A 198.51.101.200
    spf.aksend.net TXT 'v=spf1 ip4:198.51.101.0/24 -all'
    ak._domainkey.example.com TXT 'v=DKIM1; k=rsa; p=SHARED'
    _domainkey.example.com TXT 'o=-;'
    _adsp._domainkey.example.com TXT 'dkim=all'
    _dmarc.example.com TXT 'v=DMARC1; p=reject; sp=reject; rua=mailto:report@example.com'
    default._bimi.example.com TXT 'v=BIMI1; l=https://example.com/a.svg; a=https://example.com/a.pem'
    trk.example.com CNAME trk.aksend.net
    trk.aksend.net A 198.51.102.1
    _mta-sts.example.com TXT 'v=STSv1; id=1'",
    "news.example.com TXT 'v=spf1 include:spf.aksend.net -all'
    news.example.com SPF 'v=spf1 -all'
    example.com MX 10 mail.example.com
    mail.example.com A 198.51.101.200
    spf.aksend.net TXT 'v=spf1 ip4:198.51.101.0/24 -all'
    ak._domainkey.news.example.com TXT 'v=DKIM1; k=rsa; p=SHARED'
    nonce._domainkey.news.example.com TXT 'v=spf1 -all'
    _dmarc.news.example.com TXT 'v=DMARC1; p=reject; sp=none; rua=mailto:a@third.example,mailto:b@null.example'
    _dmarc.example.com TXT 'v=DMARC1; p=none'
    _dmarc.com TXT 'v=DMARC1; p=none'
    _dmarc.com TXT 'v=DMARC1; p=reject'
    third.example A 198.51.101.201
    null.example MX 0 .
    news.example.com._report._dmarc.null.example TXT 'v=DMARC1'
    default._bimi.example.com TXT 'v=BIMI1; l=https://example.com/a.svg; a=https://example.com/a.pem'
    trk.news.example.com CNAME trk.aksend.net
    nonce.news.example.com CNAME trk.aksend.net
    trk.aksend.net A 198.51.102.1
    com CAA 0 issue \"other.example\"",
    "example.com TXT 'v=spf1 include:gone.example.net a:void.example.net include:spf.aksend.net -all'
    example.com TXT 'v=DMARC1; p=reject'
    example.com CNAME www.example.com
    www.example.com A 198.51.101.200
    spf.aksend.net TXT 'v=spf1 ip4:198.51.101.0/24 -all'
    ak._domainkey.example.com.example.com TXT 'v=DKIM1; k=rsa; p=SHARED'
    trk.example.com A 198.51.102.1
    trk.aksend.net A 198.51.102.1",
];
