//! A BIMI record, read and judged (draft-brand-indicators §4.3).

use serde_json::{Value, json};
use url::Url;

use crate::audit::piece::Piece;
use crate::audit::rules::bimi;
use crate::audit::tags::{Segment, Tag, items, repeated, segments, tags};
use crate::audit::{Finding, Published, Severity, Span};

/// What a record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indicator {
    /// Where the image is; `None` when the domain declines to show one, or when `l` is at fault.
    pub location: Option<String>,
    /// Where the mark certificate is.
    pub evidence: Option<String>,
    /// Whether the domain says that it has no image: `l` is empty, and `a` too if it stands.
    pub is_declined: bool,
}

impl Indicator {
    /// What is in force, as `--json` prints it.
    pub fn json(&self) -> Value {
        json!({
            "location": self.location,
            "evidence": self.evidence,
            "declined": self.is_declined,
        })
    }
}

/// Whether a text is a BIMI record: its first tag is `v` and exactly `BIMI1`.
pub fn is_record(text: &str) -> bool {
    let head =
        Piece::all(text).split(';').next().map(|head| head.trim(crate::audit::piece::is_blank));
    let first = tags(text).next();
    first.is_some_and(|tag| {
        head.is_some_and(|head| head.span() == tag.whole.span())
            && tag.name.text() == "v"
            && tag.value.text() == VERSION
    })
}

/// Reads a record; `None` for a text that is none.
pub fn read(text: &str) -> Option<Indicator> {
    if !is_record(text) || !repeated(text).is_empty() {
        return None;
    }
    let tag = |name: &str| tags(text).find(|tag| tag.name.text() == name);
    let uri = |tag: Option<Tag<'_>>| {
        let value = tag?.value.text();
        is_https(value).then(|| value.to_owned())
    };
    let location = uri(tag("l")).filter(|uri| is_image(uri));
    let is_empty = |name: &str| tag(name).is_some_and(|tag| tag.value.text().is_empty());
    let is_declined = is_empty("l") && (tag("a").is_none() || is_empty("a"));
    Some(Indicator { location, evidence: uri(tag("a")), is_declined })
}

/// What a record says, and every finding about it.
pub fn judge(published: &Published) -> (Option<Indicator>, Vec<Finding>) {
    let text = published.text();
    let (indicator, mut findings) = examine(text);
    if indicator.is_none()
        && let Some((first, rest)) = text.split_once(';')
        && first.replace([' ', '\t'], "").eq_ignore_ascii_case(VERSION_TAG)
    {
        let clean = format!("{VERSION_TAG};{rest}");
        let is_error = |finding: &Finding| finding.severity == Severity::Error;
        if !examine(&clean).1.iter().any(is_error) {
            findings.iter_mut().for_each(|finding| finding.record = Some(clean.clone()));
        }
    }
    (indicator, findings)
}

fn examine(text: &str) -> (Option<Indicator>, Vec<Finding>) {
    let mut findings = Vec::new();
    if !is_record(text) {
        let at = Piece::all(text).split(';').next().map_or_else(|| Span::all(text), Piece::span);
        let found = format!("the record begins with \"{}\"", at.of(text));
        findings.push(
            Finding::error(&bimi::B03, found).at(at).expected("v=BIMI1, in this case, first"),
        );
        return (None, findings);
    }
    for segment in segments(text) {
        match segment {
            Segment::Junk(junk) => findings.push(
                Finding::error(&bimi::B04, format!("\"{}\" is no tag=value", junk.text()))
                    .at(junk.span())
                    .expected("tag=value, with semicolons between"),
            ),
            Segment::Tag(tag) => each(tag, &mut findings),
        }
    }
    for tag in repeated(text) {
        findings.push(
            Finding::error(&bimi::B04, format!("a second {}", tag.name.text()))
                .at(tag.whole.span())
                .expected("each tag once"),
        );
    }
    let indicator = read(text);
    missing(text, indicator.as_ref(), &mut findings);
    (indicator, findings)
}

fn each(tag: Tag<'_>, findings: &mut Vec<Finding>) {
    let (value, at) = (tag.value.text(), tag.value.span());
    match tag.name.text() {
        "l" if value.is_empty() => {}
        "l" => {
            if let Some(found) = location(value) {
                let expected = "one https URI that ends in .svg or .svgz, commas inside as %2C";
                findings.push(Finding::error(&bimi::B04, found).at(at).expected(expected));
            }
        }
        "a" if value.is_empty() => {}
        "a" if !is_https(value) => findings.push(
            Finding::error(&bimi::B05, format!("a=\"{value}\" is no https URI"))
                .at(at)
                .expected("the https URI of a mark certificate, or nothing"),
        ),
        "avp" if !matches!(value, "brand" | "personal") => findings.push(
            Finding::weak(&bimi::B06, format!("avp={value}")).at(at).expected("brand or personal"),
        ),
        "lps" if !items(tag.value, ',').all(|item| is_prefix(item.text())) => {
            findings.push(Finding::weak(&bimi::B06, format!("lps={value}")).at(at).expected(
                "prefixes of local parts: letters, digits and hyphens, with commas between",
            ))
        }
        _ => {}
    }
}

fn missing(text: &str, indicator: Option<&Indicator>, findings: &mut Vec<Finding>) {
    let has = |name: &str| tags(text).any(|tag| tag.name.text() == name);
    if !has("l") {
        let finding = Finding::error(&bimi::B04, "no l").at(Span::all(text));
        findings.push(finding.expected("l= and the https URI of the image"));
    }
    let Some(indicator) = indicator else { return };
    let is_sole = tags(text).any(|tag| tag.name.text() == "a" && !tag.value.text().is_empty());
    if indicator.location.is_some() && !is_sole {
        findings.push(
            Finding::weak(&bimi::B05, "no mark certificate: large providers show no logo")
                .expected("a= and the https URI of a mark certificate"),
        );
    } else if !indicator.is_declined
        && is_sole
        && tags(text).any(|tag| tag.name.text() == "l" && tag.value.text().is_empty())
    {
        findings.push(
            Finding::error(&bimi::B04, "an empty l beside a certificate")
                .expected("l= and the https URI of the image"),
        );
    }
}

/// What is wrong with an image's address.
fn location(value: &str) -> Option<String> {
    if value.contains(',') {
        return Some("several addresses, or a comma that is not encoded".to_owned());
    }
    if !is_https(value) {
        return Some(format!("\"{value}\" is no https URI"));
    }
    (!is_image(value)).then(|| format!("\"{value}\" does not end in .svg or .svgz"))
}

fn is_https(value: &str) -> bool {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic()) && !value.contains(',');
    let has_scheme = value.get(..8).is_some_and(|head| head.eq_ignore_ascii_case("https://"));
    let is_named = |url: Url| url.domain().is_some_and(|host| host.contains('.'));
    is_plain && has_scheme && Url::parse(value).is_ok_and(is_named)
}

fn is_image(value: &str) -> bool {
    let path = Url::parse(value).map(|url| url.path().to_ascii_lowercase()).unwrap_or_default();
    path.ends_with(".svg") || path.ends_with(".svgz")
}

fn is_prefix(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

const VERSION: &str = "BIMI1";
const VERSION_TAG: &str = "v=BIMI1";
