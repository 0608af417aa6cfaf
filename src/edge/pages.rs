//! The few pages that people see.

use askama::Template;

use crate::hostname::Hostname;

/// A page of one sentence. Written before its uses, since macros are.
macro_rules! page {
    ($title:literal, $text:literal) => {
        concat!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n",
            "<meta name=\"viewport\" content=\"width=device-width\">\n",
            "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
            $title,
            "</title>\n<h1>",
            $title,
            "</h1>\n<p>",
            $text,
            "</p>\n</html>\n"
        )
    };
}
/// The page at `/`: what this name is, and who runs it.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{{ host }}</title>
<h1>{{ host }}</h1>
{% match kind %}{% when Kind::Tracking { is_secure } %}<p>This name carries the links and images of e-mail messages. A link in such a message leads
through here to its destination, so that its sender learns that it was followed.</p>
{% if *is_secure %}<p>It is set up: it leads here, and its links open over HTTPS.</p>
{% endif %}{% when Kind::Platform %}<p>This is the address of a service that carries the links and images of e-mail messages. Its
customers let names of their own lead here, by a CNAME. Whoever was given a link to the page of
such a name sees there how it stands, and what is to be done.</p>
{% endmatch %}{% if !operator.is_empty() %}<p>It is run by {{ operator }}.</p>
{% endif %}</html>
"#
)]
struct Home<'a> {
    host: &'a str,
    operator: &'a str,
    kind: Kind,
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A customer's. That it is set up is known where a certificate was shown for it.
    Tracking { is_secure: bool },
    /// The platform's own.
    Platform,
}

/// The page at `/` of `host`.
pub(super) fn home(host: &Hostname, kind: Kind, operator: &str) -> String {
    Home { host: host.as_str(), operator, kind }.render().unwrap_or_default()
}

/// The page of a name that is not among the customers'.
pub(super) fn unlisted(name: &Hostname) -> String {
    // A name holds no character that means anything in HTML.
    format!(
        page!("Not known here", "The name {} is not known here. It may have been removed."),
        name
    )
}

pub(super) const NOT_FOUND: &str =
    page!("Not found", "There is nothing here. The link may be incomplete.");
pub(super) const BAD_HOST: &str =
    page!("Bad request", "The request does not say which name it is for.");
pub(super) const MISDIRECTED: &str =
    page!("Misdirected request", "This connection is not for the name that was asked.");
pub(super) const HAS_BODY: &str = page!("Content too large", "Requests here carry no content.");
pub(super) const FAILED: &str = page!("Failed", "This could not be answered. Please try again.");
pub(super) const METHOD: &str = page!("Method not allowed", "Only GET and HEAD are answered here.");
pub(super) const ENDED: &str =
    page!("This link has ended", "Whoever gave you the link can make a new one.");
pub(super) const UNAVAILABLE: &str =
    page!("Not now", "This cannot be shown at the moment. Please try again in a few seconds.");
pub(super) const CROSS_SITE: &str =
    page!("Refused", "Another site asked for this. Open the page itself, and ask there.");
pub(super) const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

/// A transparent pixel: GIF89a, 1 × 1, 43 bytes.
pub(super) const PIXEL: &[u8; 43] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\
    \x21\xf9\x04\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_writes_is_text_and_not_markup() {
        let host = Hostname::parse("a.example").unwrap();
        let kind = Kind::Tracking { is_secure: false };
        let page = home(&host, kind, "<b>Us & \"Them\"</b>");
        assert!(page.contains("<h1>a.example</h1>"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
        assert!(!home(&host, kind, "").contains("run by"));
    }

    #[test]
    fn a_name_is_called_set_up_only_where_a_certificate_was_shown() {
        let host = Hostname::parse("a.example").unwrap();
        for (kind, is_told) in [
            (Kind::Tracking { is_secure: true }, true),
            (Kind::Tracking { is_secure: false }, false),
            (Kind::Platform, false),
        ] {
            assert_eq!(home(&host, kind, "").contains("is set up"), is_told, "{kind:?}");
        }
        assert!(unlisted(&host).contains("The name a.example is"));
    }
}
