//! CAA records (RFC 8659 §4, RFC 8657), as they are written in a zone: flags, tag, value.

use serde_json::{Value, json};
use url::Url;

use super::piece::{Piece, is_blank};
use super::rules::tracking::T05;
use super::{Finding, Span, mailbox};

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The flags byte.
    pub flags: u8,
    /// The tag, in lower case: tags are compared without case.
    pub tag: String,
    /// The CA that may issue; `None` when none may, or for tags of another kind.
    pub issuer: Option<String>,
    /// The parameters of an issuer, names in lower case.
    pub parameters: Vec<(String, String)>,
}

impl Property {
    /// Whether a CA that does not know the tag must refuse to issue.
    pub fn is_critical(&self) -> bool {
        self.flags & CRITICAL != 0
    }

    /// What is in force, as `--json` prints it.
    pub fn json(&self) -> Value {
        let parameters: serde_json::Map<_, _> =
            self.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({
            "flags": self.flags,
            "tag": self.tag,
            "critical": self.is_critical(),
            "issuer": self.issuer,
            "parameters": parameters,
        })
    }
}

/// A record from DNS in the form that [`judge`] reads.
pub fn written(flags: u8, tag: &str, value: &[u8]) -> String {
    format!("{flags} {tag} \"{}\"", String::from_utf8_lossy(value))
}

/// What a record says, and every finding about it; `None` when it is no record.
pub fn judge(text: &str) -> (Option<Property>, Vec<Finding>) {
    let mut findings = Vec::new();
    let Some([flags, tag, value]) = fields(text) else {
        let finding = error("no CAA record").at(Span::all(text));
        findings.push(finding.expected("flags, tag and value, such as 0 issue \"ca.example\""));
        return (None, findings);
    };
    let Some(byte) = number(flags.text()) else {
        let finding = error(format!("\"{}\" are no flags", flags.text())).at(flags.span());
        findings.push(finding.expected("0, or 128 for critical"));
        return (None, findings);
    };
    if byte & !CRITICAL != 0 {
        findings.push(
            Finding::weak(&T05, format!("flags {byte}, with bits that mean nothing"))
                .at(flags.span())
                .expected("0, or 128 for critical; some CAs take bit 1 for critical too"),
        );
    }
    if !tag.text().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let finding = error(format!("\"{}\" is no tag", tag.text())).at(tag.span());
        findings.push(finding.expected("letters and digits, such as issue"));
        return (None, findings);
    }
    let mut property = Property {
        flags: byte,
        tag: tag.text().to_ascii_lowercase(),
        issuer: None,
        parameters: Vec::new(),
    };
    match property.tag.as_str() {
        "issue" | "issuewild" | "issuemail" | "issuevmc" => {
            issuer(value, &mut property, &mut findings);
        }
        "iodef" => iodef(value, &mut findings),
        "contactemail" if mailbox::parts(value.text()).is_none() => findings.push(
            Finding::weak(&T05, format!("\"{}\" is no mail address", value.text()))
                .at(value.span())
                .expected("an address such as security@example.com"),
        ),
        "contactphone" if !is_phone(value.text()) => findings.push(
            Finding::weak(&T05, format!("\"{}\" is no phone number", value.text()))
                .at(value.span())
                .expected("a number such as +15555550100"),
        ),
        "contactemail" | "contactphone" => {}
        name => findings.push(unknown(name, tag, property.is_critical())),
    }
    (Some(property), findings)
}

/// Flags, tag and value; a zone's owner, TTL, class and type before them are passed over.
fn fields(text: &str) -> Option<[Piece<'_>; 3]> {
    let all = Piece::all(text).trim(is_blank);
    let rest = match find_type(all.text()) {
        Some(at) => all.part(at, all.text().len()).trim(is_blank),
        None => all,
    };
    let (flags, rest) = word(rest)?;
    let (tag, value) = word(rest)?;
    let quoted = value.text().strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    let value = match quoted {
        Some(inner) => value.part(1, 1 + inner.len()),
        None => value,
    };
    Some([flags, tag, value])
}

/// Where the data begins in a line of a zone file.
fn find_type(text: &str) -> Option<usize> {
    let head = text.split('"').next().unwrap_or_default();
    let at = head.to_ascii_uppercase().find(" CAA ")?;
    Some(at + " CAA ".len())
}

fn word(text: Piece<'_>) -> Option<(Piece<'_>, Piece<'_>)> {
    let end = text.text().find(is_blank)?;
    let (word, rest) = text.split_at(end);
    Some((word, rest.trim(is_blank)))
}

