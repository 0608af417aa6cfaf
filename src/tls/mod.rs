//! Certificates: which one is served for a hostname, and with what protocol settings.
//!
//! A name that we hold nothing for is a [`Miss`]: who may be asked for a certificate is known
//! further up. What is published has been verified: the key matches, the names are covered, the
//! dates hold. A certificate that works is never replaced by one that does not.

mod authority;
mod certificates;
mod config;
#[cfg(test)]
mod cruel;
mod examine;
mod expiry;
mod files;
mod names;
mod protocol;
mod record;
mod ring;
mod shelf;
mod single;
#[cfg(test)]
mod tests;
mod tickets;
mod verify;

pub use authority::{AuthorityError, ThrowawayAuthority};
pub use certificates::{Certificates, Miss, StartError};
pub use config::{CertificateFiles, Config, Version};
pub use examine::examine;
pub use expiry::Remaining;
pub use files::FilesError;
pub use names::Names;
pub use record::{Record, Schedule};
pub use single::single;
pub use verify::Unusable;
