//! A TXT record as it is published: strings, read as one text.

/// The text of a TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    text: String,
    strings: Vec<usize>,
}

impl Published {
    /// A record as DNS carries it: strings of at most 255 bytes, joined with nothing between
    /// (RFC 7208 §3.3, RFC 6376 §3.6.2.2). What is not UTF-8 reads as U+FFFD: no record of the
    /// audit may hold either.
    pub fn of_strings<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Self {
        let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
        for string in strings {
            bytes.extend_from_slice(string.as_ref());
            lengths.push(string.as_ref().len());
        }
        Self { text: String::from_utf8_lossy(&bytes).into_owned(), strings: lengths }
    }

    /// A record as somebody is about to publish it: one or more quoted strings as in a zone file
    /// (RFC 1035 §5.1), else the text itself.
    pub fn of_input(input: &str) -> Self {
        match quoted(input) {
            Some(strings) => Self::of_strings(strings),
            None => Self { text: input.to_owned(), strings: Vec::new() },
        }
    }

    /// A record as a zone holds a text: in strings as long as they may be.
    pub(super) fn of_text(text: &str) -> Self {
        Self::of_strings(text.as_bytes().chunks(MAX_STRING))
    }

    /// The strings, joined.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lengths of the strings in bytes; empty when the text has not been split yet.
    pub fn strings(&self) -> &[usize] {
        &self.strings
    }

    /// What the record takes in a DNS answer, without its name and header, in bytes.
    pub fn octets(&self) -> usize {
        match self.strings.len() {
            0 => self.text.len() + self.text.len().div_ceil(MAX_STRING).max(1),
            count => self.strings.iter().sum::<usize>() + count,
        }
    }
}

/// The strings of a text that is wholly made of quoted strings.
fn quoted(input: &str) -> Option<Vec<Vec<u8>>> {
    let mut rest = input.trim().as_bytes();
    let mut strings = Vec::new();
    while let Some((b'"', after)) = rest.split_first() {
        let (string, after) = string(after)?;
        strings.push(string);
        rest = after.trim_ascii_start();
    }
    (rest.is_empty() && !strings.is_empty()).then_some(strings)
}

/// What is before the closing quote, its escapes resolved, and what is behind it.
fn string(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut string = Vec::new();
    loop {
        match rest {
            [b'"', after @ ..] => return Some((string, after)),
            [b'\\', a @ b'0'..=b'2', b @ b'0'..=b'9', c @ b'0'..=b'9', after @ ..] => {
                let digit = |digit: u8| u16::from(digit - b'0');
                let value = digit(*a) * 100 + digit(*b) * 10 + digit(*c);
                string.push(u8::try_from(value).ok()?);
                rest = after;
            }
            [b'\\', byte, after @ ..] | [byte, after @ ..] => {
                string.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

/// The longest string of a TXT record, in bytes (RFC 1035 §3.3).
pub(super) const MAX_STRING: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings_are_joined_with_nothing_between_and_others_are_left_alone() {
        for (input, text, strings) in [
            (r#""v=spf1 ip4:192.0.2.1" " -all""#, "v=spf1 ip4:192.0.2.1 -all", vec![20, 5]),
            (r#""v=DKIM1; p=AB" "CD""#, "v=DKIM1; p=ABCD", vec![13, 2]),
            (r#"  "a\"b\\c\059d"  "#, "a\"b\\c;d", vec![7]),
            (r#""""#, "", vec![0]),
            (r#"v=spf1 "quoted" -all"#, r#"v=spf1 "quoted" -all"#, vec![]),
            (r#""unclosed"#, r#""unclosed"#, vec![]),
            (r#""a" b"#, r#""a" b"#, vec![]),
            (r"v=DMARC1\; p=none", r"v=DMARC1\; p=none", vec![]),
            ("", "", vec![]),
        ] {
            let published = Published::of_input(input);
            assert_eq!(published.text(), text, "{input}");
            assert_eq!(published.strings(), strings, "{input}");
        }
    }

    #[test]
    fn a_record_takes_a_length_byte_for_each_string() {
        assert_eq!(Published::of_strings(["ab", "c"]).octets(), 5);
        assert_eq!(Published::of_input(&"x".repeat(256)).octets(), 258);
        assert_eq!(Published::of_input("").octets(), 1);
    }
}
