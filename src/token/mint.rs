//! Minting: rows in, links out.

use std::borrow::Cow;

use super::excerpt::Excerpt;
use super::form::LinkForm;
use super::keyring::Keyring;
use super::payload::{Action, Claims, PayloadError};
use super::row::{LinkKind, Row, RowError};
use super::seal::SealError;
use crate::clock::Timestamp;
use crate::hostname::Hostname;

/// Mints links of one form with the keys of a folder. Cloning shares the keys.
#[derive(Clone, Debug)]
pub struct Mint {
    keyring: Keyring,
    form: LinkForm,
    usual: Row<'static>,
}

impl Mint {
    /// A mint whose rows take from `usual` what they do not say themselves.
    pub fn new(keyring: Keyring, form: LinkForm, usual: Row<'static>) -> Self {
        Self { keyring, form, usual }
    }

    /// Whether there is a key that seals at `now`.
    pub fn has_key(&self, now: Timestamp) -> bool {
        self.keyring.sealing_key(now).is_some()
    }

    /// Appends the link of the row on a line to `out`, which is left alone when there is none.
    pub fn line(&self, line: &[u8], now: Timestamp, out: &mut Vec<u8>) -> Result<(), RowError> {
        self.link(&Row::parse(line)?, now, out)
    }

    /// Appends the link of a row to `out`, which is left alone when there is none.
    pub fn link(&self, row: &Row<'_>, now: Timestamp, out: &mut Vec<u8>) -> Result<(), RowError> {
        let usual = &self.usual;
        let kind = row.kind.or(usual.kind).unwrap_or_default();
        let host = text("host", &row.host, &usual.host)?.ok_or(RowError::Missing("host"))?;
        let host =
            Hostname::parse(host).map_err(|error| RowError::field("host", Excerpt(host), error))?;
        let url = text("url", &row.url, &usual.url)?;
        let action = match (kind, url) {
            (LinkKind::Click, Some(url)) => Action::Click { url },
            (LinkKind::Click, None) => return Err(RowError::Missing("url")),
            (LinkKind::Open, None) => Action::Open,
            (LinkKind::Open, Some(url)) => {
                return Err(RowError::field("url", Excerpt(url), "an open pixel leads nowhere"));
            }
        };
        let meta = if row.meta.is_empty() { &usual.meta } else { &row.meta };
        let claims = Claims {
            action,
            account: text("account", &row.account, &usual.account)?,
            campaign: text("campaign", &row.campaign, &usual.campaign)?,
            message: text("message", &row.message, &usual.message)?,
            template: text("template", &row.template, &usual.template)?,
            list: text("list", &row.list, &usual.list)?,
            recipient: text("recipient", &row.recipient, &usual.recipient)?,
            link: text("link", &row.link, &usual.link)?,
            link_name: text("link_name", &row.link_name, &usual.link_name)?,
            link_position: row.link_position.or(usual.link_position),
            sent_at: row.sent_at.or(usual.sent_at),
            meta: pairs(meta)?,
        };
        let token =
            self.keyring.seal(&claims, &host, now).map_err(|error| refused(&claims, error))?;
        self.form.write(kind, &host, &token, out);
        Ok(())
    }
}

/// A row's text, or else the usual one. An empty one is more often a slip than a wish: a message
/// without a name would never be found again.
fn text<'a>(
    key: &str,
    own: &'a Option<Cow<'_, str>>,
    usual: &'a Option<Cow<'_, str>>,
) -> Result<Option<&'a str>, RowError> {
    match own.as_deref().or(usual.as_deref()) {
        Some("") => Err(RowError::field(key, Excerpt(""), "is empty: leave it out, or fill it")),
        text => Ok(text),
    }
}

fn pairs<'a>(
    meta: &'a [(Cow<'_, str>, Cow<'_, str>)],
) -> Result<Vec<(&'a str, &'a str)>, RowError> {
    for (index, (key, value)) in meta.iter().enumerate() {
        if meta[..index].iter().any(|(before, _)| before == key) {
            let name = format!("meta.{key}");
            return Err(RowError::field(&name, Excerpt(value), "stands twice"));
        }
    }
    Ok(meta.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect())
}

/// Says which field of the row it is that cannot be sealed.
fn refused(claims: &Claims<'_>, error: SealError) -> RowError {
    let url = match claims.action {
        Action::Click { url } => url,
        Action::Open => "",
    };
    match error {
        SealError::NoKey => RowError::NoKey,
        SealError::Cipher => RowError::Cipher,
        SealError::Destination(reason) => RowError::field("url", Excerpt(url), reason),
        SealError::Payload(PayloadError::TooLong { field, length, limit }) => {
            let value = match field {
                "account" => claims.account,
                "campaign" => claims.campaign,
                "message" => claims.message,
                "template" => claims.template,
                "list" => claims.list,
                "recipient" => claims.recipient,
                "link" => claims.link,
                "link_name" => claims.link_name,
                _ => None,
            };
            let shown = value.map_or_else(|| "{…}".to_owned(), |text| Excerpt(text).to_string());
            let reason = format!("is {length} bytes long, at most {limit} are taken");
            RowError::field(field, shown, reason)
        }
        SealError::Payload(error) => RowError::field("meta", "{…}", error),
    }
}
