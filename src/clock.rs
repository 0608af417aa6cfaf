//! Time as a value that is handed in: the one seam through which the product reads a clock.
//!
//! Two kinds of time never mix. *Monotonic* time ([`Instant`]) measures waits and never jumps;
//! *wall* time ([`Timestamp`]) goes into events and certificates, and may step in both directions.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use thiserror::Error;

/// The two clocks of a machine.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Monotonic time, for deadlines and waits.
    fn now(&self) -> Instant;

    /// Wall time, for events and validity periods.
    fn wall(&self) -> Timestamp;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the seam's real side")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the seam's real side")]
    fn wall(&self) -> Timestamp {
        // A clock set before 1970 reads as 1970: no promise hangs on such a time.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// A wall-clock time in whole microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Displayed as RFC 3339 in UTC with six decimals, such as `2026-11-23T12:00:00.000001Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time `micros` microseconds after the epoch. Years past 9999 are held at its last
    /// microsecond, since RFC 3339 cannot write them.
    pub const fn from_micros(micros: u64) -> Self {
        if micros > LAST { Self(LAST) } else { Self(micros) }
    }

    /// The time `seconds` seconds after the epoch, held as [`Timestamp::from_micros`] holds it.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time `wait` later.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self::from_micros(self.0.saturating_add(wait))
    }

    /// How long before `later` this is; zero when it is not before it.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0))
    }

    /// The 27 ASCII bytes of the RFC 3339 form, for encoders that write bytes.
    pub fn rfc3339(self) -> [u8; RFC3339_LENGTH] {
        let (days, rest) = (self.0 / DAY, self.0 % DAY);
        let (year, month, day) = civil(days);
        let (hour, rest) = (rest / 3_600_000_000, rest % 3_600_000_000);
        let (minute, rest) = (rest / 60_000_000, rest % 60_000_000);
        let (second, micro) = (rest / 1_000_000, rest % 1_000_000);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        for (at, width, value) in
            [(0, 4, year), (5, 2, month), (8, 2, day), (11, 2, hour), (14, 2, minute)]
        {
            digits(&mut text[at..at + width], value);
        }
        digits(&mut text[17..19], second);
        digits(&mut text[20..26], micro);
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.rfc3339();
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// Reads an RFC 3339 time, or a day, which begins at midnight UTC.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let wrong = || TimestampError(text.to_owned());
        let time: jiff::Timestamp = if text.len() == "2026-11-23".len() {
            format!("{text}T00:00:00Z").parse().map_err(|_| wrong())?
        } else {
            text.parse().map_err(|_| wrong())?
        };
        u64::try_from(time.as_microsecond()).map(Self::from_micros).map_err(|_| wrong())
    }
}

/// A text that is no time. Whoever wrote it is at fault.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{0:?} is no time, expected one such as 2026-11-23T12:00:00Z, or a day in UTC such as 2026-11-23"
)]
pub struct TimestampError(String);

/// Length of [`Timestamp::rfc3339`].
pub const RFC3339_LENGTH: usize = 27;

fn digits(into: &mut [u8], mut value: u64) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day number, in the proleptic Gregorian calendar. Years are counted
/// from March, which puts the leap day at the end of a year and makes month lengths regular.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

const DAY: u64 = 86_400_000_000;
/// 9999-12-31T23:59:59.999999Z.
const LAST: u64 = 253_402_300_799_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_thousand_years_is_written_as_a_calendar_library_writes_it() {
        for day in 0..2_932_897u64 {
            let seconds = day * 86_400 + day % 86_400;
            let ours = Timestamp::from_seconds(seconds).to_string();
            if day % 97 == 0 || day < 40_000 {
                let theirs = jiff::Timestamp::from_second(seconds as i64).unwrap();
                assert_eq!(ours.replace(".000000", ""), theirs.to_string());
            }
        }
    }

    #[test]
    fn a_day_begins_at_midnight_and_what_is_no_time_says_so() {
        assert_eq!("1970-01-02".parse(), Ok(Timestamp::from_seconds(86_400)));
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(Timestamp::from_seconds(0)));
        for text in ["", "yesterday", "2026-13-01", "1969-12-31", "2026-11-23 12:00"] {
            let told = text.parse::<Timestamp>().unwrap_err().to_string();
            assert!(told.starts_with(&format!("{text:?}")), "{told}");
        }
    }

    #[test]
    fn a_time_past_the_last_year_is_held_there() {
        assert_eq!(Timestamp::from_micros(u64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
    }
}
