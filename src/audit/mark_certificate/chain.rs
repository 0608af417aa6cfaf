//! A file of certificates, and whether each is signed by the next, up to somebody trusted.

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{PemObject, SectionKind};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::certificate::{is_authority, is_for_marks};
use super::der::values;
use crate::audit::Finding;
use crate::audit::rules::bimi::B17;
use crate::clock::Timestamp;

/// The certificates of a file in PEM, in its order; findings when they cannot be read.
pub(super) fn read(pem: &[u8]) -> Result<Vec<Vec<u8>>, Box<Finding>> {
    let refused = |found: String| {
        let finding = Finding::error(&B17, found);
        Box::new(finding.expected("PEM: the mark certificate, then those of its issuers"))
    };
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        match section {
            Ok((SectionKind::Certificate, der)) => certificates.push(der),
            Ok((
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey,
                _,
            )) => {
                return Err(refused("a private key, for everybody to read".to_owned()));
            }
            Ok(_) => {}
            Err(error) => return Err(refused(format!("a file that is no PEM: {error}"))),
        }
        if certificates.len() > MOST {
            return Err(refused(format!("more than {MOST} certificates")));
        }
    }
    if certificates.is_empty() {
        return Err(refused("a file without a certificate in PEM".to_owned()));
    }
    Ok(certificates)
}

/// Reads one certificate.
pub(super) fn parse(der: &[u8], number: usize) -> Result<X509Certificate<'_>, Box<Finding>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => {
            let found = format!("certificate {number} of the file cannot be read");
            Err(Box::new(Finding::error(&B17, found).expected("DER of X.509, in PEM")))
        }
    }
}

/// What is wrong with the issuers behind a certificate, and whether one of them is trusted.
pub(super) fn judge(
    chain: &[X509Certificate<'_>],
    roots: &[Vec<u8>],
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_whole = true;
    for (at, pair) in chain.windows(2).enumerate() {
        let [child, issuer] = pair else { continue };
        if let Some(found) = broken(child, issuer, at, chain) {
            is_whole = false;
            findings.push(Finding::error(&B17, found).expected(ORDER));
            break;
        }
        if let Some(found) = unfit(issuer, at, now) {
            findings
                .push(Finding::error(&B17, found).expected("an authority for mark certificates"));
        }
    }
    if roots.is_empty() {
        let finding = Finding::note(&B17, "whether the issuer is trusted is not judged");
        findings.push(finding.expected("the operator names roots in audit.mark_roots"));
    } else if is_whole && !is_trusted(chain, roots) {
        let issuer = chain.last().map(|last| last.issuer().to_string()).unwrap_or_default();
        let found = format!("no trusted authority issued it: the chain ends with \"{issuer}\"");
        findings.push(Finding::error(&B17, found).expected(
            "a certificate of an authority for marks, and behind it those up to its root",
        ));
    }
    findings
}

/// Why a certificate is not signed by the next one of the file.
fn broken(
    child: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
    at: usize,
    chain: &[X509Certificate<'_>],
) -> Option<String> {
    let (this, next) = (at + 1, at + 2);
    if child.as_raw() == issuer.as_raw() {
        return Some(format!("certificate {next} is certificate {this} once more"));
    }
    if !is_named(child, issuer) {
        let other = chain.iter().position(|other| is_named(child, other) && other != child);
        return Some(match other {
            Some(other) => {
                format!("certificate {this} is issued by certificate {}, not {next}", other + 1)
            }
            None => format!("certificate {next} is not that of who issued certificate {this}"),
        });
    }
    let is_signed = is_signed(child, issuer.public_key());
    (!is_signed).then(|| format!("the signature of certificate {this} does not verify"))
}

/// Why a certificate may not issue mark certificates. `below` are those between it and the mark.
fn unfit(issuer: &X509Certificate<'_>, below: usize, now: Timestamp) -> Option<String> {
    let number = below + 2;
    if !is_authority(issuer, below) {
        return Some(format!("certificate {number} may not issue certificate {}", below + 1));
    }
    if is_for_marks(issuer) == Some(false) {
        return Some(format!("certificate {number} may not issue mark certificates"));
    }
    let seconds = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
    let validity = issuer.validity();
    let is_valid =
        (validity.not_before.timestamp()..validity.not_after.timestamp()).contains(&seconds);
    (!is_valid).then(|| format!("certificate {number} is not valid at this time"))
}

/// Whether one of the chain is a root, or signed by one.
fn is_trusted(chain: &[X509Certificate<'_>], roots: &[Vec<u8>]) -> bool {
    let roots: Vec<_> = roots
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .map(|(_, root)| root)
        .collect();
    chain.iter().any(|one| {
        roots.iter().any(|root| {
            root.as_raw() == one.as_raw()
                || is_named(one, root) && is_signed(one, root.public_key())
        })
    })
}

fn is_named(child: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    child.issuer().as_raw() == issuer.subject().as_raw()
}

/// Whether a key made a certificate's signature, by an algorithm that is still trusted.
fn is_signed(child: &X509Certificate<'_>, key: &SubjectPublicKeyInfo<'_>) -> bool {
    let Some((signature, owner)) = identifiers(child, key) else { return false };
    let algorithms = default_provider().signature_verification_algorithms.all;
    algorithms.iter().any(|algorithm| {
        algorithm.signature_alg_id().as_ref() == signature
            && algorithm.public_key_alg_id().as_ref() == owner
            && algorithm
                .verify_signature(
                    &key.subject_public_key.data,
                    child.tbs_certificate.as_ref(),
                    &child.signature_value.data,
                )
                .is_ok()
    })
}

/// The identifiers of a signature's algorithm and of a key's, as DER has them.
fn identifiers<'a>(
    child: &X509Certificate<'a>,
    key: &SubjectPublicKeyInfo<'a>,
) -> Option<(&'a [u8], &'a [u8])> {
    let whole = values(child.as_raw())?.first()?.data;
    let signature = values(whole)?.get(1)?.data;
    let key = values(key.raw)?.first()?.data;
    Some((signature, values(key)?.first()?.data))
}

/// Certificates that are read of a file.
const MOST: usize = 10;
const ORDER: &str = "the mark certificate first, then each one's issuer";
