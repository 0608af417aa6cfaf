//! The command line: each command in a file of its own.

mod bulk;
mod check;
mod command;
mod dev;
mod journal;
mod key;
mod link;
mod outlet;
mod output;
mod place;
mod progress;
mod serve;
mod topics;
mod trace;

pub use command::main;
