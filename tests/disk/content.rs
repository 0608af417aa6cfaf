//! The bytes of one file.

/// What becomes of one change that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Lost,
    Kept,
    /// Of a write, each sector arrived or not, as this seed says.
    Torn(u64),
}

/// A fate for each change, from a seed.
pub fn fates(mut seed: u64) -> impl FnMut() -> Fate {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = mix(seed);
        match mixed % 4 {
            0 => Fate::Lost,
            1 => Fate::Kept,
            _ => Fate::Torn(mixed),
        }
    }
}

/// A file as it is seen, and as it is once the power is gone.
#[derive(Clone, Default)]
pub(super) struct Content {
    pub(super) seen: Vec<u8>,
    stable: Vec<u8>,
    /// Since the last sync.
    changes: Vec<Change>,
    /// Microseconds since 1970.
    pub(super) modified: u64,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Content {
    pub(super) fn new(modified: u64) -> Self {
        Self { modified, ..Self::default() }
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.seen, offset, bytes);
        self.changes.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.seen.resize(length, 0);
        self.changes.push(Change::Length(length));
    }

    pub(super) fn sync(&mut self) {
        self.changes.clear();
        self.stable.clone_from(&self.seen);
    }

    /// A sync that fails: some of the changes arrived, none is tried again, and the system may
    /// show what is on the disk or what it had meant to put there.
    pub(super) fn fail_sync(&mut self, mut fate: impl FnMut() -> Fate) {
        self.settle(&mut fate);
        if fate() != Fate::Kept {
            self.seen.clone_from(&self.stable);
        }
    }

    /// What a power cut leaves.
    pub(super) fn cut(&mut self, fate: &mut impl FnMut() -> Fate) {
        self.settle(fate);
        self.seen.clone_from(&self.stable);
    }

    /// Makes the present bytes those that are on the disk.
    pub(super) fn damage(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.seen);
        self.sync();
    }

    fn settle(&mut self, fate: &mut impl FnMut() -> Fate) {
        for change in self.changes.drain(..) {
            match (change, fate()) {
                (_, Fate::Lost) => {}
                (Change::Length(length), _) => self.stable.resize(length, 0),
                (Change::Write { offset, bytes }, Fate::Kept) => {
                    put(&mut self.stable, offset, &bytes);
                }
                (Change::Write { offset, bytes }, Fate::Torn(seed)) => {
                    for (start, sector) in sectors(offset, &bytes) {
                        if mix(seed ^ start as u64).is_multiple_of(2) {
                            put(&mut self.stable, start, sector);
                        }
                    }
                }
            }
        }
    }
}

/// The sectors of a write, each with its offset in the file.
fn sectors(offset: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let end = offset + bytes.len();
    let first = offset - offset % SECTOR;
    (first..end).step_by(SECTOR).map(move |sector| {
        let (from, to) = (sector.max(offset), (sector + SECTOR).min(end));
        (from, &bytes[from - offset..to - offset])
    })
}

fn put(into: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if into.len() < end {
        into.resize(end, 0);
    }
    into[offset..end].copy_from_slice(bytes);
}

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The finalizer of SplitMix64.
pub(super) fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
