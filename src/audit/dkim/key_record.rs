//! A key record, read and judged (RFC 6376 §3.6.1).

use serde_json::{Value, json};

use super::{Encoding, KeyError, PublicKey};
use crate::audit::piece::Piece;
use crate::audit::rules::dkim;
use crate::audit::tags::{Segment, Tag, items, repeated, segments, tags};
use crate::audit::{Finding, Published, Severity};

/// What a key record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRecord {
    /// Whether a verifier uses it: it has a key that can be used for e-mail with sha256.
    pub is_usable: bool,
    /// The key, when it could be decoded.
    pub key: Option<PublicKey>,
    /// How the key is written.
    pub encoding: Option<Encoding>,
    /// Whether `p=` is empty, which revokes the key.
    pub is_revoked: bool,
    /// Whether the flag y is set: the domain is testing.
    pub is_testing: bool,
    /// Whether the flag s is set: no signatures for subdomains.
    pub is_strict: bool,
}

/// What is known of whoever signs with the key; nothing is asked of what is not known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signer<'a> {
    /// The key that signs.
    pub key: Option<&'a PublicKey>,
    /// Whether signatures name an identity in a subdomain (`i=@sub.example.com`).
    pub names_subdomains: bool,
}

impl KeyRecord {
    /// What is in force, as `--json` prints it.
    pub fn json(&self) -> Value {
        json!({
            "usable": self.is_usable,
            "key": self.key.as_ref().map(|key| json!({ "type": key.kind(), "bits": key.bits() })),
            "revoked": self.is_revoked,
            "testing": self.is_testing,
            "strict": self.is_strict,
        })
    }
}

/// What a record says, as verifiers take it.
pub fn read(text: &str) -> KeyRecord {
    examine(text, Signer::default()).0
}

/// What a record says, and every finding about it.
pub fn judge(published: &Published, signer: Signer<'_>) -> (KeyRecord, Vec<Finding>) {
    let text = published.text();
    let (record, mut findings) = examine(text, signer);
    let clean: String = text.chars().filter(|c| !"\\\"".contains(*c)).collect();
    if clean != text && read(&clean).is_usable {
        for finding in findings.iter_mut().filter(|finding| finding.rule == &dkim::K03) {
            finding.record = Some(clean.clone());
        }
    }
    (record, findings)
}

fn examine(text: &str, signer: Signer<'_>) -> (KeyRecord, Vec<Finding>) {
    let (mut record, mut findings) = (KeyRecord::default(), Vec::new());
    form(text, &mut findings);
    version(text, &mut findings);
    let last = |name: &str| tags(text).filter(|tag| tag.name.text() == name).last();
    key(text, last("k"), last("p"), &mut record, &mut findings);
    if let Some(hashes) = last("h") {
        let mut names = items(hashes.value, ':').map(Piece::text);
        if !names.any(|name| name == "sha256") {
            let found = format!("h={}", hashes.value.text());
            findings.push(
                Finding::error(&dkim::K09, found)
                    .at(hashes.whole.span())
                    .expected("h=sha256, or no h"),
            );
        }
    }
    if let Some(services) = last("s") {
        let mut names = items(services.value, ':').map(Piece::text);
        if !names.any(|name| matches!(name, "*" | "email")) {
            let found = format!("s={}", services.value.text());
            findings.push(
                Finding::error(&dkim::K10, found)
                    .at(services.whole.span())
                    .expected("s=email, s=* or no s"),
            );
        }
    }
    if let Some(flags) = last("t") {
        let has = |flag| items(flags.value, ':').any(|item| item.text() == flag);
        (record.is_testing, record.is_strict) = (has("y"), has("s"));
        flags_findings(flags, &record, signer, &mut findings);
    }
    record.is_usable = record.key.is_some()
        && findings
            .iter()
            .all(|finding| finding.severity != Severity::Error || finding.rule == &dkim::K13);
    if let (Some(published), Some(signing)) = (&record.key, signer.key)
        && published != signing
    {
        findings.push(
            Finding::error(&dkim::K13, format!("a key, {published:?}, that does not sign"))
                .expected(format!("the key that signs, {signing:?}")),
        );
    }
    (record, findings)
}

/// The list as a whole.
fn form(text: &str, findings: &mut Vec<Finding>) {
    for (mark, what) in [('\\', "a backslash"), ('"', "a quotation mark")] {
        if let Some((before, _)) = Piece::all(text).split_once(mark) {
            let at = before.span().end;
            let found = format!("{what}, which becomes part of a value");
            findings.push(
                Finding::error(&dkim::K03, found)
                    .at(Piece::all(text).part(at, at + 1).span())
                    .expected("the record without it"),
            );
        }
    }
    for segment in segments(text) {
        if let Segment::Junk(junk) = segment {
            findings.push(
                Finding::error(&dkim::K03, format!("\"{}\" is no tag=value", junk.text()))
                    .at(junk.span())
                    .expected("tag=value, with semicolons between"),
            );
        }
    }
    for tag in repeated(text) {
        findings.push(
            Finding::error(
                &dkim::K03,
                format!("a second {}, which voids the list", tag.name.text()),
            )
            .at(tag.whole.span())
            .expected("each tag once"),
        );
    }
}

