//! A place in a text, shown to a person: the line it is in, and marks below it.

use super::Span;

/// A line of a text with marks below what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The line's number, from 1.
    pub row: usize,
    /// The column of the place, in characters from 1.
    pub column: usize,
    /// The line, or as much of it as fits, with one visible character for each of the text.
    pub line: String,
    /// As many marks as the place has characters in the line, at least one, below them.
    pub marks: String,
}

/// Shows a place in at most `width` columns.
pub fn shown(text: &str, span: Span, width: usize) -> Shown {
    let start = floor(text, span.start);
    let end = floor(text, span.end).max(start);
    let before = text.get(..start).unwrap_or_default();
    let row = before.matches('\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(line_start..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    let line_end = line_start + line.len();
    let count = |from: usize, to: usize| text.get(from..to).map_or(0, |part| part.chars().count());
    let column = count(line_start, start);
    let length = count(start, end.min(line_end)).max(1);
    let characters: Vec<char> = line.chars().map(visible_character).collect();
    let width = width.max(MARGIN + 1);
    // The place begins with a margin before it, when the line does not fit as a whole.
    let from = if characters.len() <= width { 0 } else { column.saturating_sub(MARGIN) };
    let to = characters.len().min(from + width);
    let mut part: Vec<char> = characters.get(from..to).unwrap_or_default().to_vec();
    if from > 0
        && let Some(first) = part.first_mut()
    {
        *first = CUT;
    }
    if to < characters.len()
        && let Some(last) = part.last_mut()
    {
        *last = CUT;
    }
    let indent = column - from;
    let marks = length.min(width.saturating_sub(indent)).max(1);
    Shown {
        row,
        column: column + 1,
        line: part.into_iter().collect(),
        marks: format!("{}{}", " ".repeat(indent), "^".repeat(marks)),
    }
}

/// A text without characters that would move the cursor, hide, or turn the writing round.
pub fn visible(text: &str) -> String {
    text.chars().map(visible_character).collect()
}

/// JSON text whose strings hold such characters only as escapes (RFC 8259 §7): it says the same,
/// and does to a terminal nothing that it should not.
pub fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        // Below are the line ends between the members; those in strings are escaped already.
        if c < '\u{7f}' || visible_character(c) == c {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

fn visible_character(c: char) -> char {
    match c {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(HIDDEN),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => HIDDEN,
        c => c,
    }
}

/// The nearest place between characters at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

/// Characters of a long line that stand before the place.
const MARGIN: usize = 20;
const CUT: char = '…';
const HIDDEN: char = '\u{fffd}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_says_the_same_in_characters_that_do_nothing() {
        let text = "a\u{9b}2J\u{202e}b\u{7f}\u{1b}\n\u{e0041}\u{ad}é✓\"\\";
        let object = serde_json::json!({ text: [text, 1, null] });
        for json in [object.to_string(), format!("{object:#}")] {
            let escaped = escaped(&json);
            assert!(
                escaped.contains(r"a\u009b2J\u202eb\u007f\u001b\n\udb40\udc41\u00adé✓"),
                "{escaped}"
            );
            assert_eq!(escaped.lines().count(), json.lines().count());
            assert_eq!(visible(&escaped.replace('\n', "")), escaped.replace('\n', ""));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), object);
        }
    }

    fn lines(text: &str, start: usize, end: usize, width: usize) -> (String, String) {
        let shown = shown(text, Span { start, end }, width);
        (shown.line, shown.marks)
    }

    #[test]
    fn marks_stand_below_what_they_are_about() {
        let text = "v=spf1 inclued:x.example ~all";
        assert_eq!(
            lines(text, 7, 24, 80),
            (text.to_owned(), format!("{}{}", " ".repeat(7), "^".repeat(17)))
        );
        assert_eq!(lines("aé b", 4, 5, 80), ("aé b".to_owned(), "   ^".to_owned()));
        assert_eq!(lines("ab", 2, 2, 80), ("ab".to_owned(), "  ^".to_owned()));
        assert_eq!(lines("a\tb\u{1b}[1m", 1, 2, 80), ("a␉b␛[1m".to_owned(), " ^".to_owned()));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place_and_a_text_of_lines_shows_one() {
        let text = format!("{}X{}", "a".repeat(100), "b".repeat(100));
        let (line, marks) = lines(&text, 100, 101, 40);
        assert_eq!(line, format!("…{}X{}…", "a".repeat(19), "b".repeat(18)));
        assert_eq!(marks, format!("{}^", " ".repeat(20)));
        let shown = shown("one\ntwo three\nfour", Span { start: 8, end: 16 }, 40);
        assert_eq!((shown.row, shown.column), (2, 5));
        assert_eq!((shown.line.as_str(), shown.marks.as_str()), ("two three", "    ^^^^^"));
    }
}
