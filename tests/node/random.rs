//! Chance that can be repeated: everything random in a test comes from one printed seed.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher;

/// A source of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded by `WAYPOST_SEED` where it is set, else by the system; prints the seed.
    pub fn from_environment() -> Self {
        let random = env::var("WAYPOST_SEED").map_or_else(
            |_| Self::by_chance(),
            |text| Self(text.parse().expect("WAYPOST_SEED is a number")),
        );
        println!("WAYPOST_SEED={}", random.0);
        random
    }

    /// Seeded by the system.
    pub fn by_chance() -> Self {
        Self(RandomState::new().hash_one("seed"))
    }

    /// Seeded by a number.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// `count` distinct numbers below `bound`, ascending.
    pub fn moments(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut moments = std::collections::BTreeSet::new();
        while moments.len() < count {
            moments.insert(self.below(bound));
        }
        moments.into_iter().collect()
    }
}
