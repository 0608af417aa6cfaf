//! When a certificate is renewed, and when its authority is asked about that: pure, `now` is given.
//!
//! ```text
//! issued ─┬─ poll_at ─ask (RFC 9773)→ a window: a time in it, its own for each certificate
//!         │                           malformed: the backstop
//!         │                           no answer: as before
//!         └─ renew_at ─order→ issued anew
//!                        └─failed→ retry_at
//! ```
//!
//! The backstop is a third of its life before a certificate ends, half of it when it lives shorter
//! than ten days, and a little sooner, by another part of its life for each certificate: so what
//! was issued together is not renewed together.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::{Due, Lane};
use crate::tls::{Record, Schedule};

/// The life of one certificate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Term {
    /// From when on it is valid.
    pub(super) not_before: Timestamp,
    /// The last second of its validity.
    pub(super) not_after: Timestamp,
    /// From 0 to 1: another one for each certificate, and always the same.
    pub(super) spread: f64,
    /// Whether there is a name to ask its authority by.
    pub(super) is_asked: bool,
}

/// What is to be done for a certificate now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Rest,
    /// Its authority is to be asked when it suggests to renew it.
    Ask,
    /// It is to be renewed.
    Renew,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// A window was suggested: its start and its end.
    Window(Timestamp, Timestamp),
    /// The answer makes no sense.
    Malformed,
    /// There was no answer, or the authority answers no such questions now.
    None,
}

impl Term {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            not_before: record.not_before,
            not_after: record.not_after,
            spread: spread(&record.serial),
            is_asked: record.ari.is_some(),
        }
    }

    /// The schedule of a certificate that has just been issued.
    pub(super) fn begin(&self, now: Timestamp) -> Schedule {
        // What comes half expired is not replaced again and again.
        let renew_at = self.backstop().max(now.plus(SOONEST));
        let poll_at = self.is_asked.then(|| now.plus(self.pause().mul_f64(self.spread)));
        Schedule { renew_at, window: None, poll_at, retry_at: Timestamp::default() }
    }

    /// What is to be done now.
    pub(super) fn step(&self, schedule: &Schedule, now: Timestamp) -> Step {
        if renews(schedule) <= now {
            Step::Renew
        } else if self.asks(schedule).is_some_and(|at| at <= now) {
            Step::Ask
        } else {
            Step::Rest
        }
    }

    /// When something is to be done next, and how urgent that is. Once it is to be renewed no
    /// question comes before that.
    pub(super) fn due(&self, schedule: &Schedule, now: Timestamp) -> Due {
        let renews = renews(schedule);
        let asks = self.asks(schedule).filter(|asks| *asks < renews && now < renews);
        if let Some(asks) = asks {
            return Due { at: asks, lane: Lane::Idle };
        }
        let is_urgent = self.life() < SHORT_LIVED || renews >= self.latest();
        Due { at: renews, lane: if is_urgent { Lane::Prompt } else { Lane::Patient } }
    }

    /// The schedule after a question; `wait` is how long the authority wants not to be asked again
    /// (RFC 9773 §4.3).
    pub(super) fn advised(
        &self,
        schedule: &Schedule,
        advice: Advice,
        wait: Option<Duration>,
        now: Timestamp,
    ) -> Schedule {
        let pause = match wait {
            Some(wait) => wait.clamp(SHORTEST_PAUSE, LONGEST_PAUSE),
            None => self.pause(),
        };
        let poll_at = Some(now.plus(pause + (pause / 11).mul_f64(self.spread)));
        let (window, renew_at) = match advice {
            Advice::Window(start, end) if start < end && start < self.not_after => {
                let at = start.plus(start.until(end).mul_f64(self.spread));
                (Some((start, end)), at.min(self.latest()))
            }
            Advice::Window(..) | Advice::Malformed => (None, self.backstop()),
            Advice::None => (schedule.window, schedule.renew_at),
        };
        // A renewal that has begun to be due stays due.
        let renew_at = if schedule.renew_at <= now { schedule.renew_at } else { renew_at };
        Schedule { renew_at, window, poll_at, retry_at: schedule.retry_at }
    }

    /// When it is renewed whatever its authority suggests.
    fn backstop(&self) -> Timestamp {
        let life = self.life();
        let left = if life < SHORT_LIVED { life / 2 } else { life / 3 };
        let early = (life / 20).mul_f64(self.spread);
        self.not_before.plus(life.saturating_sub(left).saturating_sub(early))
    }

    /// After this no suggestion is followed any more: it would leave no time for a second try.
    fn latest(&self) -> Timestamp {
        let life = self.life();
        self.not_before.plus(life.saturating_sub(life / 6))
    }

    /// How long its authority is not asked when it does not say: at most six hours, and often
    /// enough in a short life.
    fn pause(&self) -> Duration {
        (self.life() / 20).clamp(SHORTEST_PAUSE, USUAL_PAUSE)
    }

    fn life(&self) -> Duration {
        self.not_before.until(self.not_after)
    }

    /// Of what has expired nothing is asked.
    fn asks(&self, schedule: &Schedule) -> Option<Timestamp> {
        schedule.poll_at.filter(|at| *at < self.not_after)
    }
}

