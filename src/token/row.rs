//! One row of what is to be minted: what a sender says of a link, as one JSON object on a line.
//!
//! The names are those of the event's `data`, with `host` and `kind`; `docs/minting.md` has the
//! table. A field that is null or left out is not sealed.

use std::borrow::Cow;

use thiserror::Error;

use super::excerpt::Excerpt;
use super::written::Written;
use crate::clock::Timestamp;

/// What a sender says of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// What the link does.
    pub kind: Option<LinkKind>,
    /// The tracking host that it is on.
    pub host: Option<Cow<'a, str>>,
    /// Where a click leads.
    pub url: Option<Cow<'a, str>>,
    /// The sender's account.
    pub account: Option<Cow<'a, str>>,
    /// The campaign.
    pub campaign: Option<Cow<'a, str>>,
    /// The message: one mail to one recipient.
    pub message: Option<Cow<'a, str>>,
    /// The template or variant.
    pub template: Option<Cow<'a, str>>,
    /// The list or segment.
    pub list: Option<Cow<'a, str>>,
    /// The recipient, an opaque id.
    pub recipient: Option<Cow<'a, str>>,
    /// The link, an id.
    pub link: Option<Cow<'a, str>>,
    /// The link's name.
    pub link_name: Option<Cow<'a, str>>,
    /// The link's place in the mail.
    pub link_position: Option<u32>,
    /// When the mail was sent.
    pub sent_at: Option<Timestamp>,
    /// What else the sender wants to find in the event.
    pub meta: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// What a link does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// It leads to a destination.
    #[default]
    Click,
    /// It shows a pixel.
    Open,
}

/// Why a row mints no link: its writer is at fault, but for the last two.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RowError {
    /// A field is not what it has to be.
    #[error("{key} = {value}: {reason}")]
    Field {
        /// Its name.
        key: String,
        /// Its value as written, cut to a line.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A field has to be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The line is no row.
    #[error("{0}")]
    Syntax(String),
    /// No key can seal: there is none, or all are refused.
    #[error("there is no key to seal with: make one with `waypost key new`")]
    NoKey,
    /// The cipher or the random source failed.
    #[error("the cipher failed")]
    Cipher,
}

impl<'a> Row<'a> {
    /// Reads a row from the bytes of a line.
    pub fn parse(line: &'a [u8]) -> Result<Self, RowError> {
        if line.len() > MAX_ROW {
            return Err(RowError::Syntax(format!("is longer than {MAX_ROW} bytes")));
        }
        if line.trim_ascii().is_empty() {
            return Err(RowError::Syntax(format!("is empty, {EXPECTED}")));
        }
        match serde_json::from_slice(line) {
            Ok(Written::Table(fields)) => {
                let mut row = Self::default();
                for (key, value) in fields {
                    row.put(&key, value)?;
                }
                Ok(row)
            }
            Ok(other) => Err(RowError::Syntax(format!("is {other}, {EXPECTED}"))),
            Err(error) => {
                let (told, column) = (error.to_string(), error.column());
                // The line that the parser counts is always the first.
                let told = told.split(" at line ").next().unwrap_or_default();
                Err(RowError::Syntax(format!("is no JSON: {told} at byte {column}; {EXPECTED}")))
            }
        }
    }

    fn put(&mut self, key: &str, value: Written<'a>) -> Result<(), RowError> {
        match key {
            "kind" => once(key, &mut self.kind, value, kind),
            "host" => once(key, &mut self.host, value, text),
            "url" => once(key, &mut self.url, value, text),
            "account" => once(key, &mut self.account, value, text),
            "campaign" => once(key, &mut self.campaign, value, text),
            "message" => once(key, &mut self.message, value, text),
            "template" => once(key, &mut self.template, value, text),
            "list" => once(key, &mut self.list, value, text),
            "recipient" => once(key, &mut self.recipient, value, text),
            "link" => once(key, &mut self.link, value, text),
            "link_name" => once(key, &mut self.link_name, value, text),
            "link_position" => once(key, &mut self.link_position, value, position),
            "sent_at" => once(key, &mut self.sent_at, value, moment),
            "meta" => self.put_meta(value),
            _ => {
                let reason = format!("unknown field; a row takes {}", FIELDS.join(", "));
                Err(RowError::field(key, value, reason))
            }
        }
    }

