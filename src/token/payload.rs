//! What a token says, as bytes: a kind, then fields.
//!
//! ```text
//! kind    1 byte   1 click, 2 open
//! fields  each: tag 1 byte, length 2 bytes big-endian, that many bytes
//! ```
//!
//! Texts are UTF-8. Tags: 1 url, 2 account, 3 campaign, 4 message, 5 template, 6 list,
//! 7 recipient, 8 link, 9 link name, 10 link position (4 bytes big-endian), 11 sent at (8 bytes
//! big-endian, microseconds since 1970), 12 one pair of metadata: key, one zero byte, value. Tags
//! 1 to 11 stand at most once, in any order; 12 as often as there are pairs. A tag that a reader
//! does not know is passed over, so that an older node opens a newer link.

use thiserror::Error;

use crate::clock::Timestamp;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims<'a> {
    /// What the link does.
    pub action: Action<'a>,
    /// The sender's account.
    pub account: Option<&'a str>,
    /// The campaign.
    pub campaign: Option<&'a str>,
    /// The message: one mail to one recipient.
    pub message: Option<&'a str>,
    /// The template or variant.
    pub template: Option<&'a str>,
    /// The list or segment.
    pub list: Option<&'a str>,
    /// The recipient, an opaque id.
    pub recipient: Option<&'a str>,
    /// The link, an id.
    pub link: Option<&'a str>,
    /// The link's name.
    pub link_name: Option<&'a str>,
    /// The link's place in the mail.
    pub link_position: Option<u32>,
    /// When the mail was sent.
    pub sent_at: Option<Timestamp>,
    /// What else the sender wants to find in the event.
    pub meta: Vec<(&'a str, &'a str)>,
}

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Leads to a destination.
    Click {
        /// The destination.
        url: &'a str,
    },
    /// Shows a pixel.
    Open,
}

impl<'a> Claims<'a> {
    /// Claims that say nothing but the action.
    pub fn new(action: Action<'a>) -> Self {
        Self {
            action,
            account: None,
            campaign: None,
            message: None,
            template: None,
            list: None,
            recipient: None,
            link: None,
            link_name: None,
            link_position: None,
            sent_at: None,
            meta: Vec::new(),
        }
    }
}

/// Why bytes are no payload, or claims cannot be one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PayloadError {
    /// A field stands twice.
    #[error("the field {0} stands twice")]
    Duplicate(u8),
    /// A key of metadata is empty or holds a zero byte.
    #[error("a metadata key is empty or holds a zero byte")]
    MetaKey,
    /// A click without a destination.
    #[error("a click has no destination")]
    NoDestination,
    /// A field is not of its form.
    #[error("the field {0} is not of its form")]
    Syntax(u8),
    /// A field is longer than is taken.
    #[error("{field} is {length} bytes long, at most {limit} are taken")]
    TooLong {
        /// Which.
        field: &'static str,
        /// Its length.
        length: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// The bytes end inside a field.
    #[error("the payload ends inside a field")]
    Truncated,
    /// The kind is neither click nor open.
    #[error("the kind {0} is not known")]
    UnknownKind(u8),
}

/// Appends the payload of `claims` to `out`.
pub(super) fn encode(claims: &Claims<'_>, out: &mut Vec<u8>) -> Result<(), PayloadError> {
    match claims.action {
        Action::Click { url } => {
            out.push(CLICK);
            field(out, URL, url.as_bytes());
        }
        Action::Open => out.push(OPEN),
    }
    let texts = [
        (2, "account", claims.account),
        (3, "campaign", claims.campaign),
        (4, "message", claims.message),
        (5, "template", claims.template),
        (6, "list", claims.list),
        (7, "recipient", claims.recipient),
        (8, "link", claims.link),
        (9, "link_name", claims.link_name),
    ];
    for (tag, name, text) in texts {
        let Some(text) = text else { continue };
        within(name, text.len(), MAX_TEXT)?;
        field(out, tag, text.as_bytes());
    }
    if let Some(position) = claims.link_position {
        field(out, POSITION, &position.to_be_bytes());
    }
    if let Some(sent_at) = claims.sent_at {
        field(out, SENT_AT, &sent_at.micros().to_be_bytes());
    }
    let meta = claims.meta.iter().map(|(key, value)| key.len() + value.len() + 4).sum();
    within("meta", meta, MAX_META)?;
    for (key, value) in &claims.meta {
        if key.is_empty() || key.contains('\0') {
            return Err(PayloadError::MetaKey);
        }
        let pair = [key.as_bytes(), b"\0", value.as_bytes()].concat();
        field(out, META, &pair);
    }
    Ok(())
}

/// Reads a payload. What it returns borrows from `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Result<Claims<'_>, PayloadError> {
    let (kind, mut rest) = bytes.split_first().ok_or(PayloadError::Truncated)?;
    let mut claims = Claims::new(Action::Open);
    let mut url = None;
    let mut seen = 0u16;
    while let [tag, high, low, after @ ..] = rest {
        let tag = *tag;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (content, after) = after.split_at_checked(length).ok_or(PayloadError::Truncated)?;
        rest = after;
        if (1..META).contains(&tag) {
            if seen & (1 << tag) != 0 {
                return Err(PayloadError::Duplicate(tag));
            }
            seen |= 1 << tag;
        }
        let text = || std::str::from_utf8(content).map_err(|_| PayloadError::Syntax(tag));
        match tag {
            URL => url = Some(text()?),
            2 => claims.account = Some(text()?),
            3 => claims.campaign = Some(text()?),
            4 => claims.message = Some(text()?),
            5 => claims.template = Some(text()?),
            6 => claims.list = Some(text()?),
            7 => claims.recipient = Some(text()?),
            8 => claims.link = Some(text()?),
            9 => claims.link_name = Some(text()?),
            POSITION => {
                let bytes = content.try_into().map_err(|_| PayloadError::Syntax(tag))?;
                claims.link_position = Some(u32::from_be_bytes(bytes));
            }
            SENT_AT => {
                let bytes = content.try_into().map_err(|_| PayloadError::Syntax(tag))?;
                claims.sent_at = Some(Timestamp::from_micros(u64::from_be_bytes(bytes)));
            }
            META => {
                let (key, value) = text()?.split_once('\0').ok_or(PayloadError::Syntax(tag))?;
                claims.meta.push((key, value));
            }
            _ => {}
        }
    }
    if !rest.is_empty() {
        return Err(PayloadError::Truncated);
    }
    claims.action = match *kind {
        CLICK => Action::Click { url: url.ok_or(PayloadError::NoDestination)? },
        OPEN => Action::Open,
        other => return Err(PayloadError::UnknownKind(other)),
    };
    Ok(claims)
}

fn field(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    // Every field was held to a limit far below 64 KiB.
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    out.push(tag);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(content);
}

fn within(field: &'static str, length: usize, limit: usize) -> Result<(), PayloadError> {
    if length > limit {
        return Err(PayloadError::TooLong { field, length, limit });
    }
    Ok(())
}

const CLICK: u8 = 1;
const OPEN: u8 = 2;
const URL: u8 = 1;
const POSITION: u8 = 10;
const SENT_AT: u8 = 11;
const META: u8 = 12;
/// Bytes of an id or a name.
const MAX_TEXT: usize = 256;
/// Bytes of all metadata, four for each pair counted in.
const MAX_META: usize = 2_048;
