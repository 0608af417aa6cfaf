//! JSON by hand, since an event is encoded for every click: strings and their bounds.

/// Appends `"name":` after a comma unless it is the first in its object.
#[inline]
pub(super) fn name(out: &mut Vec<u8>, name: &str) {
    if !matches!(out.last(), Some(b'{')) {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a string with its quotes (RFC 8259 §7).
#[inline]
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Appends `"name":"text"`.
#[inline]
pub(super) fn pair(out: &mut Vec<u8>, key: &str, text: &str) {
    name(out, key);
    string(out, text);
}

/// Appends `"name":"text"` when there is a text.
#[inline]
pub(super) fn optional(out: &mut Vec<u8>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        pair(out, key, text);
    }
}

/// Appends a text's characters, escaped where JSON asks for it. DEL is escaped too, so that no
/// control character ever reaches a terminal.
pub(super) fn escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Nearly every text is plain all through. Without an early end this is done many bytes at a
    // time.
    if bytes.iter().fold(true, |all, byte| all & is_plain(*byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    let mut done = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if is_plain(*byte) {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => {
                let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

fn is_plain(byte: u8) -> bool {
    byte >= b' ' && byte != b'"' && byte != b'\\' && byte != 0x7f
}

/// Appends a decimal number.
pub(super) fn number(out: &mut Vec<u8>, value: u32) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    let mut value = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The longest start of `text` of at most `limit` bytes that ends between two characters.
pub(super) fn bounded(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    text.get(..text.floor_char_boundary(limit)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_back_by_a_json_parser(text in any::<String>(), value in any::<u32>()) {
            let mut out = b"{".to_vec();
            pair(&mut out, "text", &text);
            name(&mut out, "number");
            number(&mut out, value);
            out.push(b'}');
            let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read["text"].as_str(), Some(text.as_str()));
            prop_assert_eq!(read["number"].as_u64(), Some(u64::from(value)));
            prop_assert!(out.iter().all(|byte| *byte >= b' ' && *byte != 0x7f));
        }

        #[test]
        fn a_bound_never_cuts_a_character(text in any::<String>(), limit in 0usize..40) {
            let cut = bounded(&text, limit);
            prop_assert!(cut.len() <= limit && text.starts_with(cut));
            prop_assert!(text.len() <= limit || cut.len() + 4 > limit);
        }
    }
}
