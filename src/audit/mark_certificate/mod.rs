//! Mark certificates: an authority vouches that a domain may show a logo (the BIMI group's
//! requirements for mark certificates, draft-fetch-validation-vmc-wchuang, RFC 9399).
//!
//! A file holds the certificate and behind it those of its issuers, each signed by the next. A
//! bounded number of them is read, in the order of the file, so that one that is made to hurt
//! costs no more than another. A critical extension that nobody knows harms here: receivers refuse
//! the certificate; only the pilot's identifier, which authorities marked so, is known.

mod certificate;
mod chain;
mod der;
mod judge;
mod logotype;
mod subject;

pub use judge::{Case, judge};
