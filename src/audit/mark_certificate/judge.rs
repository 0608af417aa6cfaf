//! A mark certificate, judged for a domain and its image.

use std::time::Duration;

use x509_parser::prelude::X509Certificate;
use x509_parser::time::ASN1Time;

use super::certificate::{
    LOGOTYPE, NAME_CONSTRAINTS, PILOT, extension, is_for_marks, names, unknown,
};
use super::logotype::Logotype;
use super::{chain, logotype, subject};
use crate::audit::rules::bimi::B17;
use crate::audit::{Finding, svg};
use crate::clock::Timestamp;

/// What a certificate is to be good for.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The selector of the record that names it.
    pub selector: &'a str,
    /// The author domain.
    pub domain: &'a str,
    /// Its organizational domain.
    pub organization: &'a str,
    /// The image that the record names, as it was fetched; none when it was not.
    pub image: Option<&'a [u8]>,
    /// The authorities that are trusted, in DER; none when trust is not judged.
    pub roots: &'a [Vec<u8>],
    /// When.
    pub now: Timestamp,
}

/// Judges a file of certificates. Bounded by the size of the file, whatever it holds.
pub fn judge(pem: &[u8], case: &Case<'_>) -> Vec<Finding> {
    let certificates = match chain::read(pem) {
        Ok(certificates) => certificates,
        Err(finding) => return vec![*finding],
    };
    let mut parsed = Vec::new();
    for (at, der) in certificates.iter().enumerate() {
        match chain::parse(der, at + 1) {
            Ok(certificate) => parsed.push(certificate),
            Err(finding) => return vec![*finding],
        }
    }
    let Some(leaf) = parsed.first() else { return Vec::new() };
    if leaf.is_ca() {
        let finding = Finding::error(&B17, "the first certificate is that of an authority");
        return vec![finding.expected("the mark certificate first, then each one's issuer")];
    }
    let mut findings = chain::judge(&parsed, case.roots, case.now);
    validity(leaf, case.now, &mut findings);
    purpose(leaf, case, &mut findings);
    extensions(leaf, &mut findings);
    findings.extend(subject::judge(leaf.subject(), time(leaf.validity().not_before)));
    picture(leaf, case, &mut findings);
    findings
}

fn validity(leaf: &X509Certificate<'_>, now: Timestamp, findings: &mut Vec<Finding>) {
    let (from, to) = (time(leaf.validity().not_before), time(leaf.validity().not_after));
    let expected = "a certificate that is valid today";
    if now < from {
        let finding = Finding::error(&B17, format!("it is not valid before {}", day(from)));
        findings.push(finding.expected(expected));
    } else if now >= to {
        let finding = Finding::error(&B17, format!("it expired on {}", day(to)));
        findings.push(finding.expected(expected));
    } else if now.until(to) < SOON {
        let finding = Finding::weak(&B17, format!("it expires on {}", day(to)));
        findings.push(finding.expected("a new one in its place before that day"));
    }
}

/// Whether it is for marks, and for this domain.
fn purpose(leaf: &X509Certificate<'_>, case: &Case<'_>, findings: &mut Vec<Finding>) {
    if is_for_marks(leaf) != Some(true) {
        let finding = Finding::error(&B17, "a certificate that is not for marks");
        findings.push(finding.expected("the extended key usage 1.3.6.1.5.5.7.3.31"));
    }
    let Case { selector, domain, organization, .. } = case;
    let wanted = [
        (*domain).to_owned(),
        (*organization).to_owned(),
        format!("{selector}._bimi.{domain}"),
        format!("{selector}._bimi.{organization}"),
    ];
    let Some(names) = names(leaf) else {
        let finding = Finding::error(&B17, "names that cannot be read");
        findings.push(finding.expected(*domain));
        return;
    };
    if names.iter().any(|name| wanted.contains(name)) {
        return;
    }
    let mut told: Vec<_> = names.iter().take(TOLD).map(String::as_str).collect();
    let more = format!("{} more", names.len().saturating_sub(TOLD));
    if names.len() > TOLD {
        told.push(&more);
    }
    let found = match told.as_slice() {
        [] => "a certificate without a name".to_owned(),
        told => format!("a certificate for {}", told.join(", ")),
    };
    let expected = if domain == organization {
        (*domain).to_owned()
    } else {
        format!("{domain} or {organization}")
    };
    findings.push(Finding::error(&B17, found).expected(expected));
}

