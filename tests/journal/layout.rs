//! The layout on disk, written again from its description: what the journal writes is what the
//! description says, and a test can write what the journal never would.

use std::ops::Range;

use waypost::clock::Timestamp;
use waypost::journal::{DirectoryId, Stream};

use crate::disk::{CrashDisk, Lies};
use crate::hand::{Hand, seam};
use crate::process::{body, config, frame};

/// A frame to be forged.
#[derive(Clone, Debug)]
pub(crate) struct Forged {
    pub(crate) sequence: u64,
    pub(crate) behind: u32,
    pub(crate) body: Vec<u8>,
}

impl Forged {
    /// The frame that is appended under a sequence.
    pub(crate) fn genuine(sequence: u64) -> Self {
        Self { sequence, behind: 0, body: body(sequence) }
    }
}

/// What a segment's header says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) directory: DirectoryId,
    pub(crate) number: u64,
    pub(crate) first: u64,
    pub(crate) predecessor: u64,
}

/// A whole segment.
pub(crate) fn segment(head: Head, frames: &[Forged], length: usize) -> Vec<u8> {
    let mut bytes = b"WAYPSEG1".to_vec();
    let directory = number_of(head.directory);
    let begun = Timestamp::from_seconds(9).micros();
    for field in [directory, head.number, head.first, head.predecessor, begun] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.resize(60, 0);
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    for forged in frames {
        let mut one = encoded(forged);
        stamp(&mut one, directory, head.number);
        bytes.extend_from_slice(&one);
    }
    assert!(bytes.len() <= length, "{} bytes", bytes.len());
    bytes.resize(length, 0);
    bytes
}

fn encoded(forged: &Forged) -> Vec<u8> {
    let frame = frame(&forged.body);
    let mut bytes = b"WPF1\0\0\0\0".to_vec();
    bytes.extend_from_slice(&(frame.body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(frame.key.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&[1, 0]);
    assert_eq!(frame.stream, Stream::Events);
    bytes.extend_from_slice(&forged.sequence.to_le_bytes());
    bytes.extend_from_slice(&frame.time.micros().to_le_bytes());
    bytes.extend_from_slice(&frame.id);
    bytes.extend_from_slice(&forged.behind.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(frame.key);
    bytes.extend_from_slice(frame.body);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Puts the checksum that fits into a frame.
pub(crate) fn stamp(frame: &mut [u8], directory: u64, number: u64) {
    let content = content(frame);
    let seed = [directory.to_le_bytes(), number.to_le_bytes()].concat();
    let sum = crc32c::crc32c_append(crc32c::crc32c(&seed), &frame[8..content.min(frame.len())]);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
}

/// Where the frames of an undamaged segment stand.
pub(crate) fn frames(segment: &[u8]) -> Vec<Range<usize>> {
    let (mut frames, mut at) = (Vec::new(), 64);
    while segment[at..].starts_with(b"WPF1") {
        let end = at + content(&segment[at..]).next_multiple_of(8);
        frames.push(at..end);
        at = end;
    }
    frames
}

/// The sequence of a frame.
pub(crate) fn sequence(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[16..24].try_into().unwrap())
}

/// Bytes of a frame without its padding.
fn content(frame: &[u8]) -> usize {
    let body = u32::from_le_bytes(frame[8..12].try_into().unwrap()) as usize;
    56 + usize::from(u16::from_le_bytes(frame[12..14].try_into().unwrap())) + body
}

pub(crate) fn number_of(directory: DirectoryId) -> u64 {
    u64::from_str_radix(&directory.to_string(), 16).unwrap()
}

#[test]
fn what_the_journal_writes_is_what_its_description_says() {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &config(9_000));
    hand.append(1);
    hand.append_together(3);
    let (directory, path) = (hand.journal.directory(), hand.segment(1));
    hand.kill();
    let behind = |sequence: u64| sequence.saturating_sub(2) as u32;
    let forged = |sequence| Forged { behind: behind(sequence), ..Forged::genuine(sequence) };
    let head = Head { directory, number: 1, first: 1, predecessor: 0 };
    let mut expected = segment(head, &[1, 2, 3, 4].map(forged), 9_000);
    let written = disk.bytes(&path);
    // The time of its beginning is the clock's.
    expected[40..48].copy_from_slice(&written[40..48]);
    expected[60..64].copy_from_slice(&written[60..64]);
    assert_eq!(written, expected);
    let spans = frames(&written);
    assert_eq!(spans.iter().map(|span| sequence(&written[span.clone()])).max(), Some(4));
    assert_eq!(crate::hand::read(&seam(&disk), directory).sequences, [1, 2, 3, 4]);
}
