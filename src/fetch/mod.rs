//! The one HTTP client for what lies outside: certification authorities, and what strangers'
//! records name.
//!
//! # What is safe about it
//!
//! A [`Client`] has a [`Policy`], one for each purpose. The name of a URL is resolved once, each
//! address is checked against the policy's [`Reach`], and a checked address is the one that is
//! dialled: a name that resolves differently the next moment (DNS rebinding) gains nothing. A
//! redirect is a new request, checked like the first. Every step has a time-out and so has the
//! whole; content has a cap, and what comes packed is unpacked no further than to the same cap. No
//! cookie, credential or referer is ever sent, and no proxy of the environment is used.
//!
//! ```text
//! send     the request, and where it is redirected to            one deadline over all of it
//! connect  the pool's connection, or a new one
//! dial     resolve → check each address → TCP, without delays    addresses one after the other
//! ```
//!
//! Names are resolved through the seam [`Resolve`], since the DNS is a sibling.

mod client;
mod coding;
mod connector;
mod error;
mod policy;
mod reach;
mod resolve;

pub use client::Client;
pub use error::FetchError;
pub use policy::{Codings, Policy, Ports, Redirects, Roots, RootsError};
pub use reach::Reach;
pub use resolve::{Resolve, Resolving};
