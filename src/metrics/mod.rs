//! What the process counts, and how an operator reads it.
//!
//! Each part registers its own metrics in the one [`Registry`]; names follow Prometheus: the
//! `waypost_` prefix, base units (seconds, bytes), `_total` on counters, and never a hostname in
//! a label. The [`Ledger`] holds the counts that promise P1 is checked by, [`Degraded`] the
//! reasons for which the process answers but does not keep all its promises.

mod degraded;
mod ledger;
mod registry;

pub use degraded::Degraded;
pub use ledger::{Account, Counts, Ledger, Unrecorded};
pub use registry::{CONTENT_TYPE, Metrics};
