//! What is between the cursor and the frame read last: a pure account of each frame's state.
//!
//! The position that may be put on disk is the first frame that is not settled. Frames behind it
//! that are settled stay in the account, so that nothing acknowledged is sent again when what
//! stands before it is.

use std::collections::VecDeque;

use crate::clock::Timestamp;

/// The frames of one directory from the first that is not settled.
#[derive(Debug)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
    /// The sequence that comes after the last one admitted.
    next: u64,
    /// Bytes of all entries.
    bytes: usize,
    in_flight: usize,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sequence: u64,
    time: Timestamp,
    size: u32,
    state: State,
}

/// How far a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// To be sent.
    Waiting,
    /// To be sent with nothing else in flight: the batch it was in was too large, which tells
    /// nothing of it.
    Alone,
    /// Sent, not reported yet.
    Sent,
    /// Acknowledged, or set aside.
    Settled,
}

impl Window {
    /// An empty window that begins at `next` and holds `limit` bytes, and one frame more.
    pub(super) fn new(next: u64, limit: usize) -> Self {
        Self { entries: VecDeque::new(), next, bytes: 0, in_flight: 0, limit }
    }

    /// Whether one more frame may be admitted.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.limit && self.entries.len() < MOST
    }

    /// Adds a frame that waits; its sequence is at least [`Window::next`].
    pub(super) fn admit(&mut self, sequence: u64, size: usize, time: Timestamp) {
        debug_assert!(sequence >= self.next, "frames come in order");
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.entries.push_back(Entry { sequence, time, size, state: State::Waiting });
        self.bytes += size as usize;
        self.next = sequence + 1;
    }

    /// Says that nothing stands before `sequence`, from [`Window::next`] on.
    pub(super) fn skip_to(&mut self, sequence: u64) {
        self.next = self.next.max(sequence);
    }

    /// The state of a frame below [`Window::next`]; one that is not there is settled.
    pub(super) fn state(&self, sequence: u64) -> State {
        self.find(sequence).map_or(State::Settled, |at| self.entries[at].state)
    }

    /// A frame that was to be sent was.
    pub(super) fn sent(&mut self, sequence: u64) {
        if let Some(at) = self.find(sequence)
            && matches!(self.entries[at].state, State::Waiting | State::Alone)
        {
            self.entries[at].state = State::Sent;
            self.in_flight += 1;
        }
    }

    /// A frame that was sent is to be sent again, as `state` says.
    pub(super) fn failed(&mut self, sequence: u64, state: State) {
        if let Some(at) = self.find(sequence)
            && self.entries[at].state == State::Sent
        {
            self.entries[at].state = state;
            self.in_flight -= 1;
        }
    }

    /// A frame is done with. Returns its time when that is news.
    pub(super) fn settle(&mut self, sequence: u64) -> Option<Timestamp> {
        let at = self.find(sequence)?;
        let entry = &mut self.entries[at];
        if entry.state == State::Settled {
            return None;
        }
        self.in_flight -= usize::from(entry.state == State::Sent);
        entry.state = State::Settled;
        let time = entry.time;
        while let Some(front) = self.entries.front().filter(|of| of.state == State::Settled) {
            self.bytes -= front.size as usize;
            self.entries.pop_front();
        }
        Some(time)
    }

    /// Nothing that is in flight will be reported: all of it is to be sent again. Returns how much
    /// that is.
    pub(super) fn lose(&mut self) -> usize {
        for entry in self.entries.iter_mut().filter(|entry| entry.state == State::Sent) {
            entry.state = State::Waiting;
        }
        std::mem::take(&mut self.in_flight)
    }

    /// The sequence that comes after the last one admitted.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The first sequence that is not settled.
    pub(super) fn position(&self) -> u64 {
        self.entries.front().map_or(self.next, |entry| entry.sequence)
    }

    /// The time of the first frame that is not settled.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.entries.front().map(|entry| entry.time)
    }

    /// The first frame that is to be sent.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        let is_waiting = |state| matches!(state, State::Waiting | State::Alone);
        self.entries.iter().find(|entry| is_waiting(entry.state)).map(|entry| entry.sequence)
    }

    /// How many frames are sent and not reported.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether everything admitted is settled.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, sequence: u64) -> Option<usize> {
        // Sequences are dense but for what is damaged, so the guess is nearly always right.
        let first = self.entries.front()?.sequence;
        let guess = usize::try_from(sequence.checked_sub(first)?).ok()?;
        if self.entries.get(guess).is_some_and(|entry| entry.sequence == sequence) {
            return Some(guess);
        }
        self.entries.binary_search_by_key(&sequence, |entry| entry.sequence).ok()
    }
}

