//! The real side of the seam.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use thiserror::Error;
use tokio::sync::Semaphore;

use super::flight::Flights;
use super::measures::{Measures, Way};
use super::pace::Pace;
use super::wire::Recursion;
use super::{
    Answer, Asking, Config, Failure, Kind, Lookup, Name, Question, Reply, ZoneReply, exchange,
    system, wire, zone,
};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::metrics::Metrics;

/// Asks over the network. Cloning shares it.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
    replies: Arc<Flights<Question, Result<Reply, Failure>>>,
    zones: Arc<Flights<Question, Result<ZoneReply, Failure>>>,
}

/// Why the DNS cannot be asked: the operator's to mend.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no resolver.
    #[error("dns.servers is empty, and so is the system's configuration")]
    NoServer,
}

pub(super) struct Inner {
    config: Config,
    servers: Vec<SocketAddr>,
    /// The server that answered last: asked first.
    preferred: AtomicUsize,
    memory: Cache<Question, Remembered>,
    pub(super) pace: Mutex<Pace>,
    room: Semaphore,
    pub(super) clock: Arc<dyn Clock>,
    measures: Measures,
}

#[derive(Clone, Debug)]
struct Remembered {
    reply: Reply,
    until: Instant,
}

impl Resolver {
    /// A resolver with its settings; `disk` is where the system's own are found when there are
    /// none. Asks nothing yet. Blocks for a file.
    pub fn new(
        config: Config,
        disk: &dyn Disk,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let servers = match config.servers.as_slice() {
            [] => system::servers(disk),
            servers => servers.to_vec(),
        };
        if servers.is_empty() {
            return Err(StartError::NoServer);
        }
        let inner = Inner {
            servers,
            preferred: AtomicUsize::new(0),
            memory: Cache::new(config.cache),
            pace: Mutex::new(Pace::new(config.server_rate)),
            room: Semaphore::new(config.in_flight),
            clock,
            measures: Measures::new(metrics),
            config,
        };
        let (replies, zones) = (Arc::new(Flights::new()), Arc::new(Flights::new()));
        Ok(Self { inner: Arc::new(inner), replies, zones })
    }
}

impl Lookup for Resolver {
    fn ask(&self, question: &Question) -> Asking<'_, Reply> {
        if let Some(reply) = self.inner.remembered(question) {
            return Box::pin(std::future::ready(Ok(reply)));
        }
        let (flight, is_joined) = self.replies.join(question, |landing| {
            let (inner, question) = (Arc::clone(&self.inner), question.clone());
            async move {
                let result = inner.resolve(&question, Recursion::Checked).await;
                if landing.land() {
                    inner.remember(question, &result);
                }
                result
            }
        });
        self.inner.measures.joined.inc_by(u64::from(is_joined));
        Box::pin(flight)
    }

    fn ask_zone(&self, question: &Question) -> Asking<'_, ZoneReply> {
        let (flight, is_joined) = self.zones.join(question, |landing| {
            let (own, question) = (self.clone(), question.clone());
            async move {
                let reply = zone::ask(&own, &question).await;
                drop(landing);
                reply
            }
        });
        self.inner.measures.joined.inc_by(u64::from(is_joined));
        Box::pin(flight)
    }

    fn ask_unchecked(&self, question: &Question) -> Asking<'_, Reply> {
        let question = question.clone();
        Box::pin(async move { self.inner.resolve(&question, Recursion::Unchecked).await })
    }

    fn forget(&self, name: &Name) {
        self.replies.forget(|question| question.name == *name);
        self.zones.forget(|question| question.name == *name);
        self.inner.forget(name);
    }
}

impl Resolver {
    /// One question to one of a zone's own servers.
    pub(super) async fn ask_server(
        &self,
        server: SocketAddr,
        question: &Question,
    ) -> Result<Reply, Failure> {
        let inner = &self.inner;
        let mut result = Err(Failure::TimedOut);
        for _ in 0..inner.config.tries {
            inner.pause(server).await?;
            result = inner.exchange(server, question, Recursion::None).await;
            if !matches!(result, Err(Failure::TimedOut)) {
                break;
            }
        }
        result
    }

    pub(super) fn zone_port(&self) -> u16 {
        self.inner.config.zone_port
    }
}

