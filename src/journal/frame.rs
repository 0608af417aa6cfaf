//! One frame as bytes: the layout is in the [journal's opening page](super).

use crate::clock::Timestamp;

/// What is appended: opaque to the journal but for what sorting it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Which of the streams it belongs to.
    pub stream: Stream,
    /// The wall time of what it tells.
    pub time: Timestamp,
    /// Its id, unique for ever.
    pub id: [u8; 16],
    /// What its order is kept by, further on; may be empty.
    pub key: &'a [u8],
    /// The bytes to keep.
    pub body: &'a [u8],
}

/// The streams a journal carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stream {
    /// Clicks, opens and probes.
    Events = 1,
    /// Transitions of domains.
    Domains = 2,
    /// Results of audits.
    Audits = 3,
}

impl Stream {
    /// The stream that a frame's byte names.
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Events, Self::Domains, Self::Audits].into_iter().find(|s| *s as u8 == byte)
    }
}

/// A frame that was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Its sequence in its directory.
    pub sequence: u64,
    /// How many frames just before it were not durable when it was written.
    pub behind: u32,
    /// What was appended.
    pub frame: Frame<'a>,
}

/// What a segment holds under one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbered<'a> {
    pub(super) sequence: u64,
    /// How many sequences just before it were not durable when it was written.
    pub(super) behind: u32,
    /// What was appended; none for a void.
    pub(super) frame: Option<Frame<'a>>,
}

impl Numbered<'_> {
    /// Every sequence before this one was durable when this was written.
    pub(super) fn proven(&self) -> u64 {
        self.sequence.saturating_sub(u64::from(self.behind))
    }

    /// A checksum over what was appended, the same wherever it is repeated; none for a void,
    /// which says nothing that could differ.
    pub(super) fn digest(&self) -> Option<u32> {
        let frame = self.frame?;
        let mut sum = crc32c::crc32c(&frame.id);
        sum = crc32c::crc32c_append(sum, &frame.time.micros().to_le_bytes());
        sum = crc32c::crc32c_append(sum, &[frame.stream as u8]);
        sum = crc32c::crc32c_append(sum, &(frame.key.len() as u16).to_le_bytes());
        sum = crc32c::crc32c_append(sum, frame.key);
        Some(crc32c::crc32c_append(sum, frame.body))
    }
}

/// What stands at a place in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A valid frame or void, and its length with padding.
    Frame(Numbered<'a>, usize),
    /// Perhaps a frame, of this length with padding: more bytes are needed to tell.
    Partial(usize),
    /// No frame.
    Nothing,
}

/// Appends an unstamped frame to `out`: everything but `behind` and the checksum.
pub(super) fn encode(frame: &Frame<'_>, sequence: u64, out: &mut Vec<u8>) {
    debug_assert!(frame.key.len() <= KEY_LIMIT && frame.body.len() <= BODY_LIMIT);
    let mut head = [0; HEAD];
    head[0..4].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&(frame.body.len() as u32).to_le_bytes());
    head[12..14].copy_from_slice(&(frame.key.len() as u16).to_le_bytes());
    head[14] = frame.stream as u8;
    head[16..24].copy_from_slice(&sequence.to_le_bytes());
    head[24..32].copy_from_slice(&frame.time.micros().to_le_bytes());
    head[32..48].copy_from_slice(&frame.id);
    out.extend_from_slice(&head);
    out.extend_from_slice(frame.key);
    out.extend_from_slice(frame.body);
    out.resize(out.len().next_multiple_of(ALIGN), 0);
}

/// Appends an unstamped void to `out`: the sequence of a frame that a crash left unfinished.
pub(super) fn encode_void(sequence: u64, out: &mut Vec<u8>) {
    let mut head = [0; HEAD];
    head[0..4].copy_from_slice(&MAGIC);
    head[14] = VOID;
    head[16..24].copy_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&head);
}

/// Writes `behind` and the checksum into the whole frames of `bytes`, for the segment that `seed`
/// belongs to. `durable` is the first sequence that is not durable yet.
pub(super) fn stamp(bytes: &mut [u8], seed: u32, durable: u64) {
    let mut rest = bytes;
    while let Some(length) = padded_length(rest) {
        let (frame, after) = rest.split_at_mut(length);
        let behind = sequence(frame).saturating_sub(durable);
        // Bounded by the queue's bytes over the size of a head, far below the limit.
        frame[48..52].copy_from_slice(&u32::try_from(behind).unwrap_or(u32::MAX).to_le_bytes());
        let end = HEAD + key_length(frame) + body_length(frame);
        let sum = crc32c::crc32c_append(seed, &frame[8..end]);
        frame[4..8].copy_from_slice(&sum.to_le_bytes());
        rest = after;
    }
}

/// The length with padding of the frame at the start of `bytes`, unstamped or stamped; `None`
/// when no whole frame stands there.
pub(super) fn padded_length(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < HEAD {
        return None;
    }
    let length = size(key_length(bytes), body_length(bytes));
    (length <= bytes.len()).then_some(length)
}

/// The sequence of the frame at the start of `bytes`, which holds at least a head.
pub(super) fn sequence(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(array(bytes, 16))
}

/// Bytes that a frame takes in a segment.
pub(super) const fn size(key: usize, body: usize) -> usize {
    (HEAD + key + body).next_multiple_of(ALIGN)
}

