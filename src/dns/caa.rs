//! Who may certify a name (RFC 8659, RFC 8657).

use std::fmt;

use super::{Caa, Data, Name, Record};

/// The CAA records that hold for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaaSet {
    /// The name in the tree at which the set was found: the one that was asked for, or above it.
    pub at: Name,
    /// Where the set really is, when the name at which it was found is an alias of it.
    pub aliases: Vec<Name>,
    /// The records, at least one.
    pub properties: Vec<Caa>,
}

/// What a certification authority is to CAA records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issuer<'a> {
    /// Its identifying domain, such as `letsencrypt.org`.
    pub domain: &'a str,
    /// Our account's URL there; without one, a record that names an account is not judged.
    pub account: Option<&'a str>,
    /// How we prove that we hold a name, such as `http-01`.
    pub method: &'a str,
}

/// Why an authority may not certify: the record that forbids it, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The record, such as `0 issue "other.example"`.
    pub record: String,
    /// What is wrong with it for us.
    pub reason: &'static str,
}

impl CaaSet {
    pub(super) fn new(at: Name, aliases: Vec<Name>, records: Vec<Record>) -> Self {
        let properties = records.into_iter().filter_map(|record| match record.data {
            Data::Caa(caa) => Some(caa),
            _ => None,
        });
        Self { at, aliases, properties: properties.collect() }
    }

    /// The name at which the records really are.
    pub fn holder(&self) -> &Name {
        self.aliases.last().unwrap_or(&self.at)
    }

    /// The record that lets `issuer` certify once it stands beside these; `None` when none does,
    /// since one of these forbids it whatever the others say.
    pub fn admission(&self, issuer: &Issuer<'_>) -> Option<Caa> {
        let value = issuer.domain.as_bytes().to_vec();
        let admission = Caa { flags: 0, tag: "issue".to_owned(), value };
        let mut set = self.clone();
        set.properties.push(admission.clone());
        set.permits(issuer).is_ok().then_some(admission)
    }

    /// Whether `issuer` may certify a name that is no wildcard (RFC 8659 §4.2).
    pub fn permits(&self, issuer: &Issuer<'_>) -> Result<(), Forbidden> {
        let forbids = |property: &Caa, reason| Forbidden { record: property.to_string(), reason };
        for property in &self.properties {
            // Boulder takes bit 1 for critical too, as RFC 6844 was misread by many.
            if property.flags & (CRITICAL | MISREAD) != 0 && !property.is_known() {
                return Err(forbids(property, "it is critical, and of a kind nobody knows"));
            }
        }
        let is_issue = |property: &&Caa| property.tag.eq_ignore_ascii_case("issue");
        let mut refused = None;
        for property in self.properties.iter().filter(is_issue) {
            match property.admits(issuer) {
                Ok(()) => return Ok(()),
                // A record for us that fits badly tells more than one for others.
                Err(reason) if refused.is_none() || reason != OTHERS => {
                    refused = Some(forbids(property, reason));
                }
                Err(_) => {}
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

impl Caa {
    fn is_known(&self) -> bool {
        KNOWN.iter().any(|known| self.tag.eq_ignore_ascii_case(known))
    }

    /// Whether this `issue` property names the issuer, and its parameters fit.
    fn admits(&self, issuer: &Issuer<'_>) -> Result<(), &'static str> {
        let Ok(value) = std::str::from_utf8(&self.value) else {
            return Err("its value is no text");
        };
        let mut parts = value.split(';').map(str::trim);
        let domain = parts.next().unwrap_or_default().trim_end_matches('.');
        if domain.is_empty() {
            return Err("it lets nobody certify");
        }
        if !domain.eq_ignore_ascii_case(issuer.domain) {
            return Err(OTHERS);
        }
        for parameter in parts.filter(|part| !part.is_empty()) {
            let Some((name, value)) = parameter.split_once('=') else {
                return Err("its parameters cannot be read");
            };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            match name.as_str() {
                "accounturi" if issuer.account.is_some_and(|account| account != value) => {
                    return Err("it names another account at the authority");
                }
                "validationmethods"
                    if !value.split(',').any(|method| method.trim() == issuer.method) =>
                {
                    return Err("it does not allow the way we prove a name");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl fmt::Display for Caa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.escape_ascii();
        write!(f, "{} {} \"{value}\"", self.flags, self.tag.escape_default())
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CAA {}: {}", self.record, self.reason)
    }
}

const CRITICAL: u8 = 128;
const MISREAD: u8 = 1;
const OTHERS: &str = "it lets other authorities certify, and not ours";
/// RFC 8659 §4, and those that authorities register and ignore for web certificates.
const KNOWN: [&str; 6] =
    ["issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone"];

#[cfg(test)]
mod tests {
    use super::*;

    fn set(properties: &[(u8, &str, &str)]) -> CaaSet {
        let property = |(flags, tag, value): &(u8, &str, &str)| Caa {
            flags: *flags,
            tag: (*tag).to_owned(),
            value: value.as_bytes().to_vec(),
        };
        let properties = properties.iter().map(property).collect();
        CaaSet { at: Name::parse("example.com").unwrap(), aliases: Vec::new(), properties }
    }

    #[test]
    fn only_what_the_records_say_is_permitted() {
        let issuer = Issuer {
            domain: "ca.example",
            account: Some("https://ca.example/1"),
            method: "http-01",
        };
        for (properties, is_permitted) in [
            (&[(0, "issue", "ca.example")][..], true),
            (&[(0, "ISSUE", " CA.example. ; ")], true),
            (&[(0, "issue", "other.example"), (0, "issue", "ca.example")], true),
            (&[(0, "issue", "other.example")], false),
            (&[(0, "issue", ";")], false),
            (&[(0, "issue", "")], false),
            (&[(0, "issuewild", "other.example")], true),
            (&[(0, "iodef", "mailto:a@example.com")], true),
            (&[(128, "iodef", "mailto:a@example.com")], true),
            (&[(128, "tbs", "x")], false),
            (&[(1, "tbs", "x")], false),
            (&[(0, "tbs", "x")], true),
            (&[(0, "issue", "ca.example; accounturi=https://ca.example/1")], true),
            (&[(0, "issue", "ca.example; accounturi=https://ca.example/2")], false),
            (&[(0, "issue", "ca.example; validationmethods=dns-01,http-01")], true),
            (&[(0, "issue", "ca.example; validationmethods=dns-01")], false),
            (&[(0, "issue", "ca.example; %%%")], false),
        ] {
            let told = set(properties).permits(&issuer);
            assert_eq!(told.is_ok(), is_permitted, "{properties:?}: {told:?}");
        }
    }

    #[test]
    fn the_record_that_is_nearest_to_right_is_told() {
        let issuer = Issuer { domain: "ca.example", account: None, method: "http-01" };
        let set = set(&[
            (0, "issue", "ca.example; validationmethods=dns-01"),
            (0, "issue", "other.example"),
        ]);
        let told = set.permits(&issuer).unwrap_err().to_string();
        assert!(
            told.starts_with("CAA 0 issue \"ca.example; validationmethods=dns-01\": "),
            "{told}"
        );
    }
}
