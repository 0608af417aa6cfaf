//! The tree walk (RFC 9989 §4.10), at most eight questions for a name of any length.

use super::policy::PublicSuffix;
use super::record::{self, PolicyRecord};
use crate::audit::answers::Found;
use crate::audit::{Answers, Unanswered, name};
use crate::dns::{Failure, Kind, Name, Question};

/// The names whose `_dmarc` is asked, the domain itself first.
pub(super) fn names(domain: &str) -> Vec<String> {
    let domain = name::normal(domain);
    let labels: Vec<&str> = domain.split('.').collect();
    let longest = (labels.len() - 1).min(PARENT_LABELS);
    let parents = (1..=longest).rev().map(|count| labels[labels.len() - count..].join("."));
    std::iter::once(domain.clone()).chain(parents).collect()
}

/// What stands at the `_dmarc` of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Record(PolicyRecord),
    Nothing,
    /// Several records, which are all discarded.
    Several(usize),
    Failed(Failure),
}

impl Stand {
    pub(super) fn record(&self) -> Option<&PolicyRecord> {
        match self {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }
}

/// Walks from a domain upwards, up to a record that tells about public suffixes.
pub(super) fn stands(domain: &str, answers: &Answers) -> Result<Vec<(String, Stand)>, Unanswered> {
    let names = names(domain);
    answers.need(names.iter().filter_map(|name| question(name)))?;
    let mut stands = Vec::new();
    for name in names {
        let stand = stand(&name, answers)?;
        let ends = stand.record().is_some_and(|record| record.suffix != PublicSuffix::Unknown);
        stands.push((name, stand));
        if ends {
            break;
        }
    }
    Ok(stands)
}

/// The organizational domain of a domain (RFC 9989 §4.10.2); `None` while DNS fails where the
/// answer could change it.
pub fn organization(domain: &str, answers: &Answers) -> Result<Option<String>, Unanswered> {
    let stands = stands(domain, answers)?;
    let failed = stands.iter().any(|(_, stand)| matches!(stand, Stand::Failed(_)));
    Ok((!failed).then(|| select(&name::normal(domain), &stands)))
}

/// The organizational domain by what was found on the walk from `start`.
pub(super) fn select(start: &str, stands: &[(String, Stand)]) -> String {
    for (name, stand) in stands {
        match stand.record().map(|record| record.suffix) {
            Some(PublicSuffix::No) => return name.clone(),
            Some(PublicSuffix::Yes) if name != start => return below(start, name),
            _ => {}
        }
    }
    let fewest = stands.iter().rev().find(|(_, stand)| stand.record().is_some());
    fewest.map_or_else(|| start.to_owned(), |(name, _)| name.clone())
}

/// The name one label below `parent` on the way to `start`.
fn below(start: &str, parent: &str) -> String {
    let count = parent.split('.').count() + 1;
    let labels: Vec<&str> = start.split('.').collect();
    labels[labels.len().saturating_sub(count)..].join(".")
}

fn stand(name: &str, answers: &Answers) -> Result<Stand, Unanswered> {
    Ok(match answers.texts(&place(name))? {
        Found::Failed(why) => Stand::Failed(why),
        Found::Nothing { .. } => Stand::Nothing,
        Found::Some(texts) => {
            let mut records = texts.iter().filter_map(|text| record::read(text.text()));
            match (records.next(), records.count()) {
                (None, _) => Stand::Nothing,
                (Some(record), 0) => Stand::Record(record),
                (Some(_), more) => Stand::Several(1 + more),
            }
        }
    })
}

/// Where the record of a name stands.
pub(super) fn place(name: &str) -> String {
    format!("_dmarc.{name}")
}

/// The question for the record of a name, when it can be asked.
pub(super) fn question(name: &str) -> Option<Question> {
    let name = Name::parse(&place(name)).ok()?;
    Some(Question { name, kind: Kind::Txt })
}

/// The labels of the longest parent that is asked.
const PARENT_LABELS: usize = 7;
