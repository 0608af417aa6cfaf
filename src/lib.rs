//! waypost: the public HTTPS edge for tracked links. It **answers** (TLS for any customer
//! hostname, a redirect, a pixel), **records** (every event on stable storage before the
//! answer, and in Kafka after it, when one is configured), **knows** which names are its
//! customers', and what each of them must do, and **audits**: it judges what a domain publishes
//! about its mail.
//!
//! # The house
//!
//! ```text
//! floor 5  main → cli → server → config     the roof: each knows those to its right, and all below
//! floor 4  edge        admin                doors: the public one, the operator's one
//! floor 3  shipper     audit     acme       workers
//! floor 2  tls         domains              holdings: certificates, hostnames
//! floor 1  token  event  journal  kafka  dns  fetch  store     instruments: know only the ground
//! floor 0  hostname  clock  disk  metrics  drain     ground: std and almost nothing else
//! ```
//!
//! A module imports only from floors below its own; siblings do not know each other.
//! `tests/tidy.rs` holds this, and the sizes of files and functions.
//!
//! What follows, and why it is good: [`journal`] stores opaque frames and does not know
//! [`event`]; [`kafka`] does not know positions, and only [`shipper`] knows both; [`tls`] does not
//! know who may ask for a certificate: a miss is returned, and the door tells [`domains`] of the
//! visit; each part owns its validated `Config` and only [`config`] knows TOML; the outside world
//! stands behind the traits [`clock::Clock`], [`disk::Disk`], [`dns::Lookup`], [`fetch::Resolve`],
//! [`store::Store`] and [`kafka::Publish`], whose cruel implementations live in the tests.
//!
//! # Judging a domain
//!
//! What [`audit`] makes of a domain is a function of what DNS has answered so far: it returns a
//! judgement, or the questions that have to be asked first. [`audit::Asker`] asks them, all of one
//! round together, and begins again. A whole domain is judged likewise: [`audit::domain::examine`]
//! makes a report or says what it needs, [`audit::domain::Auditor`] asks. So no judgement waits, each can
//! be tried on a zone that is a text in a test, and the same code reads a record before it is
//! published. What records name by address is fetched through the seam [`audit::domain::Files`], whose
//! real side, [`server::Web`], dials public addresses only.
//!
//! # The walk of one click
//!
//! ```text
//! TcpStream ─listener→ Conn ─handshake→ TlsStream + Hostname ─connection→ Request
//!   ─route→ Click(token) ─token.open(now)→ destination, ids ─event.encode→ bytes
//!   ─journal.append(frame).await→ durable ─→ 302
//! ```
//!
//! # The walk of one event
//!
//! ```text
//! journal::Reader ─→ Frame ─kafka.send→ verdict ─window→ settled prefix ─cursor→ what may be deleted
//! ```
//!
//! The two walks meet only at the journal: Kafka being away is nothing but lag. Only an event that
//! the journal does not take in time goes to Kafka at once, so that it is recorded before its answer
//! all the same.
//!
//! # The walk of one hostname
//!
//! ```text
//! added (file, command, API) ─due→ poller ─look→ Sight ─judge(now)→ Domain, transition
//! visited ─gate→ refused | look, probe, budgets → Permit ─┘
//!   ─store.put(record + event, one change)→ due again, event pending ─journal→ settled
//! ```
//!
//! A record and the event that tells of its change are written in one transaction, and the event
//! is brought into the journal from there; so a crash between the two files neither loses an event
//! nor makes a second one.
//!
//! # The walk of one audit
//!
//! ```text
//! added ─due→ schedule(rate, places) ─ask→ Report ─step(former, now)→ what holds, transition
//!   ─store.put(result + event, one change)→ due again, event pending ─journal→ settled
//! ```
//!
//! What holds changes when two answers in a row say so; what DNS did not answer stays as it was.
//!
//! # The walk of one page
//!
//! ```text
//! Request ─route→ Page(pass) ─keyring.open_pass(now)→ name ─window→ desk, on the main thread
//!   ─register, results→ sheet │ turn → the zone's own servers, an audit anew ─clerk→ kept → 303
//! ```
//!
//! # The walk of one certificate
//!
//! ```text
//! a visitor waits, a renewal is due, a name was added ─turn→ Permit
//!   ─preflight→ order ─verify→ store ─→ served ─due→ asked about (RFC 9773), renewed
//! ```
//!
//! When it is renewed, how long failures wait and whose turn it is are decided without a clock or
//! a network, and simulated over years.
//!
//! # The shape of the process
//!
//! Each core runs one *reactor*: a thread with a single-threaded runtime, its own listening
//! sockets and its own [`journal::Appender`]. One *writer* thread owns the journal's files. A
//! reactor queues an event and waits; the writer takes all that is queued, writes it once, syncs
//! once, publishes the durable position and wakes each waiting reactor once; the reactor then
//! wakes its own tasks. One wake-up for each batch and reactor is what keeps recording cheap:
//! each is a system call. The shipper is one more thread, beside those of librdkafka; one thread
//! writes the store. The operator's door, signals, the reading of keys, all work on hostnames and the
//! watch over the journal's disk live on the main thread. Traces are written by a thread of their
//! own, so that nobody waits for standard error. A process that ends lets go of the store first, so
//! that the next one has it while both still answer.

pub mod acme;
pub mod admin;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disk;
pub mod dns;
pub mod domains;
pub mod drain;
pub mod edge;
pub mod event;
pub mod fetch;
pub mod hostname;
pub mod journal;
pub mod kafka;
pub mod metrics;
pub mod server;
pub mod shipper;
pub mod store;
pub mod tls;
pub mod token;
