//! waypost: the public HTTPS edge for tracked links. It **answers** (TLS for any customer
//! hostname, a redirect, a pixel) and **records** (every event on stable storage before the
//! answer). It **audits**: it judges what a domain publishes about its mail.
//!
//! # The house
//!
//! ```text
//! floor 5  main → cli → server → config     the roof: each knows those to its right, and all below
//! floor 4  edge        admin                doors: the public one, the operator's one
//! floor 3  audit                            workers
//! floor 2  tls                              holdings: certificates
//! floor 1  token  event  journal  dns  store     instruments: know only the ground
//! floor 0  hostname  clock  disk  metrics  drain     ground: std and almost nothing else
//! ```
//!
//! A module imports only from floors below its own; siblings do not know each other.
//! `tests/tidy.rs` holds this, and the sizes of files and functions.
//!
//! What follows, and why it is good: [`journal`] stores opaque frames and does not know
//! [`event`]; [`tls`] does not know who may ask for a certificate; each part owns its validated
//! `Config` and only [`config`] knows TOML; the outside world stands behind the traits
//! [`clock::Clock`] and [`disk::Disk`], whose cruel implementations live in the tests.
//!
//! # Judging a domain
//!
//! What [`audit`] makes of a domain is a function of what DNS has answered so far: it returns a
//! judgement, or the questions that have to be asked first. [`audit::Asker`] asks them, all of one
//! round together, and begins again. So no judgement waits, each can be tried on a zone that is
//! a text in a test, and the same code reads a record before it is published.
//!
//! # The walk of one click
//!
//! ```text
//! TcpStream ─listener→ Conn ─handshake→ TlsStream + Hostname ─connection→ Request
//!   ─route→ Click(token) ─token.open(now)→ destination, ids ─event.encode→ bytes
//!   ─journal.append(frame).await→ durable ─→ 302
//! ```
//!
//! # The shape of the process
//!
//! Each core runs one *reactor*: a thread with a single-threaded runtime, its own listening
//! sockets and its own [`journal::Appender`]. One *writer* thread owns the journal's files. A
//! reactor queues an event and waits; the writer takes all that is queued, writes it once, syncs
//! once, publishes the durable position and wakes each waiting reactor once; the reactor then
//! wakes its own tasks. One wake-up for each batch and reactor is what keeps recording cheap:
//! each is a system call. The operator's door, signals, the reading of keys and the watch over
//! the journal's disk live on the main thread. Traces are written by a thread of their own, so
//! that nobody waits for standard error.

pub mod admin;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disk;
pub mod dns;
pub mod drain;
pub mod edge;
pub mod event;
pub mod hostname;
pub mod journal;
pub mod metrics;
pub mod server;
pub mod store;
pub mod tls;
pub mod token;
