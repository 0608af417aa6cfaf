//! DKIM key records (RFC 6376 §3.6), and the policies of DomainKeys and ADSP.
//!
//! A key is compared as what it is, modulus and exponent, never as text: two encodings of one key
//! are one key.

mod der;
mod key_record;
mod public_key;
mod selection;
mod superseded;

pub use key_record::{KeyRecord, Signer, judge, read};
pub use public_key::{Encoding, KeyError, PublicKey};
pub use selection::select;
pub use superseded::{is_adsp, is_domain_keys, judge_adsp, judge_domain_keys};
