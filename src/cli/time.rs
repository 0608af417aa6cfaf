//! Times as people type them.

use thiserror::Error;

use crate::clock::Timestamp;

/// A text that is no time.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "\"{0}\" is no time, expected one such as 2026-11-23T12:00:00Z, or a day in UTC such as 2026-11-23"
)]
pub(super) struct TimeError(String);

/// Reads an RFC 3339 time, or a day, which begins at midnight UTC.
pub(super) fn moment(text: &str) -> Result<Timestamp, TimeError> {
    let wrong = || TimeError(text.to_owned());
    let time: jiff::Timestamp = if text.len() == "2026-11-23".len() {
        format!("{text}T00:00:00Z").parse().map_err(|_| wrong())?
    } else {
        text.parse().map_err(|_| wrong())?
    };
    u64::try_from(time.as_microsecond()).map(Timestamp::from_micros).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_what_is_no_time_says_so() {
        assert_eq!(moment("1970-01-02").unwrap(), Timestamp::from_seconds(86_400));
        assert_eq!(moment("1970-01-01T01:00:00+01:00").unwrap(), Timestamp::from_seconds(0));
        for text in ["", "yesterday", "2026-13-01", "1969-12-31", "2026-11-23 12:00"] {
            let told = moment(text).unwrap_err().to_string();
            assert!(told.starts_with(&format!("\"{text}\"")), "{told}");
        }
    }
}