fn extensions(leaf: &X509Certificate<'_>, findings: &mut Vec<Finding>) {
    let issued = time(leaf.validity().not_before);
    if issued >= PILOT_ENDED && extension(leaf, &PILOT) != Ok(None) {
        let found = "the identifier of the pilot, which had ended when it was issued";
        findings.push(Finding::error(&B17, found).expected("none since 2025-03-15"));
    }
    if extension(leaf, &NAME_CONSTRAINTS) != Ok(None) {
        let finding = Finding::error(&B17, "name constraints, which only authorities have");
        findings.push(finding.expected("none"));
    }
    let unknown = unknown(leaf);
    if !unknown.is_empty() {
        let found =
            format!("a critical extension that receivers do not know: {}", unknown.join(", "));
        findings.push(Finding::error(&B17, found).expected("none, for they refuse it"));
    }
}

/// The image in the certificate, beside the one that the record names.
fn picture(leaf: &X509Certificate<'_>, case: &Case<'_>, findings: &mut Vec<Finding>) {
    let expected = "the image as a data URI: image/svg+xml, gzip, base64";
    let logotype = match extension(leaf, &LOGOTYPE) {
        Ok(Some(value)) => logotype::read(value),
        Ok(None) => {
            let finding = Finding::error(&B17, "a certificate without an image");
            return findings.push(finding.expected(expected));
        }
        Err(()) => Err(logotype::LogotypeError::Malformed),
    };
    let logotype = match logotype {
        Ok(logotype) => logotype,
        Err(error) => {
            return findings.push(Finding::error(&B17, error.to_string()).expected(expected));
        }
    };
    if logotype.is_altered {
        let finding = Finding::error(&B17, "an image in it whose hash is that of another");
        findings.push(finding.expected("the hash of the image that stands there"));
    }
    if !MEDIA_TYPES.iter().any(|known| logotype.media_type.eq_ignore_ascii_case(known)) {
        let found = format!("an image in it of the type \"{}\"", logotype.media_type);
        findings.push(Finding::error(&B17, found).expected("image/svg+xml"));
    }
    compare(&logotype, case, findings);
}

fn compare(logotype: &Logotype, case: &Case<'_>, findings: &mut Vec<Finding>) {
    let fetched = case.image.map(svg::unpacked);
    if fetched.as_ref().is_some_and(|image| image.as_ref() == Some(&logotype.image)) {
        return;
    }
    if fetched.is_some() {
        let finding = Finding::error(&B17, "the image at l= is not the one in the certificate");
        findings.push(finding.expected("the same bytes, packed or not"));
    }
    // The one at l= is judged by itself.
    let (_, told) = svg::judge(svg::Image::read(&logotype.packed));
    let mut errors = told.iter().filter(|finding| finding.is_error());
    if let Some(first) = errors.next() {
        let found = format!(
            "the image in it has {} errors, as {}: {}",
            1 + errors.count(),
            first.rule.id,
            first.found
        );
        findings.push(Finding::error(&B17, found).expected("an image of SVG Tiny PS"));
    }
}

fn time(time: ASN1Time) -> Timestamp {
    Timestamp::from_seconds(u64::try_from(time.timestamp()).unwrap_or_default())
}

fn day(time: Timestamp) -> String {
    time.to_string().chars().take("2026-11-23".len()).collect()
}

/// A new certificate takes weeks to get.
const SOON: Duration = Duration::from_secs(30 * 86_400);
/// When the pilot ended: 2025-03-15.
const PILOT_ENDED: Timestamp = Timestamp::from_seconds(1_741_996_800);
/// Names that are told.
const TOLD: usize = 5;
const MEDIA_TYPES: [&str; 2] = ["image/svg+xml", "image/svg+xml+gzip"];
