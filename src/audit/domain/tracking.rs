//! The tracking name: where it leads.

use std::net::IpAddr;

use super::evidence::Needs;
use super::examine::View;
use super::report::{Section, Topic};
use super::subject::Depth;
use crate::audit::answers::Found;
use crate::audit::rules::tracking as rules;
use crate::audit::{Finding, Unanswered, name};
use crate::dns::{Failure, Kind, Name};

/// Where the tracking name leads.
pub(super) fn section(view: &View<'_>, needs: &mut Needs) -> Option<Section> {
    let (tracking, target) = (&view.subject.tracking, &view.platform.target);
    let mut section = Section::new(Topic::Tracking, tracking, Kind::Cname);
    section.expected = Some(target.clone());
    let end = needs.take(follow(view, &mut section.found));
    let wild = view.is(Depth::Usual).then(|| needs.take(sibling(view)));
    let end = end?;
    section.says = end.says(target);
    section.findings.extend(end.finding(target));
    let wild = match wild {
        Some(wild) => wild?,
        None => Beside::Nothing,
    };
    match wild {
        Beside::Same if end == End::Target => {
            let found = format!("a wildcard leads every name beside {tracking} to the platform");
            section.findings.push(
                Finding::error(&rules::T01, found)
                    .expected(format!("a CNAME of {tracking} alone, and no wildcard")),
            );
        }
        Beside::Unknown(why) if end == End::Target => {
            let found = format!("whether a wildcard answers beside {tracking} is not known: {why}");
            section.findings.push(Finding::unknown(&rules::T01, found));
        }
        Beside::Same | Beside::Unknown(_) | Beside::Nothing => {}
    }
    for finding in section.findings.iter_mut().filter(|finding| finding.record.is_none()) {
        let is_customers = finding.is_error() || matches!(end, End::Flattened);
        finding.record = is_customers.then(|| target.clone());
    }
    Some(section)
}

/// Where the CNAMEs end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// At the platform.
    Target,
    /// At a name that is no alias and has the platform's addresses.
    Flattened,
    /// At a name with other addresses.
    Other(String, Vec<IpAddr>),
    /// At a name without an address.
    Empty(String),
    /// At a name that does not exist.
    Missing(String),
    /// Nowhere: what is wrong with the chain.
    Broken(String),
    /// It is not known.
    Unknown(String),
}

impl End {
    fn says(&self, target: &str) -> String {
        match self {
            Self::Target => format!("leads to {target}"),
            Self::Flattened => format!("has the addresses of {target}, without a CNAME"),
            Self::Other(name, _) => format!("leads to {name}, which is not the platform's"),
            Self::Empty(name) => format!("leads to {name}, which has no address"),
            Self::Missing(name) => format!("leads to {name}, which does not exist"),
            Self::Broken(why) => why.clone(),
            Self::Unknown(_) => "not known".to_owned(),
        }
    }

    fn finding(&self, target: &str) -> Option<Finding> {
        let expected = format!("a CNAME to {target}");
        let finding = match self {
            Self::Target => return None,
            Self::Flattened => Finding::weak(
                &rules::T01,
                "no CNAME, but the platform's addresses: flattened or proxied",
            )
            .expected(format!("{expected}, so that its changes are followed")),
            Self::Other(name, addresses) => {
                let told: Vec<_> = addresses.iter().take(SHOWN).map(ToString::to_string).collect();
                let at =
                    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
                Finding::error(&rules::T01, format!("{name}{at} is not the platform's"))
            }
            Self::Empty(name) => Finding::error(&rules::T01, format!("{name} has no address")),
            Self::Missing(name) => Finding::error(&rules::T01, format!("{name} does not exist")),
            Self::Broken(why) => Finding::error(&rules::T02, why.clone()),
            Self::Unknown(why) => return Some(Finding::unknown(&rules::T01, why.clone())),
        };
        Some(if finding.expected.is_empty() { finding.expected(expected) } else { finding })
    }
}

/// Follows the CNAMEs one by one; `found` gets their targets.
fn follow(view: &View<'_>, found: &mut Vec<String>) -> Result<End, Unanswered> {
    let target = name::normal(&view.platform.target);
    let mut names = vec![view.subject.tracking.clone()];
    loop {
        let last = names.last().cloned().unwrap_or_default();
        if last == target {
            return Ok(End::Target);
        }
        let next = match view.answers().alias(&last)? {
            Found::Some([next]) => next.as_str().to_owned(),
            Found::Some(several) => {
                return Ok(End::Broken(format!("{} CNAMEs at {last}", several.len())));
            }
            Found::Nothing { exists: false } => return Ok(End::Missing(last)),
            Found::Nothing { exists: true } => return addressed(view, last, &target),
            Found::Failed(Failure::Endless) => {
                return Ok(End::Broken(format!("the CNAMEs of {last} lead in a circle")));
            }
            Found::Failed(why) => {
                return Ok(End::Unknown(format!("where {last} leads is not known: {why}")));
            }
        };
        found.push(next.clone());
        if names.contains(&next) {
            return Ok(End::Broken(format!("the CNAMEs lead in a circle: back to {next}")));
        }
        names.push(next);
        if names.len() > LONGEST {
            return Ok(End::Broken(format!("more than {} CNAMEs in a row", LONGEST - 1)));
        }
    }
}

/// What a name that is no alias is, by its addresses.
fn addressed(view: &View<'_>, last: String, target: &str) -> Result<End, Unanswered> {
    let (mut own, mut theirs, mut failed, mut missing) = (Vec::new(), Vec::new(), None, Vec::new());
    for kind in [Kind::A, Kind::Aaaa] {
        for (name, into) in [(last.as_str(), &mut own), (target, &mut theirs)] {
            match view.answers().addresses(name, kind) {
                Ok(Found::Some(addresses)) => into.extend_from_slice(addresses),
                Ok(Found::Nothing { .. }) => {}
                Ok(Found::Failed(why)) => failed = Some((name.to_owned(), why)),
                Err(unanswered) => missing.extend(unanswered.0),
            }
        }
    }
    if !missing.is_empty() {
        return Err(Unanswered::new(missing));
    }
    if own.iter().any(|address| !theirs.contains(address)) || own.is_empty() {
        if let Some((name, why)) = failed {
            return Ok(End::Unknown(format!("the addresses of {name} are not known: {why}")));
        }
        return Ok(if own.is_empty() { End::Empty(last) } else { End::Other(last, own) });
    }
    Ok(End::Flattened)
}

/// What a name beside the tracking name comes to, which nobody set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    /// It leads where the tracking name does.
    Same,
    /// It does not.
    Nothing,
    /// It is not known.
    Unknown(Failure),
}

fn sibling(view: &View<'_>) -> Result<Beside, Unanswered> {
    let Some((_, parent)) = view.subject.tracking.split_once('.') else {
        return Ok(Beside::Nothing);
    };
    let sibling = format!("{}.{parent}", view.subject.nonce);
    let answers = view.answers();
    let (own, theirs) = (answers.alias(&view.subject.tracking), answers.alias(&sibling));
    Ok(match (own?, theirs?) {
        (Found::Some([own]), Found::Some([theirs])) if Name::eq(own, theirs) => Beside::Same,
        (_, Found::Failed(why)) => Beside::Unknown(why),
        _ => Beside::Nothing,
    })
}

/// The names of the longest chain that resolvers follow.
const LONGEST: usize = 9;
/// The addresses of a stranger that are shown.
const SHOWN: usize = 4;
