//! When a certificate is renewed at the latest: pure.

use std::time::Duration;

use crate::clock::Timestamp;

/// When a certificate is due for renewal whatever its issuer suggests: with a third of its life
/// left, with half of it when it lives shorter than ten days. `spread`, from 0 to 1, moves that
/// back by up to a twentieth of its life, so that what was issued together is not renewed
/// together.
pub(super) fn backstop(not_before: Timestamp, not_after: Timestamp, spread: f64) -> Timestamp {
    let life = not_before.until(not_after);
    let left = if life < SHORT_LIVED { life / 2 } else { life / 3 };
    let early = (life / 20).mul_f64(spread.clamp(0.0, 1.0));
    not_before.plus(life.saturating_sub(left).saturating_sub(early))
}

const SHORT_LIVED: Duration = Duration::from_secs(10 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_a_long_life_is_left_and_half_of_a_short_one() {
        let at = |hours: u64| Timestamp::from_seconds(1_000_000 + hours * 3_600);
        for (life, spread, expected) in [
            (90 * 24, 0.0, 60 * 24),
            (90 * 24, 1.0, 60 * 24 - 108),
            (160, 0.0, 80),
            (160, 1.0, 72),
            (0, 1.0, 0),
        ] {
            assert_eq!(backstop(at(0), at(life), spread), at(expected), "{life} h, {spread}");
        }
        // Nonsense is due at once.
        assert_eq!(backstop(at(9), at(0), 0.5), at(9));
    }
}
