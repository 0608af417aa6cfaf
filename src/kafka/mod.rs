//! Kafka, as far as events need it: records are handed to a session, and it is told what became
//! of each.
//!
//! [`Publish`] is the seam: the real one is [`Cluster`], the cruel one stands in tests. A
//! [`Session`] is one idempotent producer. It retries by itself whatever may be retried without a
//! copy or a change of order, for ever (`message.timeout.ms=0`: the journal holds the event, so
//! nothing is gained by giving up), and reports the rest with a [`Verdict`]:
//!
//! ```text
//! Retry     send it again: the queue is full, the topic is missing, we are not let in
//! TooLarge  it will never be taken: too large
//! Fatal     nothing is taken any more: a new session is needed, which sends again whatever was
//!           not acknowledged
//! ```
//!
//! Order holds within a session and a partition. A session that is dropped forgets what it still
//! holds: only what was reported as delivered is in Kafka for certain, so what is sent again may
//! be there twice, and consumers tell copies by the event's id.
//!
//! Topics are made by [`topics::create`] only: the producer never lets a broker make one, since it
//! would have the wrong number of partitions for ever.

mod client;
mod config;
mod producer;
mod publish;
mod secret;
pub mod topics;
mod verdict;

pub use config::{Compression, Config, Sasl, Security, Topics};
pub use producer::Cluster;
pub use publish::{Batches, Hear, Manner, News, OpenError, Publish, Record, Session};
pub use secret::{Password, Secret};
pub use verdict::{Reason, Verdict};
