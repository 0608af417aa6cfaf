//! The seam to Kafka.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::verdict::Verdict;
use crate::clock::Timestamp;

/// Where records can be published.
pub trait Publish: fmt::Debug + Send + Sync + 'static {
    /// Begins a session; `hear` is told of everything that comes of it. It does not wait for a
    /// broker, but may block on files.
    fn open(&self, manner: Manner, hear: Hear) -> Result<Box<dyn Session>, OpenError>;
}

/// One producer. Dropping it forgets what was not reported yet.
pub trait Session: fmt::Debug + Send + Sync {
    /// Takes a record, at once or not at all. What becomes of it is told as [`News::Settled`]
    /// under `tag`.
    fn send(&self, record: &Record<'_>, tag: usize) -> Result<(), Verdict>;
}

/// Is told what comes of a session, on a thread of the session's, so it must not block.
pub type Hear = Arc<dyn Fn(News<'_>) + Send + Sync>;

/// How a session is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// For many records: batches gather. It holds at most `queue` bytes.
    Bulk {
        /// Bytes of records that are not settled.
        queue: usize,
    },
    /// For records that somebody waits for: nothing gathers. It holds at most `queue` bytes.
    Prompt {
        /// Bytes of records that are not settled.
        queue: usize,
    },
}

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The topic.
    pub topic: &'a str,
    /// What decides the partition; none for any.
    pub key: Option<&'a [u8]>,
    /// The content.
    pub value: &'a [u8],
    /// The record's time; Kafka keeps milliseconds.
    pub time: Timestamp,
    /// Names and values beside the content.
    pub headers: &'a [(&'static str, &'a str)],
}

/// What comes of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum News<'a> {
    /// A record is in Kafka, or will not be by itself.
    Settled {
        /// The tag it was sent under.
        tag: usize,
        /// `Ok` when every in-sync replica has it.
        outcome: Result<(), Verdict>,
    },
    /// A broker is connected.
    Reachable,
    /// No broker can be reached, or they do not let us in.
    Unreachable(&'a str, Verdict),
    /// How records were batched lately.
    Batches(Batches),
}

/// How the records of one topic were batched over the last seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batches {
    /// Batches sent.
    pub count: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes in them, compressed.
    pub bytes: u64,
}

/// A session could not be begun: the operator's to mend.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A setting that the client does not take.
    #[error("the Kafka client cannot be made: {0}")]
    Client(String),
    /// The password could not be read.
    #[error("kafka.password_file {}: {source}", file.display())]
    Password {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
