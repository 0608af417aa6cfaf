//! DKIM: the key at the selector, and what went before it.

use super::evidence::Needs;
use super::examine::View;
use super::report::{Section, Topic};
use super::subject::Depth;
use crate::audit::answers::Found;
use crate::audit::dkim::{self, KeyRecord, PublicKey, Signer};
use crate::audit::rules::dkim as rules;
use crate::audit::{Finding, Published, Rule, Severity, Unanswered};
use crate::dns::{Failure, Kind, Name, Question};

/// The key record of the platform's selector, or of the domain's own.
pub(super) fn section(view: &View<'_>, needs: &mut Needs) -> Option<Section> {
    let (selector, record) = expected(view);
    let name = format!("{selector}._domainkey.{}", view.domain());
    let selected = needs.take(dkim::select(&selector, view.domain(), view.answers()));
    let wild = needs.take(wildcard(view));
    let (key, mut findings) = selected?;
    let is_missing = findings.iter().any(Finding::is_error);
    let strayed = if key.is_none() && is_missing && view.is(Depth::Usual) {
        needs.take(stray(view, &selector, &name))?
    } else {
        None
    };
    findings.extend(wild?);
    dangling(view, &name, &mut findings);
    findings.extend(strayed);
    let mut section = Section::new(Topic::Dkim, &name, Kind::Txt);
    section.says = "no key that can be used".to_owned();
    if let Some(published) = &key {
        let signer =
            Signer { key: view.subject.key.as_ref().map(|own| &own.key), names_subdomains: false };
        let (read, told) = dkim::judge(published, signer);
        findings.extend(told);
        findings.extend(owner(view, &read));
        section.found.push(published.text().to_owned());
        section.says = says(&read);
    }
    for finding in &mut findings {
        if finding.is_error() && finding.record.is_none() {
            finding.record = Some(record.clone());
        }
    }
    section.expected = Some(record);
    section.findings = findings;
    Some(section)
}

/// The selector, and the record that is to stand there.
fn expected(view: &View<'_>) -> (String, String) {
    match &view.subject.key {
        Some(own) => (own.selector.clone(), own.record.clone()),
        None => (view.platform.expect.selector.clone(), view.filled(&view.platform.expect.dkim)),
    }
}

fn says(read: &KeyRecord) -> String {
    match (&read.key, read.is_usable) {
        (Some(key), true) => format!("a usable key: {key:?}"),
        (Some(key), false) => format!("a key that verifiers do not use: {key:?}"),
        (None, _) if read.is_revoked => "a revoked key".to_owned(),
        (None, _) => "no key that can be used".to_owned(),
    }
}

/// Whose key it is.
fn owner(view: &View<'_>, read: &KeyRecord) -> Option<Finding> {
    let (key, shared) = (read.key.as_ref()?, view.platform.expect.key()?);
    let former = view.platform.expect.former_keys();
    // With a key of its own the domain is held to it by K13.
    if let Some(own) = &view.subject.key {
        let is_others = *key != own.key && (*key == shared || former.contains(key));
        let told = "the key that the platform's customers share, though the domain has its own";
        return is_others.then(|| {
            Finding::weak(&rules::K14, told).expected("the domain's own, in place of it")
        });
    }
    if *key != shared && former.contains(key) {
        let finding = Finding::error(&rules::K13, "a key that the platform no longer signs with");
        return Some(finding.expected("the key that it signs with now"));
    }
    if *key == shared {
        let finding = Finding::note(&rules::K14, "the key that the platform's customers share");
        return Some(finding.expected("a key of the domain's own, of 2048 bits"));
    }
    if is_damaged(key, &shared) {
        let finding = Finding::error(&rules::K13, "a damaged copy of the platform's key");
        return Some(finding.expected("the platform's key, character by character"));
    }
    let finding = Finding::weak(&rules::K14, "a key that is not the one that customers share");
    Some(finding.expected(
        "the shared key, or one that the platform signs with for this domain and is told of",
    ))
}

/// Whether two keys are so alike that one is a slip of the other.
fn is_damaged(key: &PublicKey, shared: &PublicKey) -> bool {
    let (PublicKey::Rsa { modulus: one, .. }, PublicKey::Rsa { modulus: other, .. }) =
        (key, shared)
    else {
        return false;
    };
    let same = one.iter().zip(other).filter(|(a, b)| a == b).count();
    same * 2 > other.len()
}

/// A selector's name that is an alias of nothing.
fn dangling(view: &View<'_>, name: &str, findings: &mut [Finding]) {
    let Some(target) = view.answers().aliases(name, Kind::Txt).last() else { return };
    let is_missing = |finding: &Finding| finding.rule == &rules::K01 && finding.is_error();
    let Some(missing) = findings.iter_mut().find(|finding| is_missing(finding)) else { return };
    let found = format!("a CNAME to {target}, where no TXT record is");
    *missing = Finding::error(&rules::K02, found).expected("a CNAME to a key, or the key's record");
}