/// What the checksums of a segment's frames start from.
pub(super) fn seed(directory: u64, number: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&directory.to_le_bytes()), &number.to_le_bytes())
}

/// Reads the frame at the start of `bytes`.
pub(super) fn parse(bytes: &[u8], seed: u32) -> Parsed<'_> {
    if bytes.len() < HEAD {
        let possible = bytes.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic);
        return if possible { Parsed::Partial(HEAD) } else { Parsed::Nothing };
    }
    let (key, body) = (key_length(bytes), body_length(bytes));
    if bytes[0..4] != MAGIC || bytes[15] != 0 || key > KEY_LIMIT || body > BODY_LIMIT {
        return Parsed::Nothing;
    }
    let stream = Stream::of(bytes[14]);
    let is_void = bytes[14] == VOID && key == 0 && body == 0;
    if stream.is_none() && !is_void {
        return Parsed::Nothing;
    }
    let length = size(key, body);
    let Some(whole) = bytes.get(..length) else { return Parsed::Partial(length) };
    let (content, padding) = whole.split_at(HEAD + key + body);
    let sum = u32::from_le_bytes(array(whole, 4));
    if crc32c::crc32c_append(seed, &content[8..]) != sum || padding.iter().any(|byte| *byte != 0) {
        return Parsed::Nothing;
    }
    let (key, body) = content[HEAD..].split_at(key);
    let time = Timestamp::from_micros(u64::from_le_bytes(array(whole, 24)));
    let frame = stream.map(|stream| Frame { stream, time, id: array(whole, 32), key, body });
    let behind = u32::from_le_bytes(array(whole, 48));
    Parsed::Frame(Numbered { sequence: sequence(whole), behind, frame }, length)
}

fn key_length(head: &[u8]) -> usize {
    usize::from(u16::from_le_bytes(array(head, 12)))
}

fn body_length(head: &[u8]) -> usize {
    u32::from_le_bytes(array(head, 8)) as usize
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

/// Bytes of a frame before its key.
pub(super) const HEAD: usize = 56;
/// The multiple that frames are padded to.
pub(super) const ALIGN: usize = 8;
/// The largest body, far above the largest event, far below the smallest segment.
pub(super) const BODY_LIMIT: usize = 256 << 10;
/// The largest key.
pub(super) const KEY_LIMIT: usize = 8 << 10;
/// What stands in the place of the stream when no frame could be kept.
const VOID: u8 = 0;
/// What every frame begins with.
pub(super) const MAGIC: [u8; 4] = *b"WPF1";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamped(sequence: u64, key: &[u8], body: &[u8], seed: u32, durable: u64) -> Vec<u8> {
        let time = Timestamp::from_seconds(7);
        let frame = Frame { stream: Stream::Events, time, id: [9; 16], key, body };
        let mut bytes = Vec::new();
        encode(&frame, sequence, &mut bytes);
        stamp(&mut bytes, seed, durable);
        bytes
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_read_back(
            key in prop::collection::vec(any::<u8>(), 0..40),
            body in prop::collection::vec(any::<u8>(), 0..400),
            sequence in 5u64..1_000, seed in any::<u32>(),
        ) {
            let bytes = stamped(sequence, &key, &body, seed, 5);
            prop_assert_eq!(bytes.len() % ALIGN, 0);
            let Parsed::Frame(numbered, length) = parse(&bytes, seed) else { panic!() };
            let frame = numbered.frame.unwrap();
            prop_assert_eq!(length, bytes.len());
            prop_assert_eq!(numbered.sequence, sequence);
            prop_assert_eq!(u64::from(numbered.behind), sequence - 5);
            prop_assert_eq!(numbered.proven(), 5);
            prop_assert_eq!(frame.key, &key[..]);
            prop_assert_eq!(frame.body, &body[..]);
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes, 1);
            let mut with_magic = MAGIC.to_vec();
            with_magic.extend_from_slice(&bytes);
            parse(&with_magic, 1);
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let bytes = stamped(3, b"key", b"some body", 77, 1);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(parse(&flipped, 77), Parsed::Frame(..)), "bit {bit}");
        }
    }

    #[test]
    fn a_void_holds_a_sequence_and_nothing_else() {
        let mut bytes = Vec::new();
        encode_void(9, &mut bytes);
        stamp(&mut bytes, 77, 8);
        let void = Numbered { sequence: 9, behind: 1, frame: None };
        assert_eq!(parse(&bytes, 77), Parsed::Frame(void, HEAD));
        assert_eq!(void.digest(), None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(parse(&flipped, 77), Parsed::Frame(..)), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_partial_and_never_a_frame() {
        let bytes = stamped(3, b"key", b"some body", 77, 1);
        for length in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..length], 77), Parsed::Partial(_)), "{length} bytes");
        }
    }

    #[test]
    fn a_frame_of_another_segment_is_none_here() {
        let bytes = stamped(3, b"", b"body", seed(1, 1), 1);
        assert!(matches!(parse(&bytes, seed(1, 1)), Parsed::Frame(..)));
        assert_eq!(parse(&bytes, seed(1, 2)), Parsed::Nothing);
        assert_eq!(parse(&bytes, seed(2, 1)), Parsed::Nothing);
    }
}
