//! The zone: whether it exists, and whether its servers agree.

use super::evidence::Needs;
use super::examine::View;
use super::report::{Section, Topic};
use super::subject::Depth;
use crate::audit::Finding;
use crate::audit::answers::Found;
use crate::audit::rules::{extras, spf};
use crate::dns::{Failure, Kind, Name, Question, ZoneReply};

/// What is to be said of the zone.
pub(super) fn section(view: &View<'_>, needs: &mut Needs) -> Section {
    let domain = view.domain();
    let mut section = Section::new(Topic::Zone, domain, Kind::Ns);
    section.says = "the domain exists".to_owned();
    match needs.take(view.answers().texts(domain)) {
        Some(Found::Nothing { exists: false }) => {
            section.says = "the domain does not exist".to_owned();
            section.findings.push(
                Finding::error(&extras::X06, format!("{domain} does not exist"))
                    .expected("a domain that is registered and served"),
            );
            return section;
        }
        Some(Found::Failed(why)) => {
            section.says = "not known".to_owned();
            let found = format!("whether {domain} exists is not known: {why}");
            section.findings.push(Finding::unknown(&extras::X06, found));
        }
        Some(Found::Some(_) | Found::Nothing { exists: true }) | None => {}
    }
    if !view.is(Depth::Full) {
        return section;
    }
    let signed = needs.take(view.answers().has(domain, Kind::Ds));
    match signed {
        Some(Some(false)) => section.findings.push(
            Finding::note(&extras::X05, "no DS record at the parent")
                .expected("DNSSEC, where the registrar offers it"),
        ),
        Some(None) => {
            let found = format!("whether {domain} has a DS record is not known");
            section.findings.push(Finding::unknown(&extras::X05, found));
        }
        Some(Some(true)) | None => {}
    }
    let Ok(name) = Name::parse(domain) else { return section };
    let question = Question { name, kind: Kind::Txt };
    match view.evidence.servers.get(&question) {
        None => needs.of_servers.push(question),
        Some(Err(why)) => {
            let found = format!("the servers of the zone are not known: {why}");
            section.findings.push(Finding::unknown(&spf::S24, found));
        }
        Some(Ok(reply)) => agreement(reply, &mut section),
    }
    section
}

fn agreement(reply: &ZoneReply, section: &mut Section) {
    let count = reply.servers.len();
    section.name = reply.zone.to_string();
    section.found = reply.servers.iter().map(|server| server.server.to_string()).collect();
    section.says = format!("{count} servers of {}", reply.zone);
    for server in &reply.servers {
        if let Err(why) = &server.result {
            let found = format!("{} does not answer for it: {why}", server.server);
            let finding = match why {
                Failure::Lame | Failure::Refused => Finding::weak(&extras::X04, found),
                // Silence says nothing of the server: it may be the way to it, or our own haste.
                _ => Finding::unknown(&extras::X04, found),
            };
            section.findings.push(finding.expected("an answer of every server"));
        }
    }
    if count == 1 {
        let finding = Finding::weak(&extras::X04, "one server alone");
        section.findings.push(finding.expected("two or more, apart from each other"));
    }
    if reply.verdict() == crate::dns::Verdict::Disagree {
        let mut told: Vec<_> = reply
            .servers
            .iter()
            .filter_map(|server| {
                let reply = server.result.as_ref().ok()?;
                let texts = reply.records().iter().filter_map(|record| record.data.text());
                let spf = texts
                    .map(|text| String::from_utf8_lossy(&text).into_owned())
                    .find(|text| crate::audit::spf::is_record(text));
                let said =
                    spf.map_or_else(|| "no SPF record".to_owned(), |spf| format!("\"{spf}\""));
                Some(format!("{}: {said}", server.server))
            })
            .collect();
        told.sort();
        let found = format!("the servers have different TXT records: {}", told.join("; "));
        section
            .findings
            .push(Finding::weak(&spf::S24, found).expected("the same records at every server"));
    }
}