/// Whether a name that nobody set up has an answer.
fn wildcard(view: &View<'_>) -> Result<Option<Finding>, Unanswered> {
    if !view.is(Depth::Usual) {
        return Ok(None);
    }
    let name = format!("{}._domainkey.{}", view.subject.nonce, view.domain());
    let texts = match view.answers().texts(&name)? {
        Found::Some(texts) => texts,
        Found::Nothing { .. } => return Ok(None),
        Found::Failed(why) => {
            let found = format!("whether a wildcard answers for any selector is not known: {why}");
            return Ok(Some(Finding::unknown(&rules::K16, found)));
        }
    };
    let text = texts.first().map(Published::text).unwrap_or_default();
    let found = format!("a wildcard answers for any selector: \"{text}\"");
    Ok(Some(Finding::weak(&rules::K16, found).expected("no wildcard for TXT records")))
}

/// A key that stands where nobody asks for it.
fn stray(view: &View<'_>, selector: &str, name: &str) -> Result<Option<Finding>, Unanswered> {
    let places = places(view, selector, name);
    let names = places.iter().filter_map(|(place, _)| Name::parse(place).ok());
    view.answers().need(names.map(|name| Question { name, kind: Kind::Txt }))?;
    let mut failed = None;
    for (place, may) in &places {
        let texts = match view.answers().texts(place)? {
            Found::Some(texts) => texts,
            Found::Nothing { .. } => continue,
            Found::Failed(why) => {
                let found = format!("whether a key stands at {place} is not known: {why}");
                failed = failed.or_else(|| Some(Finding::unknown(&rules::K15, found)));
                continue;
            }
        };
        let is_key = |text: &&Published| {
            text.text().contains("p=")
                && match may {
                    May::Any => has_key(text.text()),
                    May::Ours => {
                        ours(view).is_some_and(|our| dkim::read(text.text()).key == Some(our))
                    }
                }
        };
        if let Some(text) = texts.iter().find(is_key) {
            let finding = Finding::weak(&rules::K15, format!("a key stands at {place}"));
            return Ok(Some(finding.expected(format!("it at {name}")).publish_at(
                name,
                Kind::Txt,
                text.text(),
            )));
        }
    }
    Ok(failed)
}

/// Which key counts as one that strayed to a place.
#[derive(Clone, Copy)]
enum May {
    /// Any: nobody else's stands there.
    Any,
    /// Ours: others' may stand there by right.
    Ours,
}

/// Where keys are found that panels and typing put elsewhere.
fn places(view: &View<'_>, selector: &str, name: &str) -> Vec<(String, May)> {
    let domain = view.domain();
    let mut places = vec![
        (format!("{name}.{domain}"), May::Any),
        (format!("{selector}.domainkey.{domain}"), May::Any),
        (domain.to_owned(), May::Any),
    ];
    if view.is(Depth::Full) {
        let mut turned: Vec<_> = selector.chars().collect();
        if turned.len() > 1 {
            turned.swap(0, 1);
        }
        let turned: String = turned.into_iter().collect();
        let selectors = [turned, "default".to_owned()];
        places.push((format!("{selector}.{domain}"), May::Any));
        places.push((format!("{selector}._domainkeys.{domain}"), May::Any));
        places.extend(
            selectors
                .into_iter()
                .filter(|other| other != selector)
                .map(|other| (format!("{other}._domainkey.{domain}"), May::Ours)),
        );
    }
    places
}

/// The key that signs for the domain.
fn ours(view: &View<'_>) -> Option<PublicKey> {
    let own = view.subject.key.as_ref().map(|own| own.key.clone());
    own.or_else(|| view.platform.expect.key())
}

fn has_key(text: &str) -> bool {
    let read = dkim::read(text);
    read.key.is_some() && read.is_usable
}

/// The policies of DomainKeys and ADSP, which are historic.
pub(super) fn superseded(view: &View<'_>, needs: &mut Needs) -> Option<Section> {
    let name = format!("_domainkey.{}", view.domain());
    let mut section = Section::new(Topic::DomainKeys, &name, Kind::Txt);
    let keys = needs.take(view.answers().texts(&name));
    let older = format!("_adsp.{name}");
    if view.is(Depth::Usual) {
        match needs.take(view.answers().texts(&older)) {
            Some(Found::Some(texts)) => {
                section.findings.extend(texts.iter().flat_map(|text| dkim::judge_adsp(text.text())))
            }
            Some(Found::Failed(why)) => section.findings.push(left(&rules::K18, &older, why)),
            Some(Found::Nothing { .. }) | None => {}
        }
    }
    match keys? {
        Found::Some(texts) => {
            let texts = texts.iter().map(Published::text);
            let policies = texts.clone().filter(|text| dkim::is_domain_keys(text));
            section.found = policies.map(str::to_owned).collect();
            section.findings.extend(texts.flat_map(dkim::judge_domain_keys));
        }
        Found::Failed(why) => section.findings.push(left(&rules::K17, &name, why)),
        Found::Nothing { .. } => {}
    }
    let worst = section.findings.iter().map(|finding| finding.severity).max();
    section.says = match worst {
        None => "nothing is left of it",
        Some(Severity::Note) => "historic: it says nothing about DKIM and can be removed",
        Some(_) => "not known",
    }
    .to_owned();
    section.findings.iter_mut().for_each(|finding| finding.record = None);
    Some(section)
}

/// Whether something is left at a name, while DNS does not say.
fn left(rule: &'static Rule, name: &str, why: Failure) -> Finding {
    Finding::unknown(rule, format!("the TXT records of {name} are not known: {why}"))
}
