//! A visitor's address in the form that the operator chose.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::hmac;
use thiserror::Error;

use super::config::AddressForm;

/// The key under which addresses are hashed. Prints as nothing.
#[derive(Clone)]
pub struct AddressKey(hmac::Key);

impl AddressKey {
    /// Reads the content of a key file: at least 16 bytes, line ends at the end not counted.
    pub fn parse(content: &[u8]) -> Result<Self, AddressKeyError> {
        let key = content.trim_ascii_end();
        if key.len() < MIN_KEY {
            return Err(AddressKeyError(key.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressKey")
    }
}

/// A key that is too short to keep an address secret.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the address key has {0} bytes, expected at least 16")]
pub struct AddressKeyError(usize);

/// Appends an address in its form.
pub(super) fn write(
    address: IpAddr,
    form: AddressForm,
    key: Option<&AddressKey>,
    out: &mut Vec<u8>,
) {
    let address = address.to_canonical();
    match (form, key) {
        (AddressForm::Whole, _) => text(address, out),
        (AddressForm::Truncated, _) => text(truncated(address), out),
        (AddressForm::Hashed, Some(AddressKey(key))) => {
            let sum = match address {
                IpAddr::V4(v4) => hmac::sign(key, &v4.octets()),
                IpAddr::V6(v6) => hmac::sign(key, &v6.octets()),
            };
            for byte in sum.as_ref() {
                out.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
            }
        }
        // Without its key a hash would be none: rather nothing than the address.
        (AddressForm::Hashed, None) => {}
    }
}

fn text(address: IpAddr, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing into a Vec does not fail.
    write!(out, "{address}").unwrap_or_default();
}

fn truncated(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

const MIN_KEY: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(address: &str, form: AddressForm) -> String {
        let key = AddressKey::parse(b"0123456789abcdef\n").unwrap();
        let mut out = Vec::new();
        write(address.parse().unwrap(), form, Some(&key), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_form_is_what_it_says() {
        assert_eq!(written("203.0.113.7", AddressForm::Whole), "203.0.113.7");
        assert_eq!(written("::ffff:203.0.113.7", AddressForm::Whole), "203.0.113.7");
        assert_eq!(written("203.0.113.7", AddressForm::Truncated), "203.0.113.0");
        assert_eq!(written("2001:db8:1:2::9", AddressForm::Truncated), "2001:db8:1::");
        // printf '\xcb\x00\x71\x07' | openssl dgst -sha256 -hmac 0123456789abcdef
        let hash = "aa92cc237b0503665f10da0b4352ea4bbe34b66c920854ef141fc384a382d94f";
        let ours = written("203.0.113.7", AddressForm::Hashed);
        assert!(ours.len() == 64 && ours.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(ours, hash);
        assert_ne!(ours, written("203.0.113.8", AddressForm::Hashed));
    }

    #[test]
    fn a_short_key_is_refused() {
        assert_eq!(
            AddressKey::parse(b"short\n\n").unwrap_err().to_string(),
            "the address key has 5 bytes, expected at least 16"
        );
    }
}
