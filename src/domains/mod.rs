//! The customers' hostnames: which are ours, in what state each is, who must act, and what to
//! paste.
//!
//! # States
//!
//! ```text
//!            no CNAME yet          at the target         a certificate is held
//! (added) → new ───────────────→ pointed → issuing → active
//!            │ ↘ misdirected, split ↗ ↖ flattened    │
//!            └→ blocked (CAA, a guard)               ↓ three answers over 72 h without the CNAME
//!               failing (an order; retry at)      detached ─→ comes back as pointed
//! removed: quarantined, then forgotten
//! ```
//!
//! A state changes only by what somebody vouched for: a DNS failure is noted and changes nothing.
//! Losing the CNAME stops renewal only; links go on. Servers of one zone that disagree are a
//! state of their own, and so are names whose CNAME was flattened into the target's addresses.
//!
//! # Who does what
//!
//! [`look`](look::look) asks the DNS and returns a [`Sight`]; [`judge`](judge::judge) is pure: a
//! domain, a sight and a time in, the domain as it is now out. The [`Register`] keeps domains in
//! the store and makes each transition one change with its event. The [`Gate`] is pure too: it
//! decides who is let in that nobody told us about, and a [`Permit`] is the only way on. The
//! [`Porter`] stands around the gate, the poller around the register. A domain's record of audits
//! comes and goes with it; who audits is above.

mod addition;
mod attempt;
mod auditing;
mod certification;
mod config;
mod domain;
mod event;
mod file;
mod gate;
mod guard;
mod judge;
mod look;
mod measures;
mod page;
mod poller;
mod porter;
mod reason;
mod refusals;
mod register;
mod sight;
mod state;
mod view;

pub use addition::{Added, Addition};
pub use attempt::{Attempt, Certified};
pub use config::{Admission, Config};
pub use domain::{Domain, Origin};
pub use event::{STREAM, TYPE};
pub use file::{FileError, Line, names};
pub use gate::{Gate, Glance, Known, Permit, Refusal, Ruling};
pub use judge::{Judged, judge};
pub use look::{Looker, registrable};
pub use page::Listed;
pub use poller::Poller;
pub use porter::Porter;
pub use reason::{Reason, Who};
pub use register::{IsCertified, Register, RegisterError};
pub use sight::{Finding, ServerView, Sight};
pub use state::State;