    fn put_meta(&mut self, value: Written<'a>) -> Result<(), RowError> {
        if !self.meta.is_empty() {
            return Err(RowError::field("meta", value, TWICE));
        }
        match value {
            Written::Null => Ok(()),
            Written::Table(pairs) => {
                for (key, value) in pairs {
                    match value {
                        Written::Text(text) => self.meta.push((key, text)),
                        other => {
                            let key = format!("meta.{}", key.escape_debug());
                            return Err(RowError::field(&key, other, EXPECTED_TEXT));
                        }
                    }
                }
                Ok(())
            }
            other => Err(RowError::field("meta", other, "expected an object of texts")),
        }
    }
}

impl RowError {
    pub(super) fn field(key: &str, value: impl ToString, reason: impl ToString) -> Self {
        Self::Field { key: cut(key), value: value.to_string(), reason: reason.to_string() }
    }
}

/// Reads a field with `read`; null is as if it were not there.
fn once<'a, T>(
    key: &str,
    place: &mut Option<T>,
    value: Written<'a>,
    read: impl FnOnce(Written<'a>) -> Result<T, (Written<'a>, String)>,
) -> Result<(), RowError> {
    if place.is_some() {
        return Err(RowError::field(key, value, TWICE));
    }
    if !matches!(value, Written::Null) {
        let wrong = |(value, reason)| RowError::field(key, value, reason);
        *place = Some(read(value).map_err(wrong)?);
    }
    Ok(())
}

fn text(value: Written<'_>) -> Result<Cow<'_, str>, (Written<'_>, String)> {
    match value {
        Written::Text(text) => Ok(text),
        other => Err((other, EXPECTED_TEXT.to_owned())),
    }
}

fn kind(value: Written<'_>) -> Result<LinkKind, (Written<'_>, String)> {
    match &value {
        Written::Text(text) if text == "click" => Ok(LinkKind::Click),
        Written::Text(text) if text == "open" => Ok(LinkKind::Open),
        _ => Err((value, "expected \"click\" or \"open\"".to_owned())),
    }
}

fn position(value: Written<'_>) -> Result<u32, (Written<'_>, String)> {
    let number = match value {
        Written::Whole(number) => u32::try_from(number).ok(),
        _ => None,
    };
    let expected = || format!("expected a whole number from 0 to {}", u32::MAX);
    number.ok_or_else(|| (value, expected()))
}

fn moment(value: Written<'_>) -> Result<Timestamp, (Written<'_>, String)> {
    let time = match &value {
        Written::Text(text) => text.parse().ok(),
        _ => None,
    };
    let expected = "expected a time such as 2026-11-23T12:00:00Z, or a day in UTC";
    time.ok_or_else(|| (value, expected.to_owned()))
}

/// A name as it is told: whoever made it up may have made it long.
fn cut(key: &str) -> String {
    if key.len() <= 40 && !key.contains(char::is_control) {
        return key.to_owned();
    }
    Excerpt(key).to_string()
}

/// Bytes of a row. The longest that can be sealed has a sixth, for a writer who escapes every
/// character.
pub const MAX_ROW: usize = 64 << 10;
const FIELDS: [&str; 14] = [
    "kind",
    "host",
    "url",
    "account",
    "campaign",
    "message",
    "template",
    "list",
    "recipient",
    "link",
    "link_name",
    "link_position",
    "sent_at",
    "meta",
];
const EXPECTED: &str = "expected a JSON object such as {\"host\":\"trk.example.com\",\
                        \"url\":\"https://example.com/\"}";
const EXPECTED_TEXT: &str = "expected a text in quotes";
const TWICE: &str = "stands twice";
