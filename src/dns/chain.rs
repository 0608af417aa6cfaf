//! The CNAMEs from a name on, one by one.

use std::future::Future;

use super::{Answer, Data, Failure, Kind, Name, Question, Reply};

/// The CNAMEs from a name on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The name, then each CNAME's target.
    pub names: Vec<Name>,
    /// How it ends.
    pub end: End,
}

/// How a chain of CNAMEs ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the target.
    Target,
    /// At a name that exists and is no alias.
    Other,
    /// At a name that does not exist.
    NoName,
    /// At a name that was there before.
    Loop,
    /// At the longest chain that is followed.
    TooLong,
}

impl Chain {
    /// Whether the name itself is an alias of something.
    pub fn has_alias(&self) -> bool {
        self.names.len() > 1
    }

    /// The last name that was reached.
    pub fn last(&self) -> Option<&Name> {
        self.names.last()
    }
}

/// Walks from `name` with `ask`, which answers one question for CNAMEs and adds what else it
/// found. Stops at `target` without asking for it.
pub(super) async fn walk<T, F>(
    name: &Name,
    target: &Name,
    mut ask: impl FnMut(Question) -> F,
) -> Result<(Chain, Vec<T>), Failure>
where
    F: Future<Output = Result<(Reply, T), Failure>>,
{
    let (mut names, mut more) = (vec![name.clone()], Vec::new());
    loop {
        let Some(last) = names.last() else { return Err(Failure::Malformed) };
        if last == target {
            return Ok((Chain { names, end: End::Target }, more));
        }
        let (reply, found) = ask(Question::new(last, Kind::Cname)).await?;
        more.push(found);
        let next = match reply.answer {
            Answer::NoName => return Ok((Chain { names, end: End::NoName }, more)),
            Answer::NoData | Answer::Elsewhere => {
                return Ok((Chain { names, end: End::Other }, more));
            }
            // Several CNAMEs at one name are none (RFC 2181 §10.1).
            Answer::Found(records) => match records.as_slice() {
                [record] => match &record.data {
                    Data::Cname(next) => next.clone(),
                    _ => return Err(Failure::Malformed),
                },
                _ => return Err(Failure::Malformed),
            },
        };
        if names.contains(&next) {
            names.push(next);
            return Ok((Chain { names, end: End::Loop }, more));
        }
        names.push(next);
        if names.len() > LONGEST {
            return Ok((Chain { names, end: End::TooLong }, more));
        }
    }
}

/// Names in a chain; resolvers give up between 8 and 16 CNAMEs.
const LONGEST: usize = 9;