/// Frames in a window, whatever their size: bounds the account itself.
const MOST: usize = 200_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn admit(window: &mut Window, sequence: u64) {
        window.admit(sequence, 10, Timestamp::from_seconds(sequence));
    }

    #[test]
    fn the_position_is_the_first_frame_that_is_not_settled() {
        let mut window = Window::new(1, 1_000);
        for sequence in [1, 2, 5] {
            admit(&mut window, sequence);
            window.sent(sequence);
        }
        assert_eq!(window.settle(5), Some(Timestamp::from_seconds(5)));
        assert_eq!(window.position(), 1);
        window.settle(1);
        assert_eq!(window.position(), 2);
        assert_eq!(window.settle(2), Some(Timestamp::from_seconds(2)));
        assert_eq!((window.position(), window.is_empty()), (6, true));
        assert_eq!(window.settle(2), None, "it is told once");
    }

    #[test]
    fn what_was_acknowledged_is_not_sent_again_with_what_was_lost() {
        let mut window = Window::new(1, 1_000);
        for sequence in 1..=3 {
            admit(&mut window, sequence);
            window.sent(sequence);
        }
        window.settle(2);
        assert_eq!(window.lose(), 2);
        assert_eq!(window.first_waiting(), Some(1));
        assert_eq!(window.state(2), State::Settled);
        assert_eq!(window.state(3), State::Waiting);
    }

    #[test]
    fn a_window_takes_its_bytes_and_then_no_more() {
        let mut window = Window::new(1, 30);
        for sequence in 1..=3 {
            assert!(window.has_room());
            admit(&mut window, sequence);
        }
        assert!(!window.has_room());
        window.sent(2);
        window.settle(2);
        assert!(!window.has_room(), "its place is only free when those before it are");
        window.sent(1);
        window.settle(1);
        assert!(window.has_room());
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_map(
            steps in prop::collection::vec((0u8..5, 0u64..40), 1..200)
        ) {
            let mut window = Window::new(1, usize::MAX);
            let mut model: BTreeMap<u64, State> = BTreeMap::new();
            for (step, number) in steps {
                match step {
                    0 => {
                        // With gaps, as damage makes them.
                        let sequence = window.next() + number / 20;
                        admit(&mut window, sequence);
                        model.insert(sequence, State::Waiting);
                    }
                    1 => {
                        window.sent(number);
                        if let Some(state) = model.get_mut(&number).filter(|of| **of == State::Waiting) {
                            *state = State::Sent;
                        }
                    }
                    2 => {
                        window.settle(number);
                        model.entry(number).and_modify(|state| *state = State::Settled);
                    }
                    3 => {
                        window.failed(number, State::Waiting);
                        if let Some(state) = model.get_mut(&number).filter(|of| **of == State::Sent) {
                            *state = State::Waiting;
                        }
                    }
                    _ if number == 0 => {
                        window.lose();
                        model.values_mut().filter(|of| **of == State::Sent).for_each(|of| *of = State::Waiting);
                    }
                    _ => {}
                }
                let open = |state: &State| *state != State::Settled;
                let first = model.iter().find(|(_, state)| open(state)).map(|(at, _)| *at);
                prop_assert_eq!(window.position(), first.unwrap_or_else(|| window.next()));
                let sent = model.values().filter(|state| **state == State::Sent).count();
                prop_assert_eq!(window.in_flight(), sent);
                let waiting = model.iter().find(|(_, state)| **state == State::Waiting);
                prop_assert_eq!(window.first_waiting(), waiting.map(|(at, _)| *at));
                let bytes = model.range(window.position()..).count() * 10;
                prop_assert_eq!(window.bytes, bytes);
            }
        }
    }
}