fn renews(schedule: &Schedule) -> Timestamp {
    schedule.renew_at.max(schedule.retry_at)
}

/// A number from 0 to 1 that is another one for each text, and always the same.
pub(super) fn spread(text: &str) -> f64 {
    f64::from(crc32c::crc32c(text.as_bytes())) / f64::from(u32::MAX)
}

/// How long after so many failures in a row the next order is made: a minute, ten, a hundred, then
/// a day, each up to a quarter longer by `spread`. It never falls.
pub(super) fn back_off(failures: u32, spread: f64) -> Duration {
    let wait = FIRST_WAIT.saturating_mul(10_u32.saturating_pow(failures.saturating_sub(1).min(5)));
    let wait = wait.min(LONGEST_WAIT);
    wait + (wait / 4).mul_f64(spread)
}

/// How long an authority is left alone after so many times in a row that it did not answer: a
/// second, doubling to ten minutes. It never falls.
pub(super) fn leave_alone(rebuffs: u32) -> Duration {
    FIRST_REBUFF.saturating_mul(1 << rebuffs.saturating_sub(1).min(10)).min(LONGEST_REBUFF)
}

const DAY: Duration = Duration::from_secs(86_400);
const SHORT_LIVED: Duration = Duration::from_secs(10 * 86_400);
/// The shortest time between two certificates of a name that nobody suggested.
const SOONEST: Duration = Duration::from_secs(3_600);
const SHORTEST_PAUSE: Duration = Duration::from_secs(60);
const USUAL_PAUSE: Duration = Duration::from_secs(6 * 3_600);
/// With its spread twelve hours: who asks less often than twice a day misses a revocation.
const LONGEST_PAUSE: Duration = Duration::from_secs(11 * 3_600);
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = DAY;
const FIRST_REBUFF: Duration = Duration::from_secs(2);
const LONGEST_REBUFF: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + hours * 3_600)
    }

    fn term(hours: u64, spread: f64) -> Term {
        Term { not_before: at(0), not_after: at(hours), spread, is_asked: true }
    }

    #[test]
    fn a_third_of_a_long_life_is_left_and_half_of_a_short_one() {
        for (life, spread, expected) in
            [(90 * 24, 0.0, 60 * 24), (90 * 24, 1.0, 60 * 24 - 108), (160, 0.0, 80), (160, 1.0, 72)]
        {
            let begun = term(life, spread).begin(at(0));
            assert_eq!(begun.renew_at, at(expected), "{life} h, {spread}");
        }
        // What comes expired is not replaced at once for ever.
        assert_eq!(term(0, 1.0).begin(at(9)).renew_at, at(10));
    }

    #[test]
    fn a_suggested_window_is_obeyed_and_one_in_the_past_renews_at_once() {
        let term = term(90 * 24, 0.5);
        let begun = term.begin(at(0));
        assert_eq!(begun.poll_at, Some(at(3)), "half of six hours");
        assert_eq!((term.step(&begun, at(2)), term.step(&begun, at(3))), (Step::Rest, Step::Ask));
        assert_eq!(term.due(&begun, at(0)), Due { at: at(3), lane: Lane::Idle });
        let late = term.due(&begun, at(1_500));
        assert_eq!(late, Due { at: begun.renew_at, lane: Lane::Patient }, "not asked for ever");
        let advised = |advice, wait| term.advised(&begun, advice, wait, at(3));
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
        let sooner = advised(Advice::Window(at(100), at(200)), hours(6));
        assert_eq!((sooner.renew_at, sooner.window), (at(150), Some((at(100), at(200)))));
        assert!(sooner.poll_at > Some(at(9)) && sooner.poll_at < Some(at(10)));
        let later = advised(Advice::Window(at(1_500), at(1_600)), None);
        assert_eq!(later.renew_at, at(1_550), "past our own backstop, which is at 1386 h");
        let past = advised(Advice::Window(at(1), at(2)), None);
        assert_eq!(term.step(&past, at(3)), Step::Renew);
        let mended = term.advised(&past, Advice::Window(at(100), at(200)), None, at(4));
        assert_eq!(term.step(&mended, at(4)), Step::Renew, "what is due stays due");
        let too_late = advised(Advice::Window(at(2_000), at(2_159)), None);
        assert_eq!(too_late.renew_at, at(1_800), "a sixth of its life is left");
    }

    #[test]
    fn advice_that_makes_no_sense_falls_back_and_none_changes_nothing() {
        let term = term(90 * 24, 0.5);
        let moved = term.advised(&term.begin(at(0)), Advice::Window(at(100), at(200)), None, at(3));
        for odd in [
            Advice::Malformed,
            Advice::Window(at(200), at(100)),
            Advice::Window(at(200), at(200)),
            Advice::Window(at(90 * 24), at(91 * 24)),
        ] {
            let fallen = term.advised(&moved, odd, None, at(9));
            assert_eq!((fallen.renew_at, fallen.window), (term.backstop(), None), "{odd:?}");
        }
        let same = term.advised(&moved, Advice::None, None, at(9));
        assert_eq!((same.renew_at, same.window), (moved.renew_at, moved.window));
        assert!(same.poll_at > moved.poll_at);
    }

    #[test]
    fn an_authority_is_asked_when_it_says_so_and_at_least_twice_a_day() {
        for spread in [0.0, 0.4, 1.0] {
            let term = term(90 * 24, spread);
            for (wait, least, most) in [
                (Some(0), 60, 66),
                (Some(3_600), 3_600, 4_000),
                (Some(21_600), 21_600, 23_800),
                (Some(u64::MAX), 11 * 3_600, 12 * 3_600),
                (None, 21_600, 23_800),
            ] {
                let wait = wait.map(Duration::from_secs);
                let next = term.advised(&term.begin(at(0)), Advice::None, wait, at(0));
                let pause = at(0).until(next.poll_at.unwrap()).as_secs();
                assert!((least..=most).contains(&pause), "{wait:?}, {spread}: {pause}");
            }
        }
    }

    #[test]
    fn a_failed_renewal_waits_and_grows_urgent() {
        let term = term(90 * 24, 0.0);
        let mut schedule = term.begin(at(0));
        schedule.poll_at = None;
        assert_eq!(term.due(&schedule, at(0)), Due { at: at(1_440), lane: Lane::Patient });
        schedule.retry_at = at(1_500);
        assert_eq!(term.step(&schedule, at(1_450)), Step::Rest);
        schedule.retry_at = at(1_800);
        assert_eq!(term.due(&schedule, at(0)), Due { at: at(1_800), lane: Lane::Prompt });
        schedule.poll_at = Some(at(90 * 24));
        assert_eq!(term.step(&schedule, at(100 * 24)), Step::Renew, "expired");
    }

    #[test]
    fn waits_never_fall_and_never_overflow() {
        for spread in [0.0, 0.3, 1.0] {
            let waits: Vec<_> = (0..2_000).chain([u32::MAX]).map(|n| back_off(n, spread)).collect();
            assert!(waits.is_sorted(), "{spread}");
            assert!(waits.iter().all(|wait| *wait <= DAY + DAY / 4));
            assert!(waits[5..].iter().all(|wait| *wait >= DAY));
        }
        let waits: Vec<_> = (0..2_000).chain([u32::MAX]).map(leave_alone).collect();
        assert!(waits.is_sorted() && waits[2_000] == LONGEST_REBUFF);
    }
}
