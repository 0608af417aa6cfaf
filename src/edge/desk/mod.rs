//! The desk: where a customer asks for the page of a name.
//!
//! ```text
//! visit ─Window (bounded, never waits)→ Desk, on the main thread ─→ register, results → sheet
//!                                         └ turn → check: zone's own servers, audit anew → kept
//! ```
//!
//! A reactor only opens the pass and waits for an answer with a deadline: the store, the DNS and the
//! making of pages are the desk's, so that none of them keeps a click. [`turns`] says who may have
//! a name looked at, without a clock.

mod clerk;
mod sheet;
mod tracking;
mod turns;
mod verdict;
mod window;

pub use clerk::{Desk, Parts};
pub use window::{Calls, Window, Wish, open};

pub(super) use window::Said;
