//! Whether those who are to get reports agree to get them (RFC 9990 §4).

use super::record::{self, PolicyRecord};
use super::uri::ReportUri;
use super::walk;
use crate::audit::answers::Found;
use crate::audit::rules::dmarc;
use crate::audit::{Answers, Finding, Unanswered, name};
use crate::dns::{Kind, Name, Question};

/// A host that is to get reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The host of the addresses.
    pub host: String,
    /// Whether it gets the reports; `None` while DNS does not say.
    pub is_authorized: Option<bool>,
}

/// Judges the report addresses of the record that stands at `domain`.
pub fn reports(
    domain: &str,
    record: &PolicyRecord,
    answers: &Answers,
) -> Result<(Vec<Destination>, Vec<Finding>), Unanswered> {
    let domain = name::normal(domain);
    let mut uris: Vec<(&ReportUri, String)> = Vec::new();
    for uri in record.rua.iter().chain(&record.ruf) {
        if let Some(host) = uri.host.as_deref().map(name::normal)
            && uris.iter().all(|(_, other)| *other != host)
        {
            uris.push((uri, host));
        }
    }
    uris.truncate(DESTINATIONS);
    answers.need(questions(&domain, &uris))?;
    let own = walk::organization(&domain, answers)?;
    let (mut destinations, mut findings) = (Vec::new(), Vec::new());
    for (uri, host) in uris {
        let theirs = walk::organization(&host, answers)?;
        let is_authorized = match (&own, &theirs) {
            _ if host == domain => Some(true),
            (Some(own), Some(theirs)) if own == theirs => Some(true),
            (Some(_), Some(_)) => agreement(&domain, &host, uri, answers, &mut findings)?,
            _ => {
                let found = format!("whether {host} is of another organization is not known");
                findings.push(Finding::unknown(&dmarc::D08, found).at(uri.span));
                None
            }
        };
        findings.extend(mailbox(&host, uri, answers)?);
        destinations.push(Destination { host, is_authorized });
    }
    Ok((destinations, findings))
}

/// All that has to be asked, together.
fn questions(domain: &str, uris: &[(&ReportUri, String)]) -> Vec<Question> {
    let walk = |domain: &str| -> Vec<_> {
        walk::names(domain).iter().filter_map(|name| walk::question(name)).collect()
    };
    let mut questions = walk(domain);
    for (_, host) in uris {
        let host_name = Name::parse(host).ok();
        questions.extend(host_name.map(|name| Question { name, kind: Kind::Mx }));
        questions.extend(walk(host));
    }
    questions
}

/// Asks the destination whether it takes the domain's reports.
fn agreement(
    domain: &str,
    host: &str,
    uri: &ReportUri,
    answers: &Answers,
    findings: &mut Vec<Finding>,
) -> Result<Option<bool>, Unanswered> {
    let name = format!("{domain}._report._dmarc.{host}");
    let refused = |found: String| {
        Finding::error(&dmarc::D08, found)
            .at(uri.span)
            .expected(format!("a TXT record v=DMARC1 at {name}, published by {host}"))
    };
    if !name::is_askable(&name) {
        findings.push(refused(format!("{name} is longer than a name can be")));
        return Ok(Some(false));
    }
    let texts = match answers.texts(&name)? {
        Found::Failed(why) => {
            let found = format!("the TXT records of {name} are not known: {why}");
            findings.push(Finding::unknown(&dmarc::D08, found).at(uri.span));
            return Ok(None);
        }
        Found::Nothing { .. } => &[],
        Found::Some(texts) => texts,
    };
    let records: Vec<_> = texts.iter().filter_map(|text| record::read(text.text())).collect();
    if records.is_empty() {
        findings.push(refused(format!("{host} does not agree to get reports of {domain}")));
        return Ok(Some(false));
    }
    let overrides = records.iter().flat_map(|record| &record.rua);
    let stray =
        overrides.filter_map(|uri| uri.host.as_deref()).find(|own| name::normal(own) != host);
    if let Some(stray) = stray {
        let found = format!("{host} sends reports on to {stray}, which receivers must not follow");
        findings.push(
            Finding::error(&dmarc::D08, found)
                .at(uri.span)
                .expected(format!("addresses at {host}, or none, at {name}")),
        );
        return Ok(Some(false));
    }
    Ok(Some(true))
}

/// Whether the host takes mail at all.
fn mailbox(host: &str, uri: &ReportUri, answers: &Answers) -> Result<Option<Finding>, Unanswered> {
    let (is_error, found) = match answers.exchanges(host)? {
        Found::Some([exchange]) if exchange.is_root() => {
            (true, format!("{host} takes no mail (null MX, RFC 7505)"))
        }
        Found::Some(_) => return Ok(None),
        Found::Failed(why) => {
            let found = format!("whether {host} takes mail is not known: {why}");
            return Ok(Some(Finding::unknown(&dmarc::D07, found).at(uri.span)));
        }
        Found::Nothing { exists: false } => (true, format!("{host} does not exist")),
        Found::Nothing { exists: true } => (false, format!("{host} has no MX record")),
    };
    let finding = if is_error {
        Finding::error(&dmarc::D07, found)
    } else {
        Finding::weak(&dmarc::D07, found)
    };
    Ok(Some(finding.at(uri.span).expected("a host that takes mail")))
}

/// The hosts that are looked at: receivers need not send to more than two addresses.
const DESTINATIONS: usize = 10;
