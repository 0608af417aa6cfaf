//! The audit: what a domain publishes about its mail, judged.
//!
//! Records are read by lexers of our own, which say what is in force *and* every fault with its
//! place, never the first alone. What needs DNS is a function of the [`Answers`] that DNS has
//! given so far: it returns a judgement, or the questions that it needs answered first, so
//! nothing in here waits, and a zone can be judged in a test without a server.
//!
//! Every finding names a rule of [`rules`]; `docs/audit.md` tells them, and the form of `--json`.
//! A time-out is [`Severity::Unknown`], never an absence.
//!
//! [`domain`] judges a whole domain, [`schedule`] has every domain judged again and again, and what
//! was found last is [`Kept`].

mod answers;
mod ask;
pub mod bimi;
pub mod caa;
mod config;
pub mod dkim;
pub mod dmarc;
pub mod domain;
mod draft;
mod excerpt;
mod finding;
mod kept;
mod mailbox;
mod mark;
pub mod mark_certificate;
pub mod mta_sts;
mod name;
pub mod page;
mod piece;
mod published;
mod rules;
pub mod schedule;
pub mod sender_id;
mod shown;
mod silence;
mod span;
pub mod spf;
mod standing;
pub mod svg;
mod tags;

pub use answers::{Answer, Answers, Unanswered};
pub use ask::Asker;
pub use config::{Config, Expect, Platform};
pub use draft::{Draft, DraftKind, UnknownKind};
pub use finding::{Finding, Severity, Who, status, worst_first};
pub use kept::Kept;
pub use mark::Mark;
pub use published::Published;
pub use rules::{Rule, rules};
pub use shown::{Shown, shown, visible};
pub use silence::Silence;
pub use span::Span;
pub use standing::Standing;
