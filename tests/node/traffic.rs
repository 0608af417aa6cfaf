//! Clicks from many connections at once, through kills and restarts.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use waypost::clock::{Clock, SystemClock};

use super::click::{Click, Protocol};
use super::client::{Client, Session};
use super::judge::Judge;

/// A click and the token that was minted for it.
#[derive(Clone, Debug)]
pub struct Minted {
    pub click: Click,
    pub token: String,
}

/// Where the node answers; `None` while it is down.
pub type Address = watch::Receiver<Option<SocketAddr>>;

/// Clicks that are being sent.
pub struct Traffic {
    client: Client,
    host: String,
    http1: Queue,
    http2: Queue,
    address: Address,
    judge: Mutex<Judge>,
    answered: AtomicUsize,
}

type Queue = Mutex<VecDeque<Minted>>;

impl Traffic {
    /// Traffic that sends each of `clicks`, all on `host`, once and tells `judge` of it.
    pub fn new(
        client: Client,
        host: &str,
        clicks: Vec<Minted>,
        address: Address,
        judge: Judge,
    ) -> Self {
        let (http1, http2): (VecDeque<_>, VecDeque<_>) =
            clicks.into_iter().partition(|minted| minted.click.visit.protocol == Protocol::Http1);
        Self {
            client,
            host: host.to_owned(),
            http1: http1.into(),
            http2: http2.into(),
            address,
            judge: judge.into(),
            answered: AtomicUsize::new(0),
        }
    }

    /// How many were answered so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Sends everything; blocks until each click was answered or died. Panics on an answer that
    /// is not the right one.
    pub fn run(self: &Arc<Self>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connections = JoinSet::new();
            for _ in 0..CONNECTIONS {
                for (protocol, streams) in [(Protocol::Http1, 1), (Protocol::Http2, STREAMS)] {
                    connections.spawn(Arc::clone(self).connection(protocol, streams));
                }
            }
            while let Some(connection) = connections.join_next().await {
                connection.unwrap();
            }
        });
    }

    /// The judge, with all that it was told.
    pub fn into_judge(self: Arc<Self>) -> Judge {
        Arc::into_inner(self).expect("the traffic has ended").judge.into_inner().unwrap()
    }

    /// Keeps one connection, made again whenever the node was killed, until nothing is left.
    async fn connection(self: Arc<Self>, protocol: Protocol, streams: usize) {
        let mut address = self.address.clone();
        while !self.queue(protocol).lock().unwrap().is_empty() {
            let now = address.borrow_and_update().to_owned();
            let session = match now {
                Some(at) => self.client.connect(at, &self.host, protocol).await.ok(),
                None => None,
            };
            let Some(session) = session else {
                // Down: until it is up again, or we missed that.
                drop(timeout(RETRY, address.changed()).await);
                continue;
            };
            let mut requests = JoinSet::new();
            let others = (1..streams).filter_map(|_| session.another()).collect::<Vec<_>>();
            for session in others.into_iter().chain([session]) {
                requests.spawn(Arc::clone(&self).requests(session, protocol));
            }
            while let Some(request) = requests.join_next().await {
                request.unwrap();
            }
        }
    }

    /// One request after the other on one stream, until the connection dies or nothing is left.
    async fn requests(self: Arc<Self>, mut session: Session, protocol: Protocol) {
        loop {
            let next = self.queue(protocol).lock().unwrap().pop_front();
            let Some(Minted { click, token }) = next else { return };
            self.judge.lock().unwrap().asked(&click, SystemClock.wall());
            let asking = session.click(&click, &token);
            let Ok(answer) = timeout(PATIENCE, asking).await.expect("an answer or a dead node")
            else {
                return;
            };
            assert!(answer.is_right(&click), "{click:?} was answered {answer:?}");
            self.judge.lock().unwrap().answered(&click.link.message, SystemClock.wall());
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn queue(&self, protocol: Protocol) -> &Queue {
        match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        }
    }
}

/// Connections of each protocol.
const CONNECTIONS: usize = 8;
/// Requests in progress on one HTTP/2 connection.
const STREAMS: usize = 8;
const RETRY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);
