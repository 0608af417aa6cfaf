//! A stranger's text as it is shown to people.

use std::fmt::{self, Write};

/// Displays a text in quotes, its control characters escaped, cut to a line: whatever somebody
/// sent cannot move a terminal's cursor or fill a screen.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a>(pub &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, is_cut) = match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => (self.0.get(..end).unwrap_or_default(), true),
            None => (self.0, false),
        };
        write!(f, "{shown:?}")?;
        if is_cut { f.write_char('…') } else { Ok(()) }
    }
}

/// Characters that are shown.
const SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_short_line_without_control_bytes() {
        assert_eq!(Excerpt("a\r\n\u{1b}[2J\"é").to_string(), r#""a\r\n\u{1b}[2J\"é""#);
        let long = Excerpt(&"é".repeat(5_000)).to_string();
        assert_eq!(long.chars().count(), SHOWN + 3);
        assert!(long.ends_with("\"…"));
    }
}