fn number(text: &str) -> Option<u8> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// An issue value: a CA's domain or none, then parameters (RFC 8659 §4.2).
fn issuer(value: Piece<'_>, property: &mut Property, findings: &mut Vec<Finding>) {
    let refusal = "a CA takes a value that it cannot read for a refusal";
    let mut parts = value.split(';').map(|part| part.trim(is_blank));
    let name = parts.next().unwrap_or(value);
    if !name.text().is_empty() && !name.text().split('.').all(is_label) {
        let found = format!("\"{}\" is no domain of a CA: {refusal}", name.text());
        findings.push(error(found).at(name.span()).expected("a domain such as ca.example"));
    } else if !name.text().is_empty() {
        property.issuer = Some(name.text().to_ascii_lowercase());
    } else {
        let what = if property.tag == "issue" { "no CA may issue" } else { "nobody may issue" };
        findings.push(Finding::weak(&T05, what).at(value.span()).expected("the domain of a CA"));
    }
    for part in parts.filter(|part| !part.text().is_empty()) {
        match part.split_once('=') {
            Some((tag, value)) if is_label(tag.trim(is_blank).text()) => {
                let (tag, value) = (tag.trim(is_blank), value.trim(is_blank));
                parameter(tag, value, property, findings);
            }
            _ => {
                let found = format!("\"{}\" is no parameter: {refusal}", part.text());
                findings.push(error(found).at(part.span()).expected("name=value"));
            }
        }
    }
}

fn parameter(
    tag: Piece<'_>,
    value: Piece<'_>,
    property: &mut Property,
    findings: &mut Vec<Finding>,
) {
    let name = tag.text().to_ascii_lowercase();
    let at = tag.span().to(value.span());
    if !value.text().bytes().all(|byte| byte.is_ascii_graphic()) {
        let found =
            format!("characters that a parameter may not hold: {}", value.text().escape_debug());
        findings.push(error(found).at(value.span()).expected("visible ASCII characters"));
        return;
    }
    if property.parameters.iter().any(|(own, _)| *own == name) {
        let found = format!("a second {name}, which no CA can meet");
        findings.push(error(found).at(at).expected("each parameter once"));
    }
    match name.as_str() {
        "accounturi" if Url::parse(value.text()).is_err() => {
            let found = format!("accounturi \"{}\" is no URI", value.text());
            findings.push(error(found).at(at).expected("the URI of an ACME account"));
        }
        "validationmethods" => {
            let methods = value.split(',').map(|method| method.trim(is_blank));
            for method in methods.filter(|method| !is_method(method.text())) {
                let found = format!("\"{}\" is no validation method that is known", method.text());
                findings.push(
                    Finding::weak(&T05, found).at(method.span()).expected(
                        "http-01, dns-01, tls-alpn-01, or a CA's own that begins with ca-",
                    ),
                );
            }
        }
        "accounturi" => {}
        _ => findings.push(
            Finding::note(&T05, format!("the parameter {name}, whose meaning is the CA's own"))
                .at(at),
        ),
    }
    property.parameters.push((name, value.text().to_owned()));
}

fn iodef(value: Piece<'_>, findings: &mut Vec<Finding>) {
    let url = Url::parse(value.text()).ok();
    let is_address = url.as_ref().is_some_and(|url| match url.scheme() {
        "mailto" => mailbox::parts(url.path()).is_some(),
        "http" | "https" => url.domain().is_some_and(|host| host.contains('.')),
        _ => false,
    });
    if !is_address {
        findings.push(
            Finding::weak(&T05, format!("\"{}\" is no address for reports", value.text()))
                .at(value.span())
                .expected("a mailto:, http: or https: URI"),
        );
    }
}

fn unknown(name: &str, tag: Piece<'_>, is_critical: bool) -> Finding {
    let finding = if is_critical {
        error(format!("the critical tag {name}, which CAs do not know: none may issue"))
    } else {
        Finding::note(&T05, format!("the tag {name}, which CAs do not know and ignore"))
    };
    finding.at(tag.span()).expected("issue, issuewild, issuemail, issuevmc, iodef or a contact tag")
}

fn error(found: impl Into<String>) -> Finding {
    Finding::error(&T05, found)
}

/// Letters and digits, with hyphens inside.
fn is_label(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    ends(text.as_bytes().first())
        && ends(text.as_bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_method(text: &str) -> bool {
    let known = ["http-01", "dns-01", "tls-alpn-01", "dns-account-01", "dns-persist-01"];
    known.contains(&text) || text.strip_prefix("ca-").is_some_and(is_label)
}

fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let allowed = |byte: u8| byte.is_ascii_digit() || b"+-. ()".contains(&byte);
    digits >= 5 && text.bytes().all(allowed)
}

/// The flag "issuer critical" (RFC 8659 §4.1).
const CRITICAL: u8 = 128;
