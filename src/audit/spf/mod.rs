//! SPF (RFC 7208): records read with every fault, and `check_host()`.
//!
//! [`read`] takes a record apart and keeps going behind a fault; [`judge`] says what is wrong
//! or weak in it without asking DNS; [`Evaluation`] is the `check_host()` of RFC 7208, and
//! [`survey`] walks all that a record includes, whoever sends. The last two are functions of the
//! [`super::Answers`] that DNS has given so far.

mod domain_spec;
mod evaluation;
mod expansion;
mod fault;
mod judge;
mod lexer;
mod limits;
mod lookups;
mod networks;
mod outcome;
mod pass;
mod selection;
mod senders;
mod survey;
mod term;

pub use domain_spec::{DomainSpec, Part};
pub use evaluation::{Evaluation, Request};
pub use fault::Fault;
pub use judge::judge;
pub use lexer::read;
pub use outcome::{Outcome, Step, Verdict};
pub use selection::{Selection, is_record, select};
pub use senders::{Senders, senders};
pub use survey::{Survey, Visited, survey};
pub use term::{Directive, Mechanism, Prefixes, Qualifier, Record, Term, TermKind};
