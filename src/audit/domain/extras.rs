//! What stands around a domain's mail: who takes it, and what is said of its transport.

use super::evidence::{Document, Needs, Unfetched, Wanted};
use super::examine::View;
use super::report::{Section, Topic};
use crate::audit::answers::Found;
use crate::audit::rules::extras as rules;
use crate::audit::tags::tags;
use crate::audit::{Finding, Published, Rule, Unanswered, mailbox, mta_sts};
use crate::dns::Kind;

/// What is to be said of the domain's own mail.
pub(super) fn section(view: &View<'_>, needs: &mut Needs) -> Option<Section> {
    let domain = view.domain();
    let mut section = Section::new(Topic::Mail, domain, Kind::Mx);
    let exchangers = needs.take(exchangers(view, &mut section));
    let policy = needs.take(announced(view, &format!("_mta-sts.{domain}"), &STS));
    let reports_at = format!("_smtp._tls.{domain}");
    let reports = needs.take(announced(view, &reports_at, &TLS_REPORTS));
    let exchangers = exchangers?;
    let is_announced = policy.as_ref().is_some_and(|told| *told == Announced::Rightly);
    let told = if is_announced { of_policy(view, &section.found, needs)? } else { Vec::new() };
    let (policy, reports) = (policy?, reports?);
    section.findings.extend(exchangers);
    section.findings.extend(policy.finding());
    section.findings.extend(told);
    if is_announced && reports == Announced::Not {
        let record = format!("v=TLSRPTv1; rua=mailto:tls@{domain}");
        let finding = Finding::note(&rules::X03, "nobody is asked to report on TLS");
        let finding = finding.expected("reports, since there is a policy that mail can fail");
        section.findings.push(finding.publish_at(reports_at, Kind::Txt, record));
    }
    section.findings.extend(reports.finding());
    section.says = match section.found.len() {
        0 => "no mail exchanger".to_owned(),
        1 => "one mail exchanger".to_owned(),
        count => format!("{count} mail exchangers"),
    };
    Some(section)
}

fn exchangers(view: &View<'_>, section: &mut Section) -> Result<Option<Finding>, Unanswered> {
    let domain = view.domain();
    let found = match view.answers().exchanges(domain)? {
        Found::Some([exchange]) if exchange.is_root() => {
            format!("{domain} takes no mail (null MX)")
        }
        Found::Some(exchanges) => {
            section.found = exchanges.iter().map(ToString::to_string).collect();
            return Ok(None);
        }
        Found::Nothing { .. } => format!("{domain} has no MX record"),
        Found::Failed(why) => {
            let found = format!("MX of {domain} is not known: {why}");
            return Ok(Some(Finding::unknown(&rules::X01, found)));
        }
    };
    Ok(Some(Finding::weak(&rules::X01, found).expected("MX records of hosts that take mail")))
}

/// A record that may stand at a name, once.
struct Announcement {
    rule: &'static Rule,
    version: &'static str,
    example: &'static str,
    is_valid: fn(&str) -> bool,
}

/// What stands at a record's name.
#[derive(Debug, PartialEq, Eq)]
enum Announced {
    Not,
    Rightly,
    Otherwise(Box<Finding>),
}

impl Announced {
    fn finding(self) -> Option<Finding> {
        match self {
            Self::Otherwise(finding) => Some(*finding),
            Self::Not | Self::Rightly => None,
        }
    }
}

/// What of a record stands at a name.
fn announced(view: &View<'_>, name: &str, form: &Announcement) -> Result<Announced, Unanswered> {
    let texts = match view.answers().texts(name)? {
        Found::Some(texts) => texts,
        Found::Nothing { .. } => return Ok(Announced::Not),
        Found::Failed(why) => {
            let found = format!("TXT of {name} is not known: {why}");
            return Ok(Announced::Otherwise(Box::new(Finding::unknown(form.rule, found))));
        }
    };
    let is_ours = |text: &&Published| {
        tags(text.text()).next().is_some_and(|tag| {
            tag.name.text() == "v" && tag.value.text().eq_ignore_ascii_case(form.version)
        })
    };
    let ours: Vec<_> = texts.iter().filter(is_ours).collect();
    let found = match ours.as_slice() {
        [] => return Ok(Announced::Not),
        [text] if (form.is_valid)(text.text()) => return Ok(Announced::Rightly),
        [text] => format!("\"{}\" at {name} is not of the form", text.text()),
        several => format!("{} records at {name}", several.len()),
    };
    let finding = Finding::weak(form.rule, found).expected(form.example);
    Ok(Announced::Otherwise(Box::new(finding)))
}

/// What is wrong with the policy that is announced; none while it is not known.
fn of_policy(view: &View<'_>, exchangers: &[String], needs: &mut Needs) -> Option<Vec<Finding>> {
    let address = format!("https://mta-sts.{}/.well-known/mta-sts.txt", view.domain());
    if !view.evidence.is_fetching {
        return Some(Vec::new());
    }
    let wanted = Wanted { document: Document::Policy, address };
    let file = match view.file(wanted.clone(), needs)? {
        Ok(file) => file,
        Err(why) => {
            let found = format!("the policy could not be fetched: {why}");
            let finding = match why {
                Unfetched::Unknown(_) => Finding::unknown(&rules::X07, found),
                Unfetched::Refused(_) => Finding::weak(&rules::X07, found),
            };
            return Some(vec![finding.expected(format!("status 200 at {}", wanted.address))]);
        }
    };
    let (_, mut findings) = mta_sts::judge(&String::from_utf8_lossy(&file.bytes), exchangers);
    let media_type = file.media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("text/plain") {
        let found = format!("a policy of the type \"{media_type}\"");
        findings.push(Finding::weak(&rules::X07, found).expected("text/plain"));
    }
    Some(findings)
}

const STS: Announcement = Announcement {
    rule: &rules::X02,
    version: "STSv1",
    example: "one record such as v=STSv1; id=20260101",
    is_valid: |text| {
        text.starts_with("v=STSv1")
            && tags(text).any(|tag| {
                let id = tag.value.text();
                tag.name.text() == "id"
                    && (1..=32).contains(&id.len())
                    && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
    },
};
const TLS_REPORTS: Announcement = Announcement {
    rule: &rules::X03,
    version: "TLSRPTv1",
    example: "one record such as v=TLSRPTv1; rua=mailto:tls@example.com",
    is_valid: |text| {
        let is_address = |uri: &str| {
            uri.starts_with("https://")
                || uri.strip_prefix("mailto:").is_some_and(|bare| mailbox::parts(bare).is_some())
        };
        text.starts_with("v=TLSRPTv1")
            && tags(text).any(|tag| {
                tag.name.text() == "rua"
                    && tag.value.text().split(',').all(|uri| is_address(uri.trim()))
            })
    },
};
