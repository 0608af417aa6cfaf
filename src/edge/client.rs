//! What is known of one connection, shared by hyper's half and ours.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::admission::Newcomer;
use super::door::Reactor;
use super::pace::Sight;
use crate::hostname::Hostname;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) reactor: Arc<Reactor>,
    /// The socket's peer, or whom its proxy speaks for.
    pub(super) address: IpAddr,
    /// The TLS side; `None` on a plain connection.
    pub(super) tls: Option<Tls>,
    newcomer: Mutex<Option<Newcomer>>,
    requests: AtomicU32,
    in_flight: AtomicU32,
    is_partial: AtomicBool,
    is_stalled: AtomicBool,
    has_stalled_for_good: AtomicBool,
    has_refused_body: AtomicBool,
}

/// What a handshake agreed on.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    /// The name that the client asked for.
    pub(super) sni: Hostname,
    /// `1.2` or `1.3`.
    pub(super) version: &'static str,
    /// Whether it resumed an earlier session.
    pub(super) is_resumed: bool,
    /// Whether HTTP/2 was chosen.
    pub(super) is_http2: bool,
}

impl Client {
    pub(super) fn new(
        reactor: Arc<Reactor>,
        address: IpAddr,
        tls: Option<Tls>,
        newcomer: Newcomer,
    ) -> Self {
        Self {
            reactor,
            address,
            tls,
            newcomer: Mutex::new(Some(newcomer)),
            requests: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            is_partial: AtomicBool::new(false),
            is_stalled: AtomicBool::new(false),
            has_stalled_for_good: AtomicBool::new(false),
            has_refused_body: AtomicBool::new(false),
        }
    }

    /// Bytes of a request came.
    pub(super) fn read(&self) {
        self.is_partial.store(true, Relaxed);
    }

    /// A request's header is complete. It is being answered until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        if self.requests.fetch_add(1, Relaxed) == 0 {
            drop(self.newcomer.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        self.in_flight.fetch_add(1, Relaxed);
        self.is_partial.store(false, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Whether the client lets an answer's bytes wait.
    pub(super) fn stalled(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Relaxed);
    }

    /// The client let them wait for too long.
    pub(super) fn stalled_for_good(&self) {
        self.has_stalled_for_good.store(true, Relaxed);
    }

    pub(super) fn has_stalled_for_good(&self) -> bool {
        self.has_stalled_for_good.load(Relaxed)
    }

    /// Content was refused, and may still be on its way.
    pub(super) fn refused_body(&self) {
        self.has_refused_body.store(true, Relaxed);
    }

    pub(super) fn has_refused_body(&self) -> bool {
        self.has_refused_body.load(Relaxed)
    }

    /// Requests begun.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Relaxed) > 0 || self.is_stalled.load(Relaxed)
    }

    /// What the connection has done by now.
    pub(super) fn sight(&self) -> Sight {
        let (requests, is_partial) = (self.requests(), self.is_partial.load(Relaxed));
        Sight { requests, is_busy: self.is_busy(), is_partial }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Client>);

impl InFlight {
    pub(super) fn client(&self) -> &Arc<Client> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
