//! Certificates from certification authorities (RFC 8555), unattended.
//!
//! ```text
//! visit ───────┐  one flight for each name; whoever comes for it shares the end
//! renewals ─┐  │
//! docket ───┴──┴→ desk → porter.admit → Permit → work
//!   work: preflight (the way to us, CAA, our own port 80)
//!         → each issuer in turn: account → order → verify → publish
//!         → the domain's new state, with its event; the order forgotten, or due again
//! ```
//!
//! Certificates are renewed by a schedule in the store, whether or not anybody visits: when their
//! authority suggests it (RFC 9773), or when a third of their life is left. They are taken up as
//! their turn comes, and as authorities still take orders.
//!
//! A [`Permit`](crate::domains::Permit) is the only way to an order. What a restart must know is
//! in the store before the step that needs it: the order's URL, its key, failures in a row, until
//! when an authority wants to be left alone.
//!
//! What an authority gives is served only when its chain holds, its key is ours, its one name is
//! the one that was ordered and its time is now.

mod allowance;
mod certifier;
mod challenges;
mod config;
mod docket;
mod failure;
mod flights;
mod issuer;
mod measures;
mod mood;
mod nonces;
mod order;
mod overdue;
mod preflight;
mod progress;
mod renewal;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod transport;
mod turn;
mod underway;
mod upkeep;
mod verify;
mod work;

pub use certifier::{Certifier, Parts};
pub use challenges::Challenges;
pub use config::{Config, IssuerConfig, SelfProbe};
pub use failure::{Failure, FailureKind};
pub use issuer::ExternalSecret;
