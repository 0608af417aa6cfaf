//! The public door: connections in, answers out, every click recorded in between.
//!
//! ```text
//! listener  accepts while there is room                    admission counts
//! proxy     reads whom a load balancer speaks for
//! handshake reads the hello, finds the certificate         one deadline over all of it
//! http1     hyper's connection, parked while it is idle    pace judges deadlines
//! http2     hyper's connection
//! visit     one request: core judges, click records, answer is said
//! desk      the pages of customers' names, made on the main thread
//! ```
//!
//! [`Core`] is pure: a request and a time in, a decision out. A [`Recorder`] queues the event and
//! says when the answer may go. Deadlines are not timers of each request: a connection looks at
//! itself now and then ([`pace`]), and all waits for the disk on one reactor share one ticking
//! ([`patience`]), since a timer costs as much as a token.

mod admission;
mod answer;
mod click;
mod client;
mod config;
mod connection;
mod content;
pub mod desk;
mod door;
mod handshake;
mod http1;
mod http2;
mod judge;
mod linger;
mod listener;
mod location;
mod measures;
mod pace;
mod pages;
mod patience;
mod proxy;
mod recorder;
mod rereading;
mod route;
mod second;
mod stream;
mod visit;
mod waiting;

pub use config::Config;
pub use door::{Challenges, Door, Holdings, Platform, Reactor, Visits};
pub use judge::{Core, Judged};
pub use listener::{BindError, Bound, Sockets};
pub use location::Location;
pub use recorder::{Outcome, Recorder, Recording};
pub use route::{Asked, Refusal};
