//! The image inside of a certificate (RFC 9399, RFC 2397).

use aws_lc_rs::digest::{self, Algorithm};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use thiserror::Error;
use x509_parser::asn1_rs::Any;

use super::der::{inside, tagged, values};
use crate::audit::svg;

/// The image that a certificate holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logotype {
    pub(super) media_type: String,
    /// As it stands there.
    pub(super) packed: Vec<u8>,
    /// Without gzip.
    pub(super) image: Vec<u8>,
    /// Whether what is told as its hash is that of another one.
    pub(super) is_altered: bool,
}

/// Why no image can be taken out. The fault of whoever issued the certificate.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum LogotypeError {
    #[error("a logotype extension that cannot be read")]
    Malformed,
    #[error("a logotype extension without an image of the subject's")]
    None,
    #[error("{0} images in the logotype extension")]
    Several(usize),
    #[error("an image that is not in the certificate itself")]
    Elsewhere,
    #[error("an image whose base64 cannot be decoded")]
    Base64,
    #[error("an image that cannot be unpacked, or is too large")]
    Packed,
}

/// Takes the subject's image out of the extension's value.
pub(super) fn read(extension: &[u8]) -> Result<Logotype, LogotypeError> {
    let fields = inside(extension).ok_or(LogotypeError::Malformed)?;
    let subject = tagged(&fields, SUBJECT_LOGO).ok_or(LogotypeError::None)?;
    let info = values(subject).ok_or(LogotypeError::Malformed)?;
    let direct = tagged(&info, DIRECT).ok_or(LogotypeError::Elsewhere)?;
    let data = values(direct).ok_or(LogotypeError::Malformed)?;
    let images = data.first().filter(|first| first.header.tag().0 == SEQUENCE);
    let images = images.and_then(|images| values(images.data)).ok_or(LogotypeError::None)?;
    let [image] = images.as_slice() else {
        return Err(LogotypeError::Several(images.len()));
    };
    let details = values(image.data).and_then(|parts| values(parts.first()?.data));
    let details = details.ok_or(LogotypeError::Malformed)?;
    let [media_type, hashes, addresses] = details.as_slice() else {
        return Err(LogotypeError::Malformed);
    };
    let addresses = values(addresses.data).ok_or(LogotypeError::Malformed)?;
    let packed = addresses.iter().find_map(|address| embedded(address.data));
    let packed = packed.ok_or(LogotypeError::Elsewhere)?.ok_or(LogotypeError::Base64)?;
    let image = svg::unpacked(&packed).ok_or(LogotypeError::Packed)?;
    Ok(Logotype {
        media_type: String::from_utf8_lossy(media_type.data).into_owned(),
        is_altered: is_altered(hashes, &packed, &image),
        packed,
        image,
    })
}

/// The bytes of a data URI with base64; none inside when they cannot be decoded.
fn embedded(address: &[u8]) -> Option<Option<Vec<u8>>> {
    let text = std::str::from_utf8(address).ok()?;
    let scheme = text.get(..5)?;
    let (head, data) = text.get(5..)?.split_once(',')?;
    let is_base64 = head.rsplit(';').next().is_some_and(|last| last.eq_ignore_ascii_case("base64"));
    (scheme.eq_ignore_ascii_case("data:") && is_base64)
        .then(|| BASE64_STANDARD.decode(data.trim()).ok())
}

/// Whether a hash is told that is neither of the packed image nor of the unpacked one: texts
/// disagree on which it is.
fn is_altered(hashes: &Any<'_>, packed: &[u8], image: &[u8]) -> bool {
    let told = values(hashes.data).unwrap_or_default();
    told.iter().any(|told| {
        let parts = values(told.data).unwrap_or_default();
        let [algorithm, hash] = parts.as_slice() else { return false };
        let identifier = values(algorithm.data).and_then(|parts| Some(parts.first()?.data));
        let known = HASHES.iter().find(|(name, _)| Some(*name) == identifier);
        known.is_some_and(|(_, algorithm)| {
            let is = |bytes| digest::digest(algorithm, bytes).as_ref() == hash.data;
            !is(packed) && !is(image)
        })
    })
}

const SEQUENCE: u32 = 16;
const SUBJECT_LOGO: u32 = 2;
const DIRECT: u32 = 0;
/// Object identifiers of hashes, as DER has them.
const HASHES: [(&[u8], &Algorithm); 4] = [
    (&[0x2b, 0x0e, 0x03, 0x02, 0x1a], &digest::SHA1_FOR_LEGACY_USE_ONLY),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01], &digest::SHA256),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02], &digest::SHA384),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03], &digest::SHA512),
];
