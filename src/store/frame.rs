//! Records as bytes.
//!
//! ```text
//! offset size
//!      0    1  format, 1
//!      1    1  flags: 1 the content is sealed, 2 due in the patient lane, 4 in the idle one
//!      2    1  state
//!      3    5  zero
//!      8    8  version
//!     16    8  due, µs since 1970; 0 for never
//!     24    N  content
//!   24+N    4  CRC32C of kind, name and bytes 0..24+N
//! ```
//!
//! All integers are little-endian. The checksum holds kind and name, so a record under another
//! key is damage too.

use zeroize::Zeroizing;

use super::seal::SealKey;
use super::{Content, Due, Kind, Lane, Pending, Stored};
use crate::clock::Timestamp;

/// What stands before the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) version: u64,
    pub(super) state: u8,
    pub(super) due: Option<Due>,
}

/// The bytes of a record; `None` when it cannot be sealed.
pub(super) fn encode(
    kind: Kind,
    name: &str,
    version: u64,
    content: &Content,
    key: &SealKey,
) -> Option<Vec<u8>> {
    let sealed;
    let body: &[u8] = if kind.is_secret() {
        sealed = key.seal(&purpose(kind, name), &content.bytes).ok()?;
        &sealed
    } else {
        &content.bytes
    };
    let head = Head { version, state: content.state, due: content.due };
    Some(framed(kind, name, head, kind.is_secret(), body))
}

/// The same record with another head: what a claim writes.
pub(super) fn with_head(kind: Kind, name: &str, head: Head, frame: &[u8]) -> Vec<u8> {
    let body = frame.get(HEAD..frame.len() - SUM).unwrap_or_default();
    framed(kind, name, head, is_sealed(frame), body)
}

/// A frame around a body that is sealed already, or need not be.
pub(super) fn framed(kind: Kind, name: &str, head: Head, is_sealed: bool, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEAD + body.len() + SUM);
    let sealed = if is_sealed { SEALED } else { 0 };
    let lane = match head.due.map_or(Lane::Prompt, |due| due.lane) {
        Lane::Prompt => 0,
        Lane::Patient => PATIENT,
        Lane::Idle => IDLE,
    };
    frame.extend_from_slice(&[FORMAT, sealed | lane, head.state]);
    frame.extend_from_slice(&[0; 5]);
    frame.extend_from_slice(&head.version.to_le_bytes());
    frame.extend_from_slice(&head.due.map_or(0, |due| due.at.micros()).to_le_bytes());
    frame.extend_from_slice(body);
    let sum = sum(kind, name, &frame);
    frame.extend_from_slice(&sum.to_le_bytes());
    frame
}

/// The head of a valid frame.
pub(super) fn head(kind: Kind, name: &str, frame: &[u8]) -> Option<Head> {
    let (content, stored) = frame.split_last_chunk::<SUM>()?;
    let is_whole = content.len() >= HEAD && u32::from_le_bytes(*stored) == sum(kind, name, content);
    is_whole.then(|| guessed(frame)).flatten().filter(|_| content[0] == FORMAT)
}

/// The head as it stands there, whether or not the frame is valid.
pub(super) fn guessed(frame: &[u8]) -> Option<Head> {
    let number = |at: usize| Some(u64::from_le_bytes(*frame.get(at..)?.first_chunk::<8>()?));
    let due = match number(16)? {
        0 => None,
        micros => {
            let lane = match frame.get(1)? & (PATIENT | IDLE) {
                0 => Lane::Prompt,
                PATIENT => Lane::Patient,
                _ => Lane::Idle,
            };
            Some(Due { at: Timestamp::from_micros(micros), lane })
        }
    };
    Some(Head { version: number(8)?, state: *frame.get(2)?, due })
}

/// The record in a frame; `None` when it is damaged.
pub(super) fn decode(kind: Kind, name: &str, frame: &[u8], key: &SealKey) -> Option<Stored> {
    let Head { version, state, due } = head(kind, name, frame)?;
    let body = &frame[HEAD..frame.len() - SUM];
    let bytes = if is_sealed(frame) {
        key.open(&purpose(kind, name), body)?
    } else {
        Zeroizing::new(body.to_vec())
    };
    Some(Stored { name: name.to_owned(), version, content: Content { bytes, state, due } })
}

/// The body of a valid frame as it is on disk, and whether it is sealed.
pub(super) fn body<'a>(kind: Kind, name: &str, frame: &'a [u8]) -> Option<(&'a [u8], bool)> {
    head(kind, name, frame)?;
    Some((&frame[HEAD..frame.len() - SUM], is_sealed(frame)))
}

