//! The few pages that people see.

use askama::Template;

use crate::hostname::Hostname;

/// A page of one sentence. Written before its uses, since macros are.
macro_rules! page {
    ($title:literal, $text:literal) => {
        concat!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>",
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
<meta name="robots" content="noindex">
<title>{{ host }}</title>
<h1>{{ host }}</h1>
<p>This name carries the links and images of e-mail messages. A link in such a message leads
through here to its destination, so that its sender learns that it was followed.</p>
{% if !operator.is_empty() %}<p>It is run by {{ operator }}.</p>
{% endif %}</html>
"#
)]
struct Home<'a> {
    host: &'a str,
    operator: &'a str,
}

/// The page at `/` of `host`.
pub(super) fn home(host: &Hostname, operator: &str) -> String {
    Home { host: host.as_str(), operator }.render().unwrap_or_default()
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
        let page = home(&host, "<b>Us & \"Them\"</b>");
        assert!(page.contains("<h1>a.example</h1>"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
        assert!(!home(&host, "").contains("run by"));
    }
}
