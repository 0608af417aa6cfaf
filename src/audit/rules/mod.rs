//! The rules: what each asks, by which text, and why it matters. Ids are stable: they stand in
//! events, in `--json` and in the cases of the tests.

#[macro_use]
mod rule;

pub(super) mod bimi;
pub(super) mod dkim;
pub(super) mod dmarc;
pub(super) mod extras;
pub(super) mod spf;
pub(super) mod tracking;

pub use rule::{Rule, rules};