/// What a record is sealed for: a sealed key that is moved to another name opens nothing.
pub(super) fn purpose(kind: Kind, name: &str) -> String {
    format!("store/{}/{name}", kind.name())
}

/// The bytes of a pending event: stream, time, length of the key, key, body, CRC32C of all and
/// the id.
pub(super) fn encode_pending(event: &Pending) -> Vec<u8> {
    let mut frame = vec![event.stream];
    frame.extend_from_slice(&event.time.micros().to_le_bytes());
    frame.extend_from_slice(&(event.key.len() as u32).to_le_bytes());
    frame.extend_from_slice(&event.key);
    frame.extend_from_slice(&event.body);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&event.id), &frame);
    frame.extend_from_slice(&sum.to_le_bytes());
    frame
}

/// The pending event in a frame; `None` when it is damaged.
pub(super) fn decode_pending(id: [u8; 16], frame: &[u8]) -> Option<Pending> {
    let (content, sum) = frame.split_last_chunk::<SUM>()?;
    if crc32c::crc32c_append(crc32c::crc32c(&id), content) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (stream, rest) = content.split_first()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (key, body) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let time = Timestamp::from_micros(u64::from_le_bytes(*time));
    Some(Pending { id, stream: *stream, time, key: key.to_vec(), body: body.to_vec() })
}

fn is_sealed(frame: &[u8]) -> bool {
    frame.get(1).is_some_and(|flags| flags & SEALED != 0)
}

fn sum(kind: Kind, name: &str, bytes: &[u8]) -> u32 {
    let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind as u8]), name.as_bytes());
    crc32c::crc32c_append(sum, bytes)
}

const FORMAT: u8 = 1;
const SEALED: u8 = 1;
const PATIENT: u8 = 2;
const IDLE: u8 = 4;
const HEAD: usize = 24;
const SUM: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SystemDisk;

    fn key() -> SealKey {
        let folder = tempfile::tempdir().unwrap();
        SealKey::load_or_make(&SystemDisk, &folder.path().join("key")).unwrap()
    }

    fn content() -> Content {
        let due = Some(Due { at: Timestamp::from_seconds(9), lane: Lane::Patient });
        Content { bytes: Zeroizing::new(b"private".to_vec()), state: 3, due }
    }

    #[test]
    fn what_was_put_is_read_back_and_secrets_are_sealed() {
        let key = key();
        for kind in Kind::ALL {
            let frame = encode(kind, "a.example", 7, &content(), &key).unwrap();
            let stored = decode(kind, "a.example", &frame, &key).unwrap();
            assert_eq!((stored.version, &stored.content), (7, &content()));
            let is_plain = frame.windows(7).any(|window| window == b"private");
            assert_eq!(is_plain, !kind.is_secret(), "{kind:?}");
            let later = Head { version: 8, state: 3, due: None };
            let claimed = with_head(kind, "a.example", later, &frame);
            let stored = decode(kind, "a.example", &claimed, &key).unwrap();
            assert_eq!((stored.version, stored.content.due), (8, None));
            assert_eq!(&**stored.content.bytes, b"private");
        }
    }

    #[test]
    fn every_flipped_bit_every_cut_and_every_other_name_is_damage() {
        let key = key();
        let frame = encode(Kind::Domain, "a.example", 7, &content(), &key).unwrap();
        for bit in 0..8 * frame.len() {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(Kind::Domain, "a.example", &flipped, &key), None, "bit {bit}");
        }
        for length in 0..frame.len() {
            assert_eq!(decode(Kind::Domain, "a.example", &frame[..length], &key), None);
        }
        assert_eq!(decode(Kind::Domain, "b.example", &frame, &key), None);
        assert_eq!(decode(Kind::Audit, "a.example", &frame, &key), None);
    }

    #[test]
    fn an_event_is_read_back_and_its_damage_is_seen() {
        let time = Timestamp::from_seconds(5);
        let (key, body) = (b"a.example".to_vec(), b"{}".to_vec());
        let event = Pending { id: [7; 16], stream: 2, time, key, body };
        let frame = encode_pending(&event);
        assert_eq!(decode_pending([7; 16], &frame), Some(event));
        assert_eq!(decode_pending([8; 16], &frame), None);
        for at in 0..frame.len() {
            let mut flipped = frame.clone();
            flipped[at] ^= 4;
            assert_eq!(decode_pending([7; 16], &flipped), None, "byte {at}");
        }
    }
}
