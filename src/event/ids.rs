//! Event ids: UUID version 7 (RFC 9562 §5.7), made without a lock that threads share.

use std::fmt;

use uuid::{ContextV7, Uuid};

use crate::clock::Timestamp;

/// Makes ids for one thread. Those of one thread rise; those of several are told apart by 74
/// random bits.
pub struct Ids {
    context: ContextV7,
}

impl Ids {
    /// A new maker.
    pub fn new() -> Self {
        Self { context: ContextV7::new() }
    }

    /// The id of something that happened at `now`.
    pub fn next(&mut self, now: Timestamp) -> Uuid {
        let nanos = (now.micros() % 1_000_000) as u32 * 1_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(&self.context, now.seconds(), nanos))
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_thread_rise_and_carry_their_time() {
        let now = Timestamp::from_micros(1_790_000_000_123_456);
        let (mut ids, mut last) = (Ids::new(), Uuid::nil());
        for _ in 0..10_000 {
            let id = ids.next(now);
            assert!(id > last && id.get_version_num() == 7);
            last = id;
        }
    }
}
