//! Whose turn it is: pure.
//!
//! Visitors who wait come before all of these, through a door of their own. Then come renewals, the
//! urgent ones first; then names that somebody added by hand; then those out of files. Only as many
//! are taken up as there are places for, and as the authorities still take orders: what waits in
//! the store waits there in its order, and nobody's wait is made longer by an order that could not
//! be placed.

use crate::store::{Kind, Lane};

/// What waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Certificates that end soon.
    Urgent,
    /// Certificates that grow old.
    Renewal,
    /// Names that a visit or somebody's hand brought.
    Hand,
    /// Names out of files.
    Bulk,
}

/// How many orders authorities still take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// For names that hold a certificate.
    pub(super) renewals: u32,
    /// For names that hold none.
    pub(super) first: u32,
}

/// One turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    places: usize,
    room: Room,
}

impl Queue {
    /// Every queue, by who comes first.
    pub(super) const ALL: [Self; 4] = [Self::Urgent, Self::Renewal, Self::Hand, Self::Bulk];

    /// Where it is in the store.
    pub(super) const fn place(self) -> (Kind, Lane) {
        match self {
            Self::Urgent => (Kind::Certificate, Lane::Prompt),
            Self::Renewal => (Kind::Certificate, Lane::Patient),
            Self::Hand => (Kind::Order, Lane::Prompt),
            Self::Bulk => (Kind::Order, Lane::Patient),
        }
    }

    /// Its name, in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Renewal => "renewal",
            Self::Hand => "hand",
            Self::Bulk => "bulk",
        }
    }

    /// Whether its names hold certificates.
    pub(super) const fn is_renewal(self) -> bool {
        matches!(self, Self::Urgent | Self::Renewal)
    }
}

impl Turn {
    /// With so many places, and so much room at the authorities.
    pub(super) fn new(places: usize, room: Room) -> Self {
        Self { places, room }
    }

    /// How many of a queue may be taken up.
    pub(super) fn limit(&self, queue: Queue) -> usize {
        let room = if queue.is_renewal() { self.room.renewals } else { self.room.first };
        self.places.min(room as usize)
    }

    /// So many were.
    pub(super) fn took(&mut self, count: usize) {
        self.places = self.places.saturating_sub(count);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.room.renewals = self.room.renewals.saturating_sub(count);
        self.room.first = self.room.first.saturating_sub(count);
    }
}

impl Room {
    /// At an authority that takes `orders` more, of which a `reserve` is for renewals. One that
    /// did not answer is tried with one order first.
    pub(super) fn at(orders: u32, reserve: u32, is_doubtful: bool) -> Self {
        let most = if is_doubtful { 1 } else { u32::MAX };
        Self { renewals: orders.min(most), first: orders.saturating_sub(reserve).min(most) }
    }

    /// At one authority or the other: who finds no room at the one goes to the other.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            renewals: self.renewals.saturating_add(other.renewals),
            first: self.first.saturating_add(other.first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_come_first_and_have_a_reserve_of_their_own() {
        let mut turn = Turn::new(8, Room::at(63, 60, false));
        assert_eq!(Queue::ALL.map(|queue| turn.limit(queue)), [8, 8, 3, 3]);
        turn.took(2);
        assert_eq!(Queue::ALL.map(|queue| turn.limit(queue)), [6, 6, 1, 1]);
        turn.took(6);
        assert_eq!(Queue::ALL.map(|queue| turn.limit(queue)), [0; 4]);
        let spent = Turn::new(8, Room::at(20, 60, false));
        assert_eq!(Queue::ALL.map(|queue| spent.limit(queue)), [8, 8, 0, 0]);
    }

    #[test]
    fn an_authority_that_did_not_answer_is_tried_with_one_order() {
        let doubtful = Room::at(300, 60, true);
        assert_eq!(doubtful, Room { renewals: 1, first: 1 });
        assert_eq!(doubtful.or(Room::at(0, 60, false)), doubtful);
        assert_eq!(Turn::new(8, Room::default()).limit(Queue::Urgent), 0);
    }
}
