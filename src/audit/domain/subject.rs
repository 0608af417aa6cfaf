//! What is audited, and how deep.

use thiserror::Error;

use crate::audit::{Expect, dkim, name};
use crate::dns::Name;

/// A domain to audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The domain whose mail it is, in normal form.
    pub domain: String,
    /// Its tracking name.
    pub tracking: String,
    /// Whether somebody named that, rather than that it is assumed.
    pub is_named: bool,
    /// The selector and key of its own, when it has some.
    pub key: Option<OwnKey>,
    /// A label that nobody published anything for: what answers for it is a wildcard.
    pub nonce: String,
    /// What is looked at.
    pub depth: Depth,
}

/// A DKIM key that a domain has for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKey {
    /// Its selector.
    pub selector: String,
    /// The key.
    pub key: dkim::PublicKey,
    /// The record that publishes it.
    pub record: String,
}

/// How much is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Depth {
    /// The records that the platform asks for.
    Core,
    /// What is around them too: CAA, wildcards, report addresses.
    Usual,
    /// Each server of the zone, the images, and what stands around the domain's mail.
    #[default]
    Full,
}

/// Why a text names nothing to audit: the fault of whoever wrote it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SubjectError {
    /// It is no name of several labels.
    #[error("{0:?} is no domain: expected a name of several labels, such as example.com")]
    Domain(String),
    /// It is no key.
    #[error("{0:?} is no key: expected a selector, an equals sign and the key in base64")]
    Key(String),
}

impl Subject {
    /// A domain with the tracking name that the platform expects. A name in Unicode is taken for
    /// its A-labels.
    pub fn new(domain: &str, expect: &Expect, nonce: &str) -> Result<Self, SubjectError> {
        let domain = normal(domain)?;
        let tracking = Expect::filled(&expect.tracking, &domain);
        let nonce = nonce.to_owned();
        let depth = Depth::default();
        Ok(Self { domain, tracking, is_named: false, key: None, nonce, depth })
    }

    /// With another tracking name.
    pub fn tracked_at(mut self, name: &str) -> Result<Self, SubjectError> {
        self.tracking = normal(name)?;
        self.is_named = true;
        Ok(self)
    }

    /// With a DKIM key of its own, as `selector=key`; the key may be a whole record.
    pub fn signed_with(mut self, text: &str) -> Result<Self, SubjectError> {
        let wrong = || SubjectError::Key(text.to_owned());
        let (selector, key) = text.split_once('=').ok_or_else(wrong)?;
        let key = key.trim();
        let is_record = key.contains(';') || key.starts_with("p=");
        let record = if is_record { key.to_owned() } else { format!("v=DKIM1; k=rsa; p={key}") };
        let key = dkim::read(&record).key.ok_or_else(wrong)?;
        let selector = selector.trim().to_ascii_lowercase();
        self.key = Some(OwnKey { selector, key, record });
        Ok(self)
    }

    /// Looked at as deep as told.
    #[must_use]
    pub fn to_depth(self, depth: Depth) -> Self {
        Self { depth, ..self }
    }
}

fn normal(text: &str) -> Result<String, SubjectError> {
    let trimmed = text.trim();
    let Ok(url::Host::Domain(ascii)) = url::Host::parse(trimmed.trim_end_matches('.')) else {
        return Err(SubjectError::Domain(text.to_owned()));
    };
    match Name::parse(&ascii) {
        Ok(_) if name::is_hostname(&ascii) => Ok(name::normal(&ascii)),
        _ => Err(SubjectError::Domain(text.to_owned())),
    }
}
