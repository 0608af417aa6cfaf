//! Audits that nobody asks for: every domain, again and again, beside serving.
//!
//! ```text
//! added, imported ─→ a record that is due ─claim(rate, places)→ audit ─→ clerk
//!   ─step(former, report, now)→ record + event, one change → due again, event pending ─→ journal
//! round: all domains in the order of names, slowly: what lacks a record gets one, what is due too
//!        late comes sooner, and all findings are counted anew
//! ```
//!
//! The store's index of what is due is the schedule, so a start reads nothing, and a restart goes
//! on where the last process was: what is fresh is not due. Whoever dies at work on a domain loses
//! it to the next one when its lease ends.
//!
//! # When a change is told
//!
//! A domain's first result is a snapshot. After that a section holds until it was seen otherwise,
//! and the same, twice in a row; the second look comes soon. What DNS did not answer says nothing:
//! what hangs on it stays as it was, a rule or a section, and a doubt about it too. What changed is told as one event.
//!
//! What somebody demands, who is at work on the records, is audited at once, past everything that
//! is remembered, and goes the same way from there ([`Demand`]).
//!
//! [`step`](step::step) decides, the [`Rate`](rate::Rate) spreads, the [`Tally`](tally::Tally)
//! counts: all three without a clock or a disk.

mod auditing;
mod claim;
mod clerk;
mod demand;
mod driver;
mod event;
mod look;
mod measures;
mod rate;
mod results;
mod round;
mod step;
mod tally;

pub use demand::Demand;
pub use driver::Schedule;
pub use event::TYPE;
pub use results::Results;
