//! Sealed link tokens: the only place a destination comes from.
//!
//! The format, byte by byte and with a worked example, is in `docs/link-format.md`; [`payload`]
//! and [`seal`] are its two halves. A token opens only on the host it was sealed for, only with a
//! key that we hold, and says nothing to whoever lacks the key.

mod config;
mod destination;
mod folder;
mod key;
mod keyring;
mod payload;
mod seal;

pub use config::Config;
pub use destination::{DestinationError, destination, is_redeemable};
pub use folder::Fault;
pub use key::{Key, KeyError, KeyId};
pub use keyring::{Keyring, KeyringError, Later, OpenError};
pub use payload::{Action, Claims, PayloadError};
pub use seal::SealError;
