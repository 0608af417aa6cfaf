//! What an operator may set of events.

use std::path::PathBuf;

/// The events' settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How a recipient's address is recorded.
    pub address: AddressForm,
    /// The file with the key of [`AddressForm::Hashed`].
    pub address_key_file: Option<PathBuf>,
    /// Bytes of a user agent that are kept.
    pub user_agent: usize,
    /// Bytes of a referer that are kept.
    pub referer: usize,
    /// Bytes of each other header that are kept.
    pub header: usize,
    /// Bytes of a link's metadata, keys and values together, that are kept.
    pub meta: usize,
}

/// How a recipient's address is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressForm {
    /// As it is.
    Whole,
    /// The /24 of an IPv4 address, the /48 of an IPv6 address.
    Truncated,
    /// HMAC-SHA256 under a key of the operator's.
    Hashed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: AddressForm::Whole,
            address_key_file: None,
            user_agent: 512,
            referer: 1_024,
            header: 256,
            meta: 2_048,
        }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.address == AddressForm::Hashed && self.address_key_file.is_none() {
            let reason = "expected a file with a key, since events.address is \"hashed\"";
            problems.push(("address_key_file", reason.to_owned()));
        }
        for (key, value) in [
            ("user_agent", self.user_agent),
            ("referer", self.referer),
            ("header", self.header),
            ("meta", self.meta),
        ] {
            if !(16..=8_192).contains(&value) {
                problems.push((key, "expected 16B to 8KiB".to_owned()));
            }
        }
        problems
    }
}