impl Inner {
    /// Asks the resolvers, and follows CNAMEs where they do not.
    async fn resolve(&self, question: &Question, recursion: Recursion) -> Result<Reply, Failure> {
        let mut reply = self.try_servers(question, recursion).await?;
        let mut aliases = std::mem::take(&mut reply.aliases);
        let mut ttl = reply.ttl;
        while reply.answer == Answer::Elsewhere {
            let Some(last) = aliases.last() else { return Err(Failure::Malformed) };
            let further = Question::new(last, question.kind);
            let next = self.try_servers(&further, recursion).await?;
            for alias in &next.aliases {
                if aliases.contains(alias) || *alias == question.name {
                    return Err(Failure::Endless);
                }
                aliases.push(alias.clone());
            }
            if aliases.len() > LONGEST_CHAIN {
                return Err(Failure::Endless);
            }
            ttl = ttl.min(next.ttl);
            reply = next;
        }
        Ok(Reply { aliases, ttl, ..reply })
    }

    /// Tries one server after the other.
    async fn try_servers(
        &self,
        question: &Question,
        recursion: Recursion,
    ) -> Result<Reply, Failure> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut told = None;
        for attempt in 0..self.config.tries {
            let index = (first + attempt) % self.servers.len();
            match self.exchange(self.servers[index], question, recursion).await {
                Ok(reply) => {
                    if attempt > 0 {
                        self.preferred.store(index, Ordering::Relaxed);
                    }
                    return Ok(reply);
                }
                // What a server says of itself tells more than silence.
                Err(failure) if told.is_none_or(is_silence) => told = Some(failure),
                Err(_) => {}
            }
        }
        Err(told.unwrap_or(Failure::Unreachable))
    }

    async fn exchange(
        &self,
        server: SocketAddr,
        question: &Question,
        recursion: Recursion,
    ) -> Result<Reply, Failure> {
        let way = if recursion == Recursion::None { Way::Zone } else { Way::Resolver };
        let timeout = self.config.timeout;
        let place = tokio::time::timeout(timeout, self.room.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(Failure::Busy) };
        let begun = self.clock.now();
        let asked = exchange::ask(server, question, recursion, timeout).await;
        let result = asked.and_then(|message| {
            let reply = wire::reply(&message, question)?;
            // A zone's own server speaks with authority, or it is none.
            let is_lame = way == Way::Zone && !reply.is_authoritative;
            if is_lame { Err(Failure::Lame) } else { Ok(reply) }
        });
        let took = self.clock.now().saturating_duration_since(begun);
        self.measures.asked(way, &result, took);
        tracing::debug!(%server, %question, ?result, "asked");
        result
    }

    /// Waits until `server` may be asked again.
    async fn pause(&self, server: SocketAddr) -> Result<(), Failure> {
        let patience = self.config.timeout * 2;
        let wait = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.reserve(server.ip(), self.clock.now(), patience)
        };
        match wait {
            None => Err(Failure::Busy),
            Some(Duration::ZERO) => Ok(()),
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
        }
    }

    fn remembered(&self, question: &Question) -> Option<Reply> {
        let Remembered { reply, until } = self.memory.get(question)?;
        if self.clock.now() >= until {
            return None;
        }
        self.measures.remembered.inc();
        Some(reply)
    }

    fn remember(&self, question: Question, result: &Result<Reply, Failure>) {
        let Ok(reply) = result else { return };
        let longest = match reply.answer {
            Answer::Found(_) => self.config.longest,
            _ => self.config.longest_absence,
        };
        let wait = reply.ttl.min(longest);
        if wait.is_zero() {
            return;
        }
        let (reply, until) = (reply.clone(), self.clock.now() + wait);
        self.memory.insert(question, Remembered { reply, until });
    }

    fn forget(&self, name: &Name) {
        for kind in Kind::ALL {
            self.memory.invalidate(&Question::new(name, kind));
        }
    }
}

fn is_silence(failure: Failure) -> bool {
    matches!(failure, Failure::TimedOut | Failure::Unreachable | Failure::Busy)
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("servers", &self.inner.servers).finish_non_exhaustive()
    }
}

const LONGEST_CHAIN: usize = 16;
