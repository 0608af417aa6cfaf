//! The command line: each command in a file of its own.

mod audit;
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
mod trace;

pub use command::main;
