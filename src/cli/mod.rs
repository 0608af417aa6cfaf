//! The command line: each command in a file of its own.

mod check;
mod command;
mod dev;
mod domain;
mod door;
mod journal;
mod key;
mod link;
mod place;
mod registrar;
mod serve;
mod store;
mod table;
mod time;
mod trace;

pub use command::main;