fn version(text: &str, findings: &mut Vec<Finding>) {
    for (at, tag) in tags(text).enumerate() {
        if tag.name.text() != "v" {
            continue;
        }
        let found = if tag.value.text() != VERSION {
            format!("v={}", tag.value.text())
        } else if at > 0 {
            "v behind other tags".to_owned()
        } else {
            continue;
        };
        findings.push(
            Finding::error(&dkim::K04, found)
                .at(tag.whole.span())
                .expected("v=DKIM1 as the first tag, or no v"),
        );
    }
}

fn key(
    text: &str,
    kind: Option<Tag<'_>>,
    value: Option<Tag<'_>>,
    record: &mut KeyRecord,
    findings: &mut Vec<Finding>,
) {
    let Some(value) = value else {
        let finding = Finding::error(&dkim::K05, "no p: the record holds no key");
        findings.push(finding.at(Piece::all(text).span()).expected("p= and the key in base64"));
        return;
    };
    if value.value.text().is_empty() {
        record.is_revoked = true;
        let finding = Finding::error(&dkim::K05, "an empty p: the key is revoked");
        findings.push(finding.at(value.whole.span()).expected("p= and the key in base64"));
        return;
    }
    let name = kind.map_or("rsa", |kind| kind.value.text());
    let decoded = match name {
        "rsa" => PublicKey::rsa(value.value.text()),
        "ed25519" => PublicKey::ed25519(value.value.text()),
        _ => {
            let at = kind.unwrap_or(value).whole.span();
            let finding = Finding::error(&dkim::K08, format!("k={name}, which no verifier knows"));
            findings.push(finding.at(at).expected("k=rsa or k=ed25519"));
            return;
        }
    };
    match decoded {
        Ok((key, encoding)) => {
            strength(&key, value, findings);
            record.key = Some(key);
            record.encoding = Some(encoding);
        }
        Err(error) => findings.push(undecoded(error, name, value)),
    }
}

fn undecoded(error: KeyError, name: &str, value: Tag<'_>) -> Finding {
    let is_form = matches!(error, KeyError::Length(_) | KeyError::Wrapped);
    let rule = if is_form { &dkim::K08 } else { &dkim::K06 };
    let expected = match name {
        "ed25519" => "the 32 bytes of the key as 44 characters of base64",
        _ => "an RSA key as SubjectPublicKeyInfo in base64, which begins with MI",
    };
    Finding::error(rule, format!("p {error}")).at(value.value.span()).expected(expected)
}

fn strength(key: &PublicKey, value: Tag<'_>, findings: &mut Vec<Finding>) {
    let bits = key.bits();
    let finding = match key {
        PublicKey::Ed25519(_) => {
            Finding::weak(&dkim::K08, "an Ed25519 key, which not every verifier knows")
                .expected("a second selector with an RSA key beside it")
        }
        PublicKey::Rsa { .. } if bits < WEAKEST => Finding::error(
            &dkim::K07,
            format!("an RSA key of {bits} bits, which no verifier accepts"),
        )
        .expected("2048 bits"),
        PublicKey::Rsa { .. } if bits < STRONG => {
            Finding::weak(&dkim::K07, format!("an RSA key of {bits} bits")).expected("2048 bits")
        }
        PublicKey::Rsa { .. } if bits > LARGEST => {
            let found = format!("an RSA key of {bits} bits, which verifiers need not handle");
            Finding::weak(&dkim::K07, found).expected("2048 bits, at most 4096")
        }
        PublicKey::Rsa { .. } => return,
    };
    findings.push(finding.at(value.value.span()));
}

fn flags_findings(
    flags: Tag<'_>,
    record: &KeyRecord,
    signer: Signer<'_>,
    findings: &mut Vec<Finding>,
) {
    if record.is_testing {
        findings.push(
            Finding::weak(&dkim::K11, "t=y: test mode").at(flags.whole.span()).expected("no t=y"),
        );
    }
    if record.is_strict && signer.names_subdomains {
        findings.push(
            Finding::weak(&dkim::K12, "t=s, while signatures name a subdomain in i")
                .at(flags.whole.span())
                .expected("no t=s"),
        );
    }
}

/// The one version (RFC 6376 §3.6.1).
const VERSION: &str = "DKIM1";
/// Bits of an RSA key (RFC 8301 §3.2).
const WEAKEST: usize = 1_024;
const STRONG: usize = 2_048;
const LARGEST: usize = 4_096;
