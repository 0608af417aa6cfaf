//! How a question ends.

use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

use super::{Data, Name, Record};

/// What somebody vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Records, or that there are none.
    pub answer: Answer,
    /// The targets of the CNAMEs that were followed on the way, in order. Empty when the name
    /// itself answered, and when the question was for CNAMEs.
    pub aliases: Vec<Name>,
    /// The zone that an absence was told of, when the server said so.
    pub zone: Option<Name>,
    /// Whether the server has authority for the name (AA, RFC 1035 §4.1.1).
    pub is_authoritative: bool,
    /// For how long this may be remembered.
    pub ttl: Duration,
}

/// Records, or that there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These records, at least one, of the kind that was asked for.
    Found(Vec<Record>),
    /// The name exists and has no record of this kind (RFC 2308 §2.2).
    NoData,
    /// The name does not exist (NXDOMAIN, RFC 2308 §2.1). With aliases: their last target does
    /// not.
    NoName,
    /// The name is an alias that leads out of what this server knows. Only a zone's own server
    /// ends so.
    Elsewhere,
}

/// That nobody vouched for anything. Not the fault of who asked; worth a retry later.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// Too many questions wait already, here or for this server.
    #[error("too many questions are waiting")]
    Busy,
    /// CNAMEs lead in a circle, or further than anybody follows.
    #[error("the CNAMEs lead in a circle or too far")]
    Endless,
    /// A server of the zone that does not know the zone (RFC 1912 §2.8), or a resolver that does
    /// not resolve.
    #[error("the server has no authority for the name")]
    Lame,
    /// Bytes that are no DNS message, or no answer to the question.
    #[error("the answer is malformed")]
    Malformed,
    /// Another response code.
    #[error("the server answered with code {0}")]
    Other(u16),
    /// REFUSED: the server does not answer us.
    #[error("REFUSED by the server")]
    Refused,
    /// SERVFAIL: the server tried and failed; DNSSEC that does not validate ends so too.
    #[error("SERVFAIL from the server")]
    ServerFailure,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The server could not be reached, or has no address.
    #[error("the server cannot be reached")]
    Unreachable,
}

impl Failure {
    /// A short stable word, for metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Endless => "endless",
            Self::Lame => "lame",
            Self::Malformed => "malformed",
            Self::Other(_) => "other",
            Self::Refused => "refused",
            Self::ServerFailure => "servfail",
            Self::TimedOut => "timeout",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Reply {
    /// The records; none for an absence.
    pub fn records(&self) -> &[Record] {
        match &self.answer {
            Answer::Found(records) => records,
            _ => &[],
        }
    }

    /// The data of the records, sorted: what two servers must agree on, whatever the order and
    /// age of what they hold.
    fn agreed(&self) -> (u8, Vec<&Data>, &[Name]) {
        let rank = match self.answer {
            Answer::Found(_) => 0,
            Answer::NoData => 1,
            Answer::NoName => 2,
            Answer::Elsewhere => 3,
        };
        let mut data: Vec<_> = self.records().iter().map(|record| &record.data).collect();
        data.sort();
        (rank, data, &self.aliases)
    }
}

/// What the servers of a zone said, each for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneReply {
    /// The zone.
    pub zone: Name,
    /// Its servers, sorted by name; at least one.
    pub servers: Vec<ServerReply>,
}

/// What one server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReply {
    /// The server.
    pub server: Name,
    /// Where it was asked; `None` when it has no address.
    pub address: Option<SocketAddr>,
    /// What it said.
    pub result: Result<Reply, Failure>,
}

/// What the servers of a zone said together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// All that answered said the same.
    One(&'a Reply),
    /// They said different things.
    Disagree,
    /// None answered; the reason of the first.
    Failed(Failure),
}

impl ZoneReply {
    /// What the servers said together. Servers that failed do not vote: a lame one beside a good
    /// one is the customer's to mend, and stops nobody.
    pub fn verdict(&self) -> Verdict<'_> {
        let mut answered = self.servers.iter().filter_map(|server| server.result.as_ref().ok());
        let Some(first) = answered.next() else {
            let failure = self.servers.first().and_then(|server| server.result.as_ref().err());
            return Verdict::Failed(failure.copied().unwrap_or(Failure::Unreachable));
        };
        if answered.all(|other| other.agreed() == first.agreed()) {
            Verdict::One(first)
        } else {
            Verdict::Disagree
        }
    }
}
