//! The command line: each command in a file of its own.

mod audit;
mod check;
mod command;
mod dev;
mod journal;
mod key;
mod link;
mod place;
mod serve;
mod time;
mod trace;

pub use command::main;
