//! Where a link may lead: checked by a parser when it is minted, by its bytes when it is
//! redeemed.
//!
//! A redirect must not depend on a parser's next version, or a link that is already in somebody's
//! mailbox could die with an upgrade.

use thiserror::Error;
use url::Url;

/// Reads a destination as a browser would (WHATWG URL) and returns its serialisation, which is
/// what is sealed. Whoever mints is at fault when it is refused.
pub fn destination(text: &str) -> Result<String, DestinationError> {
    if text.len() > MAX_DESTINATION {
        return Err(DestinationError::TooLong(text.len()));
    }
    // The parser drops tabs, line ends and outer blanks, and turns backslashes round: what it was
    // given and what it made of it would then be two destinations.
    let odd = |byte: &u8| *byte <= b' ' || *byte == 0x7f || *byte == b'\\';
    if let Some(byte) = text.bytes().find(|byte| odd(byte)) {
        return Err(DestinationError::Byte(byte));
    }
    let url = Url::parse(text).map_err(|error| DestinationError::Syntax(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(DestinationError::Scheme(url.scheme().to_owned()));
    }
    let after_scheme = text.split_once(':').map_or("", |(_, rest)| rest);
    if !after_scheme.starts_with("//") || after_scheme.starts_with("///") {
        return Err(DestinationError::Syntax("expected // and a host after the scheme".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() || has_userinfo(after_scheme) {
        return Err(DestinationError::Userinfo);
    }
    // A quote or a stray byte that the parser leaves alone is encoded by us, so that every
    // destination that is sealed can be redeemed.
    let text = String::from(url).replace('"', "%22").replace('\'', "%27").replace('\\', "%5C");
    if text.len() > MAX_DESTINATION {
        return Err(DestinationError::TooLong(text.len()));
    }
    if is_redeemable(&text) { Ok(text) } else { Err(DestinationError::Unredeemable) }
}

/// Whether a sealed destination may be redirected to: http or https and a host, printable ASCII,
/// no space, quote, backslash or control byte.
pub fn is_redeemable(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    has_host && text.len() <= MAX_DESTINATION && text.bytes().all(plain)
}

/// Why a destination is refused at minting.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DestinationError {
    /// A byte that no destination holds unencoded.
    #[error(
        "holds the byte {0:#04x}: spaces, backslashes and control bytes must be percent-encoded"
    )]
    Byte(u8),
    /// Another scheme.
    #[error("has the scheme {0}:, expected http: or https:")]
    Scheme(String),
    /// Not an absolute URL.
    #[error("is no absolute URL ({0}), expected one such as https://example.com/page")]
    Syntax(String),
    /// Longer than is taken.
    #[error("is {0} bytes long, at most 4096 are taken")]
    TooLong(usize),
    /// Cannot be written in a `Location`.
    #[error("cannot be written in printable ASCII")]
    Unredeemable,
    /// `user:password@`, which shows one host and leads to another.
    #[error("holds user information before the host, which hides where a link leads")]
    Userinfo,
}

/// An `@` in the authority, even with nothing before it.
fn has_userinfo(after_scheme: &str) -> bool {
    let rest = after_scheme.trim_start_matches('/');
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// The longest destination, as it is sealed.
const MAX_DESTINATION: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_open_is_sealed_as_the_browser_writes_it() {
        for (text, sealed) in [
            ("https://example.com", "https://example.com/"),
            ("HTTPS://EXAMPLE.com/A?b=c#d", "https://example.com/A?b=c#d"),
            ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
            ("https://e.com/?q=%0d%0aSet-Cookie:x", "https://e.com/?q=%0d%0aSet-Cookie:x"),
            ("https://e.com/a'b", "https://e.com/a%27b"),
            ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/"),
            ("https://e.com/mail@x", "https://e.com/mail@x"),
        ] {
            assert_eq!(destination(text).as_deref(), Ok(sealed), "{text}");
        }
    }

    #[test]
    fn what_could_mislead_is_refused_with_its_reason() {
        for (text, reason) in [
            ("javascript:alert(1)", "scheme javascript:"),
            ("JaVaScRiPt:alert(1)", "scheme javascript:"),
            ("data:text/html,x", "scheme data:"),
            ("vbscript:x", "scheme vbscript:"),
            ("file:///etc/passwd", "scheme file:"),
            ("intent://x#Intent;end", "scheme intent:"),
            ("mailto:a@example.com", "scheme mailto:"),
            ("//example.com/", "no absolute URL"),
            ("/path", "no absolute URL"),
            ("example.com", "no absolute URL"),
            ("", "no absolute URL"),
            ("https:example.com", "no absolute URL"),
            ("https:///example.com", "no absolute URL"),
            ("https://", "no absolute URL"),
            ("https:\\\\example.com", "0x5c"),
            ("https://example.com\\@evil.com", "0x5c"),
            ("https://user@example.com/", "user information"),
            ("https://user:pw@example.com/", "user information"),
            ("https://@example.com/", "user information"),
            ("java\tscript:alert(1)", "0x09"),
            ("https://example.com/\r\nSet-Cookie: a=b", "0x0d"),
            ("https://example.com/\n", "0x0a"),
            ("https://example.com/\0", "0x00"),
            (" https://example.com/", "0x20"),
            ("https://exa mple.com/", "0x20"),
        ] {
            let told = destination(text).unwrap_err().to_string();
            assert!(told.contains(reason), "{text:?}: {told}");
        }
        let long = format!("https://e.com/{}", "a".repeat(4_096));
        assert!(destination(&long).unwrap_err().to_string().contains("4110 bytes"));
    }

    #[test]
    fn redeeming_looks_at_bytes_only() {
        assert!(is_redeemable("https://e.com/%0d%0a"));
        for text in [
            "javascript:alert(1)",
            "//e.com",
            "https://e.com/\r\n",
            "https://e.com/ ",
            "https://e.com/\"",
            "https://e.com\\",
            "https://e.com/ü",
            "https://e.com/\u{7f}",
            "https:e.com",
            "https://",
            "http:///e.com",
            "https://?e.com",
            "https://#e.com",
            "",
        ] {
            assert!(!is_redeemable(text), "{text:?}");
        }
    }
}
