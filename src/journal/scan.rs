//! Walks the frames of one segment file, over damage and up to where nothing was written.

use std::io;

use super::frame::{self, ALIGN, BODY_LIMIT, HEAD, KEY_LIMIT, MAGIC, Numbered, Parsed};
use super::segment::HEADER;
use crate::disk::{BLOCK, DiskFile};

/// What the walk comes upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A valid frame or void.
    Frame(Numbered<'a>),
    /// Bytes that are no frame, with a valid frame behind them.
    Gap { from: u64, to: u64 },
    /// No valid frame stands behind this offset.
    End { at: u64, is_clean: bool },
}

/// A walk through a segment. After an end it can go on, when more was written since.
#[derive(Debug)]
pub(super) struct Scan {
    file: Box<dyn DiskFile>,
    seed: u32,
    /// Where the next frame is looked for.
    at: u64,
    window: Vec<u8>,
    /// The offset of the window's first byte.
    start: u64,
    unreadable: Unreadable,
    /// Whether blocks were passed over that the disk did not give.
    has_passed: bool,
}

/// What to do about a part of the file that the disk does not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Tell: it may be given another time.
    Fails,
    /// Pass over it like over damage, so that what can be read is.
    IsDamage,
}

impl Scan {
    pub(super) fn new(file: Box<dyn DiskFile>, seed: u32, unreadable: Unreadable) -> Self {
        let at = HEADER as u64;
        Self { file, seed, at, window: Vec::new(), start: at, unreadable, has_passed: false }
    }

    /// Whether the disk did not give some of what was to be read so far.
    pub(super) fn has_unreadable(&self) -> bool {
        self.has_passed
    }

    /// The offset of what [`Scan::step`] looks at next.
    pub(super) fn offset(&self) -> u64 {
        self.at
    }

    /// Makes an earlier offset the next one to look at.
    pub(super) fn return_to(&mut self, offset: u64) {
        debug_assert!(offset <= self.at);
        if offset < self.start {
            self.window.clear();
            self.start = offset;
        }
        self.at = offset;
    }

    /// The next frame, gap or end. After a gap the frame behind it comes next.
    pub(super) fn step(&mut self) -> io::Result<Found<'_>> {
        let from = self.at;
        if let Some(length) = self.frame_length()? {
            self.at += length as u64;
            let begin = (from - self.start) as usize;
            let Parsed::Frame(numbered, _) = frame::parse(&self.window[begin..], self.seed) else {
                return Err(io::Error::other("a frame that was just read is gone"));
            };
            return Ok(Found::Frame(numbered));
        }
        // A writer may have been at work where we read: what is whole on a second look is whole.
        self.forget();
        if self.frame_length()?.is_some() {
            return self.step();
        }
        let is_clean = self.seek_frame()?;
        let to = self.at;
        if let Some(is_clean) = is_clean {
            self.at = from;
            self.forget();
            return Ok(Found::End { at: from, is_clean });
        }
        Ok(Found::Gap { from, to })
    }

    /// The length of the valid frame at the current offset, which then lies in the window.
    fn frame_length(&mut self) -> io::Result<Option<usize>> {
        let mut need = HEAD;
        loop {
            self.fill(need)?;
            let begin = (self.at - self.start) as usize;
            match frame::parse(&self.window[begin..], self.seed) {
                Parsed::Frame(_, length) => return Ok(Some(length)),
                Parsed::Partial(length) if length > need => need = length,
                Parsed::Partial(_) | Parsed::Nothing => return Ok(None),
            }
        }
    }

    /// Moves to the next valid frame and returns `None`, or to the file's end and returns whether
    /// nothing but zeros was passed.
    fn seek_frame(&mut self) -> io::Result<Option<bool>> {
        let mut is_clean = true;
        loop {
            if !self.fill(HEAD)? {
                let begin = (self.at - self.start) as usize;
                return Ok(Some(is_clean && self.window[begin..].iter().all(|byte| *byte == 0)));
            }
            let begin = (self.at - self.start) as usize;
            let zeros = zeros(&self.window[begin..]);
            if zeros >= ALIGN {
                self.at += (zeros / ALIGN * ALIGN) as u64;
                continue;
            }
            is_clean = false;
            if self.window[begin..].starts_with(&MAGIC) && self.frame_length()?.is_some() {
                return Ok(None);
            }
            self.at += ALIGN as u64;
        }
    }

    /// Makes `need` bytes from the current offset lie in the window; false when the file ends
    /// before.
    fn fill(&mut self, need: usize) -> io::Result<bool> {
        let begin = (self.at - self.start) as usize;
        if self.window.len() >= begin + need {
            return Ok(true);
        }
        self.window.drain(..begin.min(self.window.len()));
        self.start = self.at;
        let have = self.window.len();
        self.window.resize(need.max(WINDOW), 0);
        let (into, offset) = (&mut self.window[have..], self.start + have as u64);
        let count = match self.file.read_at(into, offset) {
            Err(_) if self.unreadable == Unreadable::IsDamage => {
                self.has_passed = true;
                read_blocks(&*self.file, into, offset)?
            }
            count => count?,
        };
        self.window.truncate(have + count);
        Ok(self.window.len() >= need)
    }

    fn forget(&mut self) {
        self.window.clear();
        self.start = self.at;
    }
}

/// Reads block by block, and puts [`JUNK`] where the disk gives nothing.
fn read_blocks(file: &dyn DiskFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let length = file.length()?;
    let mut at = 0;
    while at < into.len() && offset + (at as u64) < length {
        let from = offset + at as u64;
        let end = (from + 1).next_multiple_of(BLOCK as u64).min(length);
        let block = at..into.len().min(at + (end - from) as usize);
        if file.read_at(&mut into[block.clone()], from).is_err() {
            into[block.clone()].fill(JUNK);
        }
        at = block.end;
    }
    Ok(at)
}

/// The count of zeros at the start of `bytes`.
fn zeros(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks_exact(ZERO.len()).take_while(|block| **block == ZERO).count();
    let rest = &bytes[blocks * ZERO.len()..];
    blocks * ZERO.len() + rest.iter().take_while(|byte| **byte == 0).count()
}

const ZERO: [u8; 512] = [0; 512];
/// Neither a zero, which would look as if nothing had been written, nor the beginning of a frame.
const JUNK: u8 = 0xff;
/// Bytes read at once: a largest frame fits.
const WINDOW: usize = 512 << 10;
const _: () = assert!(WINDOW >= HEAD + KEY_LIMIT + BODY_LIMIT + ALIGN);
