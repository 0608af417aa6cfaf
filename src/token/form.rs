//! What printed links look like.

use serde::{Deserialize, Serialize};

use super::row::LinkKind;
use crate::hostname::Hostname;

/// What printed links look like: `https://trk.example.com/c/TOKEN`, `…/o/TOKEN.gif`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct LinkForm {
    /// Scheme, `{host}`, port and path before the prefix, as in [`super::Config::base`].
    pub base: String,
    /// The path prefix of click links.
    pub click_prefix: String,
    /// The path prefix of open pixels.
    pub open_prefix: String,
}

impl LinkForm {
    /// Appends the link of a token.
    pub fn write(&self, kind: LinkKind, host: &Hostname, token: &str, out: &mut Vec<u8>) {
        let (front, back) = self.base.split_once("{host}").unwrap_or((&self.base, ""));
        let (prefix, suffix) = match kind {
            LinkKind::Click => (&self.click_prefix, ""),
            LinkKind::Open => (&self.open_prefix, ".gif"),
        };
        for part in [front, host.as_str(), back, "/", prefix, "/", token, suffix] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}
