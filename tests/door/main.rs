//! The public door over real sockets: names, answers, deadlines, parking, draining.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod client;
mod deadlines;
mod frames;
mod hostile;
mod house;
mod lasting;
mod names;
mod proxied;
