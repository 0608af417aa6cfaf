//! Which of a name's TXT records is its SPF record (RFC 7208 §4.5).

use crate::audit::answers::Found;
use crate::audit::rules::spf;
use crate::audit::{Answers, Finding, Published, Unanswered, sender_id};

/// Whether a text is an SPF record: its version in any case, then a space or nothing.
pub fn is_record(text: &str) -> bool {
    let (version, rest) = text.as_bytes().split_at(text.len().min(VERSION.len()));
    version.eq_ignore_ascii_case(VERSION.as_bytes()) && matches!(rest.first(), None | Some(b' '))
}

/// What the TXT records of a name hold of SPF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The texts that are SPF records; exactly one is in force.
    pub records: Vec<String>,
    /// What is wrong with the set as a whole.
    pub findings: Vec<Finding>,
}

impl Selection {
    /// The record in force.
    pub fn record(&self) -> Option<&str> {
        match self.records.as_slice() {
            [record] => Some(record),
            _ => None,
        }
    }
}

/// Selects among all TXT records of a domain, or says what has to be asked first.
pub fn select(domain: &str, answers: &Answers) -> Result<Selection, Unanswered> {
    Ok(match answers.texts(domain)? {
        Found::Some(texts) => among(texts),
        Found::Nothing { .. } => among(&[]),
        Found::Failed(why) => {
            let found = format!("the TXT records of {domain} are not known: {why}");
            let findings = vec![Finding::unknown(&spf::S01, found)];
            Selection { records: Vec::new(), findings }
        }
    })
}

fn among(texts: &[Published]) -> Selection {
    let is_ours = |text: &&Published| is_record(text.text());
    let records: Vec<_> = texts.iter().filter(is_ours).map(|text| text.text().to_owned()).collect();
    let mut findings = Vec::new();
    match records.len() {
        0 => findings
            .push(Finding::error(&spf::S01, "no SPF record").expected("one TXT record v=spf1 …")),
        1 => {}
        count => findings.push(
            Finding::error(&spf::S01, format!("{count} SPF records"))
                .expected("one record that holds the terms of all"),
        ),
    }
    let mut has_sender_id = false;
    for text in texts.iter().filter(|text| !is_record(text.text())) {
        if sender_id::is_record(text.text()) {
            has_sender_id = true;
            findings.extend(sender_id::judge(text.text()));
        } else {
            findings.extend(super::judge::impostor(text.text()));
        }
    }
    // Places would be those of other texts than the record's.
    findings.iter_mut().for_each(|finding| finding.at = None);
    if has_sender_id && records.is_empty() {
        findings.push(
            Finding::error(&spf::I02, "a Sender ID record and no SPF record")
                .expected("one TXT record v=spf1 …"),
        );
    }
    let octets: usize = texts.iter().map(|text| text.octets() + RECORD_HEADER).sum();
    if octets + ANSWER_HEADER > UDP_ANSWER {
        let found = format!("{} TXT records of about {octets} bytes together", texts.len());
        findings.push(
            Finding::weak(&spf::S21, found)
                .expected(format!("an answer of at most {UDP_ANSWER} bytes")),
        );
    }
    Selection { records, findings }
}

/// The version that a record begins with.
pub(super) const VERSION: &str = "v=spf1";

/// Name pointer, type, class, time to live and length of one record (RFC 1035 §4.1.3).
const RECORD_HEADER: usize = 12;
/// Header, question and EDNS record of an answer, with a name of middling length.
const ANSWER_HEADER: usize = 60;
/// What an answer may take over UDP before it is cut (the DNS flag day of 2020).
const UDP_ANSWER: usize = 1_232;
