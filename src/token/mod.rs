//! Sealed link tokens: the only place a destination comes from.
//!
//! The format, byte by byte and with a worked example, is in `docs/link-format.md`; [`payload`]
//! and [`seal`] are its two halves. A token opens only on the host it was sealed for, only with a
//! key that we hold, and says nothing to whoever lacks the key.
//!
//! A [`Mint`] makes links of [`Row`]s, one by one or as [`Lines`] of a stream; a row is told in
//! `docs/minting.md`.
//!
//! A [`Pass`] opens the page of one customer's name, on the platform's own host; a [`PageMint`]
//! makes links of them.

mod config;
mod destination;
mod excerpt;
mod folder;
mod form;
mod key;
mod keyring;
mod lines;
mod mint;
mod pages;
mod pass;
mod payload;
mod row;
mod seal;
mod written;

pub use config::Config;
pub use destination::{DestinationError, destination, is_redeemable};
pub use excerpt::Excerpt;
pub use folder::Fault;
pub use form::LinkForm;
pub use key::{Key, KeyError, KeyId};
pub use keyring::{Keyring, KeyringError, Later, OpenError};
pub use lines::{Block, Lines};
pub use mint::Mint;
pub use pages::{DAYS, DEFAULT_DAYS, PageLink, PageMint};
pub use pass::{Pass, PassError};
pub use payload::{Action, Claims, PayloadError};
pub use row::{LinkKind, MAX_ROW, Row, RowError};
pub use seal::SealError;
