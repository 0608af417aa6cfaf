//! The command line: each command in a file of its own.

mod bulk;
mod check;
mod command;
mod dev;
mod domain;
mod door;
mod journal;
mod key;
mod link;
mod outlet;
mod output;
mod place;
mod progress;
mod registrar;
mod serve;
mod store;
mod table;
mod topics;
mod trace;

pub use command::main;
