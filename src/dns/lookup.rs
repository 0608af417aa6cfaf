//! The seam to the DNS.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use super::{Answer, CaaSet, Chain, Data, Failure, Kind, Name, Question, Reply, ZoneReply};

/// A question on its way.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// The DNS, as the product asks it. Every question ends in bounded time.
pub trait Lookup: fmt::Debug + Send + Sync + 'static {
    /// Asks the configured resolvers; what they said before is remembered for as long as they
    /// allowed. CNAMEs are followed, unless the question is for one.
    fn ask(&self, question: &Question) -> Asking<'_, Reply>;

    /// Asks each of the zone's own servers, now. CNAMEs are followed as far as the server itself
    /// follows them. Fails when the servers cannot be found out.
    fn ask_zone(&self, question: &Question) -> Asking<'_, ZoneReply>;

    /// Asks the configured resolvers once more, and to pass on what does not validate (CD, RFC 4035
    /// §3.2.2): what fails without and is answered so has bad signatures. Nothing is remembered.
    fn ask_unchecked(&self, question: &Question) -> Asking<'_, Reply>;

    /// Forgets what was remembered of this name, of every kind, so that the next question goes
    /// out. (What the resolvers themselves remember is theirs.)
    fn forget(&self, name: &Name);
}

impl dyn Lookup {
    /// The addresses of a name, IPv4 before IPv6, through its CNAMEs. When the name has one
    /// family and asking for the other failed, what was found is told.
    pub async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Failure> {
        let (four, six) = (Question::new(name, Kind::A), Question::new(name, Kind::Aaaa));
        let (four, six) = tokio::join!(self.ask(&four), self.ask(&six));
        let mut found: Vec<IpAddr> = Vec::new();
        let mut failed = None;
        for reply in [four, six] {
            match reply {
                Ok(reply) => found.extend(reply.records().iter().filter_map(|r| match r.data {
                    Data::A(address) => Some(IpAddr::V4(address)),
                    Data::Aaaa(address) => Some(IpAddr::V6(address)),
                    _ => None,
                })),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        match failed {
            Some(failure) if found.is_empty() => Err(failure),
            _ => Ok(found),
        }
    }

    /// The CNAMEs from a name on, asked one by one of the configured resolvers; ends early at
    /// `target`.
    pub async fn chain(&self, name: &Name, target: &Name) -> Result<Chain, Failure> {
        super::chain::walk(name, target, |question| async move {
            let reply = self.ask(&question).await?;
            Ok((reply, ()))
        })
        .await
        .map(|(chain, _)| chain)
    }

    /// The CAA records that a certification authority finds for a name (RFC 8659 §3): climbs from
    /// the name towards the root until there is a set, each question following CNAMEs. `None`
    /// when there is none. A question that fails before a set is found blocks, as it does at the
    /// authorities.
    pub async fn caa(&self, name: &Name) -> Result<Option<CaaSet>, (Name, Failure)> {
        let mut next = Some(name.clone());
        while let Some(at) = next.filter(|at| !at.is_root()) {
            let question = Question::new(&at, Kind::Caa);
            let reply = self.ask(&question).await.map_err(|failure| (at.clone(), failure))?;
            if let Answer::Found(records) = reply.answer {
                return Ok(Some(CaaSet::new(at, reply.aliases, records)));
            }
            next = at.parent();
        }
        Ok(None)
    }
}
