//! Who may certify the tracking name: the CAA records that an authority would find.

use super::evidence::Needs;
use super::examine::View;
use super::report::{Section, Topic};
use crate::audit::answers::Found;
use crate::audit::rules::tracking as rules;
use crate::audit::{Finding, Unanswered, Who, caa, name};
use crate::dns::{Caa, CaaSet, Failure, Issuer, Kind, Name};

/// What CAA says of the tracking name.
pub(super) fn section(view: &View<'_>, needs: &mut Needs) -> Option<Section> {
    let climb = needs.take(climb(view))?;
    let tracking = &view.subject.tracking;
    let mut section = Section::new(Topic::Caa, tracking, Kind::Caa);
    match climb {
        Climb::Nothing => {
            section.says = "no CAA record: every authority may certify".to_owned();
        }
        Climb::Failed(at, why) => {
            section.says = "not known".to_owned();
            let found =
                format!("CAA of {at} is not known: {why}; authorities refuse while it is so");
            section.findings.push(Finding::unknown(&rules::T04, found));
        }
        Climb::Set(set) => judge(view, &set, &mut section),
    }
    Some(section)
}

/// What the climb came to.
enum Climb {
    Nothing,
    Set(CaaSet),
    Failed(Name, Failure),
}

/// Climbs from the tracking name towards the root, as an authority does: each question follows
/// CNAMEs, and the first name with records ends it (RFC 8659 §3).
fn climb(view: &View<'_>) -> Result<Climb, Unanswered> {
    let mut names = Vec::new();
    let mut next = Name::parse(&view.subject.tracking).ok();
    while let Some(at) = next.filter(|at| !at.is_root()) {
        next = at.parent();
        names.push(at);
    }
    let answers = view.answers();
    answers.need(names.iter().map(|name| crate::dns::Question::new(name, Kind::Caa)))?;
    for at in names {
        match answers.properties(at.as_str())? {
            Found::Some(properties) => {
                let aliases = answers.aliases(at.as_str(), Kind::Caa).to_vec();
                return Ok(Climb::Set(CaaSet { at, aliases, properties: properties.to_vec() }));
            }
            Found::Failed(why) => return Ok(Climb::Failed(at, why)),
            Found::Nothing { .. } => {}
        }
    }
    Ok(Climb::Nothing)
}

fn judge(view: &View<'_>, set: &CaaSet, section: &mut Section) {
    let holder = set.holder();
    section.name = holder.to_string();
    section.found = set.properties.iter().map(ToString::to_string).collect();
    let target = name::normal(&view.platform.target);
    // What stands at the platform's name is the platform's to mend.
    let who = if holder.as_str() == target { Who::Platform } else { Who::Customer };
    for property in &set.properties {
        let text = caa::written(property.flags, &property.tag, &property.value);
        let told = caa::judge(&text).1.into_iter();
        section.findings.extend(told.map(|finding| Finding { at: None, ..finding }.by(who)));
    }
    section.findings.extend(account(view, set));
    let authorities = &view.platform.authorities;
    let account = &view.platform.expect.acme_account;
    let account = (!account.is_empty()).then_some(account.as_str());
    let mut refusals = Vec::new();
    let issuer = |domain| Issuer { domain, account, method: METHOD };
    for domain in authorities {
        match set.permits(&issuer(domain)) {
            Ok(()) => {
                section.says = format!("{domain} may certify, by the records of {holder}");
                return;
            }
            Err(refusal) => refusals.push(refusal),
        }
    }
    section.says = format!("no authority of the platform may certify, by the records of {holder}");
    let Some(refusal) = refusals.into_iter().next() else { return };
    let rule = if is_of_form(&set.properties, authorities) { &rules::T05 } else { &rules::T03 };
    let finding = Finding::error(rule, refusal.to_string()).by(who);
    let Some(authority) = authorities.first() else { return };
    section.findings.push(match set.admission(&issuer(authority)) {
        Some(admission) => finding
            .expected(format!("{admission} among the records of {holder}"))
            .publish_at(holder.as_str(), Kind::Caa, admission.to_string()),
        None => finding.expected(format!("no such record at {holder}: no other can undo it")),
    });
}

/// Whether our authority is named, or none may certify at all: then it is not the others' records
/// that are in the way.
fn is_of_form(properties: &[Caa], authorities: &[String]) -> bool {
    properties.iter().any(|property| {
        let value = String::from_utf8_lossy(&property.value).to_ascii_lowercase();
        let domain = value.split(';').next().unwrap_or_default().trim().trim_end_matches('.');
        let is_critical = property.flags & 0x81 != 0;
        is_critical || authorities.iter().any(|own| own.eq_ignore_ascii_case(domain))
    })
}

/// A record that names an account, while ours is not known.
fn account(view: &View<'_>, set: &CaaSet) -> Option<Finding> {
    if !view.platform.expect.acme_account.is_empty() {
        return None;
    }
    let names_account = |property: &&Caa| {
        String::from_utf8_lossy(&property.value).to_ascii_lowercase().contains("accounturi")
    };
    let property = set.properties.iter().find(names_account)?;
    let found = format!("CAA {property} names an account; ours is not configured");
    Some(Finding::note(&rules::T05, found).expected("the account of the platform, if it has one"))
}

/// How the platform proves that it holds a name.
const METHOD: &str = "http-01";
