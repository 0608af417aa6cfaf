//! The destination of a redirect, in the one form in which it may be written into an answer.

use http::HeaderValue;

/// The value of a `Location` field that is safe to write: an absolute http or https URL in
/// printable ASCII.
///
/// Bytes are checked, not parsed: a sealed link must open for as long as it lies in somebody's
/// mailbox, whatever a URL library thinks of it by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location(HeaderValue);

impl Location {
    /// `None` for anything that is not `http://` or `https://` followed by a host, or holds a
    /// space, a quote, a backslash, a control byte or a byte beyond ASCII.
    pub fn new(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        let named = !matches!(rest.as_bytes().first(), None | Some(b'/' | b'?' | b'#' | b':'));
        if !named || url.len() > LONGEST || !is_safe(url) {
            return None;
        }
        HeaderValue::from_str(url).ok().map(Self)
    }

    /// The value to write.
    pub fn into_value(self) -> HeaderValue {
        self.0
    }
}

/// Without an early end, so that it is done many bytes at a time: nearly every URL is.
fn is_safe(url: &str) -> bool {
    let is_safe = |byte: u8| (0x21..=0x7e).contains(&byte) & (byte != b'"') & (byte != b'\\');
    url.bytes().fold(true, |all, byte| all & is_safe(byte))
}

/// What a token may seal is shorter; this bounds the answer whatever a token holds.
const LONGEST: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_and_https_urls_in_safe_bytes_are_written() {
        for url in [
            "https://example.com",
            "http://example.com/a?b=%0d%0aSet-Cookie:%20x#y'z",
            "https://user@example.com:8443/",
            "https://[2001:db8::1]/",
        ] {
            assert_eq!(Location::new(url).unwrap().into_value(), url);
        }
        for url in [
            "",
            "//example.com",
            "https:",
            "https://",
            "https:///example.com",
            "https:/\\example.com",
            "https://?x",
            "HTTPS://example.com",
            " https://example.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "intent://x#Intent;end",
            "https://example.com/\r\nSet-Cookie: a=b",
            "https://example.com/a b",
            "https://example.com/\"",
            "https://example.com\\@evil.example",
            "https://example.com/\0",
            "https://example.com/\u{7f}",
            "https://example.com/\u{560a}",
        ] {
            assert_eq!(Location::new(url), None, "{url:?}");
        }
    }
}
