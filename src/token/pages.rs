//! Links to the pages of customers' names.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::keyring::Keyring;
use super::pass::Pass;
use super::seal::SealError;
use crate::clock::Timestamp;
use crate::hostname::Hostname;

/// Makes links to pages. Cloning shares the keys.
#[derive(Clone, Debug)]
pub struct PageMint {
    keyring: Keyring,
    host: Hostname,
    origin: String,
    prefix: String,
}

/// A link to the page of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageLink {
    /// The link.
    pub url: String,
    /// When it ends.
    pub until: Timestamp,
}

impl PageLink {
    /// The link to the page of `name`, as one object.
    pub fn object(&self, name: &Hostname) -> Value {
        json!({ "domain": name.as_str(), "url": self.url, "until": self.until.to_string() })
    }
}

impl PageMint {
    /// A mint of links such as `https://trk.platform.example/d/PASS` to the platform's `host`. A
    /// port is taken from `base`, which is the form of other links.
    pub fn new(keyring: Keyring, host: Hostname, base: &str, prefix: &str) -> Self {
        let origin = Self::origin(&host, base);
        Self { keyring, host, origin, prefix: prefix.to_owned() }
    }

    /// Scheme, host and port of pages. They are answered over TLS alone.
    pub fn origin(host: &Hostname, base: &str) -> String {
        let secure = base.strip_prefix("https://{host}").unwrap_or_default();
        let port = secure.split('/').next().unwrap_or_default();
        format!("https://{host}{port}")
    }

    /// A link to the page of `name` that ends after `lasts`.
    pub fn link(
        &self,
        name: &Hostname,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<PageLink, SealError> {
        let until = Timestamp::from_seconds(now.plus(lasts).seconds());
        let pass = Pass { name: name.clone(), until };
        let text = self.keyring.seal_pass(&pass, &self.host, now)?;
        Ok(PageLink { url: format!("{}/{}/{text}", self.origin, self.prefix), until })
    }
}

/// Days that a link may open its page.
pub const DAYS: RangeInclusive<u32> = 1..=366;
/// Days that a link opens its page unless told otherwise.
pub const DEFAULT_DAYS: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_on_the_platforms_host_over_tls_on_the_port_of_other_links() {
        let host = Hostname::parse("trk.platform.example").unwrap();
        for (base, origin) in [
            ("https://{host}", "https://trk.platform.example"),
            ("https://{host}:8443", "https://trk.platform.example:8443"),
            ("https://{host}:8443/mail", "https://trk.platform.example:8443"),
            ("https://{host}/mail", "https://trk.platform.example"),
            ("http://{host}:8080", "https://trk.platform.example"),
        ] {
            assert_eq!(PageMint::origin(&host, base), origin, "{base}");
        }
    }
}
