//! The DNS as a witness: what it says, what it does not know, and what it failed to say are three
//! different things in the types.
//!
//! # Failure is not absence
//!
//! A question ends as `Result<Reply, Failure>`. A [`Reply`] is something that somebody vouched
//! for: records, or that there are none ([`Answer::NoData`], [`Answer::NoName`]; RFC 2308 §2). A
//! [`Failure`] is that nobody vouched for anything: SERVFAIL, REFUSED, a time-out, bytes that are
//! no message. Whoever holds a `Failure` knows nothing new, and changes nothing.
//!
//! # Two ways of asking
//!
//! [`Lookup::ask`] asks the configured resolvers, one after the other until one answers, and
//! remembers what they say for as long as they allow. [`Lookup::ask_zone`] asks the zone's own
//! servers, each of them, now: a resolver remembers "no such name" for as long as the zone's SOA
//! says, often an hour, and a customer who looked a minute too early would wait that hour. Each
//! server's answer is kept apart, since servers of one zone do disagree.
//!
//! # What is built from questions
//!
//! [`chain`](Lookup::chain) walks CNAMEs one by one, so that a loop, a dangling end and a detour
//! are seen; [`caa`](Lookup::caa) climbs to the CAA records that a certification authority would
//! find (RFC 8659 §3).
//!
//! Identical questions in flight are asked once. Every wait is bounded. The wire is hickory's; the
//! choice of servers is ours, since its pool takes the first REFUSED for an answer, does not tell
//! who has authority, and calls a CNAME loop an absence.

mod ask;
mod caa;
mod chain;
mod config;
mod exchange;
mod flight;
mod lookup;
mod measures;
mod name;
mod pace;
mod record;
mod reply;
mod resolver;
mod system;
mod wire;
mod zone;

pub use ask::{Kind, Question};
pub use caa::{CaaSet, Forbidden, Issuer};
pub use chain::{Chain, End};
pub use config::Config;
pub use lookup::{Asking, Lookup};
pub use name::{Name, NameError};
pub use record::{Caa, Data, Record, Soa};
pub use reply::{Answer, Failure, Reply, ServerReply, Verdict, ZoneReply};
pub use resolver::{Resolver, StartError};
