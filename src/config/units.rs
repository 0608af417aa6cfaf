//! Durations and sizes as people write them.

use std::time::Duration;

/// Reads a duration such as `500us`, `10ms`, `1s`, `1m30s`, `12h` or `30d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a duration with a unit ({DURATIONS}), such as \"10s\"");
    let mut rest = text;
    let mut sum = Duration::ZERO;
    if text.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (number, unit, after) = split(rest).ok_or_else(wrong)?;
        let (_, nanos) = DURATION_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let part = times(number, *nanos).ok_or_else(|| "is too long or too fine".to_owned())?;
        sum += Duration::from_nanos(part);
        rest = after;
    }
    Ok(sum)
}

/// Reads a size such as `512B`, `64KiB`, `8GiB` or `10MB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a size with a unit ({SIZES}), such as \"64MiB\"");
    let (number, unit, rest) = split(text).ok_or_else(wrong)?;
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    if !rest.is_empty() {
        return Err(wrong());
    }
    times(number, *factor).ok_or_else(|| "is too large or no whole number of bytes".to_owned())
}

/// A number, the letters behind it, and the rest.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(whole) && is_number(part)).then_some((number, unit, rest))
}

/// A decimal number times a whole one; `None` when the product is too large or not whole.
fn times(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut product = whole.checked_mul(factor)?;
    if !part.is_empty() {
        let scale = 10u64.checked_pow(u32::try_from(part.len()).ok()?)?;
        let scaled = part.parse::<u64>().ok()?.checked_mul(factor)?;
        if scaled % scale != 0 {
            return None;
        }
        product = product.checked_add(scaled / scale)?;
    }
    Some(product)
}

const DURATIONS: &str = "us, ms, s, m, h, d";
const DURATION_UNITS: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const SIZES: &str = "B, KiB, MiB, GiB, TiB, kB, MB, GB, TB";
const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_mean_what_they_say() {
        for (text, millis) in [("1s", 1_000), ("1m30s", 90_000), ("2h", 7_200_000), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("1.9s"), Ok(Duration::from_millis(1_900)));
        assert_eq!(size("1.5MiB"), Ok(1_572_864));
        assert_eq!(duration("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(2_592_000)));
        for (text, bytes) in [("512B", 512), ("64KiB", 65_536), ("10MB", 10_000_000)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_has_no_unit_is_told_which_there_are() {
        for text in [
            "",
            "10",
            "s",
            "-1s",
            ".5s",
            "1.s",
            "1.5.5s",
            "0.0000001us",
            "10 s",
            "10sec",
            "1h-5m",
            "99999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "10", "MiB", "1.5B", "1MiB1KiB", "10 MiB", "1mib", "99999999999TB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(duration("10").unwrap_err().contains("us, ms, s, m, h, d"));
        assert!(size("10").unwrap_err().contains("MiB"));
    }
}
