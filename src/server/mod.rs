//! The process: all parts put together, run, and ended in order.
//!
//! `serve` and `dev` are one node with different settings; what `dev` adds is in [`Extras`].

mod audits;
mod build;
mod certification;
mod claim;
mod examine;
mod feed;
mod hostnames;
mod keys;
mod node;
mod opening;
mod own_name;
mod pages;
mod reactors;
mod readers;
mod refusals;
mod shipping;
mod transitions;
mod web;

pub use audits::{AuditorError, auditor};
pub use build::ServeError;
pub use examine::{Objection, examine};
pub use feed::EachEvent;
pub use node::{Ended, Extras, MakeSample, Running, World, serve};
pub use web::{Reached, Web};
