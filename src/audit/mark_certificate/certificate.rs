//! What a certificate says it may be used for.

use x509_parser::oid_registry::asn1_rs::{Oid, oid};
use x509_parser::prelude::{GeneralName, X509Certificate};

/// Whether a certificate is of an authority, with room for as many others below it.
pub(super) fn is_authority(certificate: &X509Certificate<'_>, below: usize) -> bool {
    let basic = certificate.basic_constraints().ok().flatten();
    let is_authority = basic.is_some_and(|basic| {
        let most = basic.value.path_len_constraint;
        basic.value.ca && most.is_none_or(|most| usize::try_from(most).is_ok_and(|m| m >= below))
    });
    let may_sign = match certificate.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    is_authority && may_sign
}

/// Whether a certificate is for marks; `None` when it does not say what it is for.
pub(super) fn is_for_marks(certificate: &X509Certificate<'_>) -> Option<bool> {
    match certificate.extended_key_usage() {
        Ok(None) => None,
        Ok(Some(usage)) => Some(usage.value.other.contains(&FOR_MARKS)),
        Err(_) => Some(false),
    }
}

/// The names that a certificate is for, in lower case; `None` when they cannot be read.
pub(super) fn names(certificate: &X509Certificate<'_>) -> Option<Vec<String>> {
    let names = certificate.subject_alternative_name().ok()?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    Some(names.collect())
}

/// The value of an extension; an error when it stands there more than once.
pub(super) fn extension<'a>(
    certificate: &X509Certificate<'a>,
    id: &Oid<'_>,
) -> Result<Option<&'a [u8]>, ()> {
    let found = certificate.get_extension_unique(id).map_err(|_| ())?;
    Ok(found.map(|found| found.value))
}

/// The identifiers of critical extensions that receivers do not know.
pub(super) fn unknown(certificate: &X509Certificate<'_>) -> Vec<String> {
    let critical = certificate.iter_extensions().filter(|extension| extension.critical);
    let unknown = critical.filter(|extension| !KNOWN.contains(&extension.oid));
    unknown.map(|extension| extension.oid.to_id_string()).take(TOLD).collect()
}

/// id-kp-BrandIndicatorforMessageIdentification.
const FOR_MARKS: Oid<'static> = oid!(1.3.6.1.5.5.7.3.31);
/// id-pe-logotype.
pub(super) const LOGOTYPE: Oid<'static> = oid!(1.3.6.1.5.5.7.1.12);
/// What authorities put into certificates of the pilot.
pub(super) const PILOT: Oid<'static> = oid!(1.3.6.1.4.1.53087.4.1);
pub(super) const NAME_CONSTRAINTS: Oid<'static> = oid!(2.5.29.30);
/// Identifiers that are told in one finding.
const TOLD: usize = 5;
const KNOWN: [Oid<'static>; 9] = [
    LOGOTYPE,
    PILOT,
    NAME_CONSTRAINTS,
    oid!(2.5.29.15),
    oid!(2.5.29.17),
    oid!(2.5.29.19),
    oid!(2.5.29.31),
    oid!(2.5.29.32),
    oid!(2.5.29.37),
];
