//! Content that came packed.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::FetchError;

/// Unpacks gzip (RFC 1952), to at most this many bytes: what would be more is not unpacked.
pub(super) fn unpack(packed: &[u8], most: usize) -> Result<Bytes, FetchError> {
    let mut content = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let unpacked = MultiGzDecoder::new(packed).take(limit).read_to_end(&mut content);
    if content.len() > most {
        return Err(FetchError::TooLarge(most));
    }
    unpacked.map_err(|_| FetchError::Packed)?;
    Ok(content.into())
}

/// The coding's name in headers.
pub(super) const GZIP: &str = "gzip";
