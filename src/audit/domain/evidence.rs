//! What is known of a domain, and what has to be asked.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;

use crate::audit::{Answer, Answers, Unanswered};
use crate::clock::Timestamp;
use crate::dns::{Failure, Question, ZoneReply};

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What the resolvers said.
    pub answers: Answers,
    /// What each server of a zone said.
    pub servers: HashMap<Question, Result<ZoneReply, Failure>>,
    /// What the resolvers said when they were told to check no signatures.
    pub unchecked: HashMap<Question, Answer>,
    /// What the resolvers said when they were asked once more what they had failed to answer.
    pub again: HashMap<Question, Answer>,
    /// Whether what stands at addresses can be fetched.
    pub is_fetching: bool,
    /// What stands at addresses.
    pub files: HashMap<Wanted, Result<File, Unfetched>>,
    /// When it is judged.
    pub now: Timestamp,
}

/// What has to be asked before a report can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Questions for the resolvers.
    pub questions: Vec<Question>,
    /// Questions for each server of the zone.
    pub of_servers: Vec<Question>,
    /// Questions for the resolvers, with signatures left unchecked.
    pub unchecked: Vec<Question>,
    /// Questions for the resolvers that they failed to answer.
    pub again: Vec<Question>,
    /// What to fetch.
    pub files: Vec<Wanted>,
}

impl Needs {
    /// Whether nothing has to be asked.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
            && self.of_servers.is_empty()
            && self.unchecked.is_empty()
            && self.again.is_empty()
            && self.files.is_empty()
    }

    /// What a judgement came to; none when it needs something, which is added.
    pub(super) fn take<T>(&mut self, judged: Result<T, Unanswered>) -> Option<T> {
        match judged {
            Ok(judged) => Some(judged),
            Err(Unanswered(questions)) => {
                for question in questions {
                    if !self.questions.contains(&question) {
                        self.questions.push(question);
                    }
                }
                None
            }
        }
    }
}

/// One question that was asked for a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What was asked: a question, or an address.
    pub what: String,
    /// Of whom.
    pub way: Way,
    /// Whether it is about the domain itself: all others, such as the platform's own record and
    /// public suffixes, are the same for many domains, and are asked once for all of them.
    pub is_own: bool,
    /// What came of it, in words.
    pub came: String,
    /// How long it took.
    pub took: Duration,
}

/// Of whom something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The resolvers.
    Resolver,
    /// Each server of the zone.
    Servers,
    /// The resolvers, signatures unchecked.
    Unchecked,
    /// A web server.
    Web,
}

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// What stands there, which says how much of it is read.
    pub document: Document,
    /// Its https address.
    pub address: String,
}

/// What records name by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Document {
    /// An image for BIMI.
    Image,
    /// A mark certificate with its chain.
    MarkCertificate,
    /// A policy for TLS on the way in (RFC 8461), which is never redirected to.
    Policy,
}

/// A fetch on its way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<File, Unfetched>> + Send + 'a>>;

/// The seam to what stands at addresses that strangers' records name. Whoever implements it
/// connects to public addresses only, follows no redirect to others, and bounds time and bytes.
pub trait Files: fmt::Debug + Send + Sync + 'static {
    /// Fetches what stands at an https address.
    fn fetch(&self, wanted: &Wanted) -> Fetching<'_>;
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its media type, as the server told it; empty when it did not.
    pub media_type: String,
    /// Its bytes, without the coding that they may have been sent in.
    pub bytes: Vec<u8>,
}

/// Why nothing was fetched.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unfetched {
    /// There is no answer, and nothing is known.
    #[error("{0}")]
    Unknown(String),
    /// The server answered, and what it said is no file that receivers take.
    #[error("{0}")]
    Refused(String),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Resolver => "resolver",
            Self::Servers => "zone's servers",
            Self::Unchecked => "resolver, unchecked",
            Self::Web => "web",
        })
    }
}
