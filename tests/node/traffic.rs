//! Clicks from many connections at once, through kills and restarts.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Barrier, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use waypost::clock::{Clock, SystemClock};

use super::click::{Click, Protocol};
use super::client::Client;
use super::judge::Judge;
use super::line::{Line, Minted, Reply};
use super::mailing::Mailing;
use super::product::Mint;
use super::speed::Speed;
use super::turns::{Turn, Turns};

/// How clicks are sent.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What each connection is for.
    pub handshake: Handshake,
    /// Connections at once.
    pub connections: usize,
    /// Requests in progress on one HTTP/2 connection that stays open.
    pub streams: usize,
    /// Threads that they are spread over.
    pub threads: usize,
    /// Clicks each second, whatever the answers do (an open loop); without it, each connection
    /// asks as soon as it was answered (a closed loop).
    pub rate: Option<f64>,
    /// Clicks in all.
    pub count: usize,
    /// Clicks that are drawn and minted before the first is sent, so that it costs nothing while
    /// answers are timed.
    pub stock: usize,
    /// What is right to be answered.
    pub expects: fn(&Reply<'_>, &Click) -> bool,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// One request, after a full handshake.
    Cold,
    /// One request, after a resumed handshake where the server gave a ticket.
    Resumed,
    /// All requests, as long as it lasts.
    Warm,
}

/// Where the node answers; `None` while it is down.
pub type Address = watch::Receiver<Option<SocketAddr>>;

/// Clicks that are being sent.
pub struct Traffic {
    client: Client,
    mint: Mint,
    mailing: Mailing,
    pattern: Pattern,
    address: Address,
    turns: Turns,
    /// Where warm connections wait for each other before the first click is sent.
    start: Barrier,
    /// The first clicks of the mailing.
    stock: Vec<Minted>,
    judge: Mutex<Judge>,
    answered: AtomicUsize,
    resumed: AtomicUsize,
    tenths: Mutex<Vec<u32>>,
    ended: Mutex<Option<Instant>>,
}

impl Default for Pattern {
    fn default() -> Self {
        Self {
            handshake: Handshake::Warm,
            connections: 16,
            streams: 8,
            threads: 1,
            rate: None,
            count: usize::MAX,
            stock: 0,
            expects: |reply, click| reply.is_right(click),
        }
    }
}

impl Traffic {
    /// Traffic that sends the clicks of `mailing`, each once, and tells a judge of events of the
    /// node named `node`.
    pub fn new(
        (client, mint): (Client, Mint),
        mailing: Mailing,
        pattern: Pattern,
        address: Address,
        node: &str,
    ) -> Arc<Self> {
        let lanes = mailing.lanes();
        let is_enough = pattern.handshake != Handshake::Warm || pattern.connections >= lanes;
        assert!(is_enough, "a connection for each of {lanes} hosts and protocols");
        let drawn = (0..pattern.stock.min(pattern.count)).map(|serial| mailing.click(serial));
        let stock = drawn.map(|click| Minted::new(click.clone(), mint.token(&click)));
        Arc::new(Self {
            stock: stock.collect(),
            turns: Turns::new(lanes, pattern.count, pattern.rate),
            start: Barrier::new(pattern.connections),
            judge: Judge::new(node).of(mailing.clone()).into(),
            client,
            mint,
            mailing,
            pattern,
            address,
            answered: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            tenths: Mutex::default(),
            ended: Mutex::default(),
        })
    }

    /// How many were answered so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// How many handshakes were resumed so far.
    pub fn resumed(&self) -> usize {
        self.resumed.load(Ordering::Relaxed)
    }

    /// Sends nothing more; what was sent is still waited for.
    pub fn stop(&self) {
        self.turns.stop();
    }

    /// The judge, with all that it was told so far.
    pub fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap()
    }

    /// Sends everything; blocks until each click was answered or died.
    pub fn run(self: &Arc<Self>) {
        let Pattern { connections, threads, .. } = self.pattern;
        thread::scope(|scope| {
            for thread in 0..threads {
                let slots = (0..connections).filter(move |slot| slot % threads == thread);
                scope.spawn(move || self.drive(slots));
            }
        });
        *self.ended.lock().unwrap() = Some(Instant::now());
    }

    /// The same, and stops after `length` where one is given.
    pub fn run_for(self: &Arc<Self>, length: Option<Duration>) {
        thread::scope(|scope| {
            if let Some(length) = length {
                scope.spawn(move || {
                    thread::sleep(length);
                    self.stop();
                });
            }
            self.run();
        });
    }

    /// What [`Traffic::run`] found, once it has ended.
    pub fn finish(self: Arc<Self>) -> (Judge, Speed) {
        let traffic = Arc::into_inner(self).expect("the traffic has ended");
        let ended = traffic.ended.into_inner().unwrap().expect("the traffic has ended");
        let length = ended.duration_since(traffic.turns.begun());
        let tenths = traffic.tenths.into_inner().unwrap();
        (traffic.judge.into_inner().unwrap(), Speed::of(tenths, length))
    }

    /// One thread's connections.
    fn drive(self: &Arc<Self>, slots: impl Iterator<Item = usize>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connections = JoinSet::new();
            for slot in slots {
                let traffic = Arc::clone(self);
                match self.pattern.handshake {
                    Handshake::Warm => connections.spawn(traffic.warm(slot)),
                    Handshake::Cold | Handshake::Resumed => connections.spawn(traffic.fresh()),
                };
            }
            while let Some(connection) = connections.join_next().await {
                connection.unwrap();
            }
        });
    }

    /// Keeps one connection, made again whenever the node was killed, until nothing is left.
    async fn warm(self: Arc<Self>, slot: usize) {
        let lane = slot % self.mailing.lanes();
        let (protocol, host) = self.mailing.lane(lane);
        let streams = if protocol == Protocol::Http2 { self.pattern.streams } else { 1 };
        let mut address = self.address.clone();
        let mut is_first = true;
        let mut down = Instant::now();
        while (is_first && !self.turns.is_stopped()) || !self.turns.is_over(Some(lane)) {
            let now = address.borrow_and_update().to_owned();
            let line = match now {
                Some(at) => Line::connect(&self.client, at, host, protocol).await.ok(),
                None => None,
            };
            let Some(line) = line else {
                // Down: until it is up again, or we missed that.
                drop(timeout(RETRY, address.changed()).await);
                if down.elapsed() > GIVE_UP {
                    self.judge().wronged(format!("no connection for {host} within {GIVE_UP:?}"));
                    self.stop();
                }
                continue;
            };
            if std::mem::take(&mut is_first) {
                tokio::select! {
                    _ = self.start.wait() => {}
                    () = self.turns.stopped() => {}
                }
            }
            let mut requests = JoinSet::new();
            let others = (1..streams).filter_map(|_| line.another()).collect::<Vec<_>>();
            for line in others.into_iter().chain([line]) {
                requests.spawn(Arc::clone(&self).requests(line, lane));
            }
            while let Some(request) = requests.join_next().await {
                request.unwrap();
            }
            down = Instant::now();
        }
    }

    /// One request after the other on one stream, until the connection dies or nothing is left.
    async fn requests(self: Arc<Self>, mut line: Line, lane: usize) {
        let mut tenths = Vec::new();
        while let Some(turn) = self.turn(Some(lane)).await {
            let minted = self.minted(turn.serial);
            self.judge().asked(&minted.click, SystemClock.wall());
            let since = began(turn);
            if !self.ask(&mut line, &minted).await {
                break;
            }
            tenths.push(Speed::tenths(since.elapsed()));
        }
        self.tenths.lock().unwrap().append(&mut tenths);
    }

    /// Makes a connection for each request.
    async fn fresh(self: Arc<Self>) {
        let is_resuming = self.pattern.handshake == Handshake::Resumed;
        let client = match is_resuming {
            true => self.client.clone().with_resumption_of(self.mailing.lanes()),
            false => self.client.clone(),
        };
        let mut address = self.address.clone();
        let mut tenths = Vec::new();
        while let Some(turn) = self.turn(None).await {
            let mut minted = self.minted(turn.serial).into_owned();
            let since = began(turn);
            let at = loop {
                let now = address.borrow_and_update().to_owned();
                match now {
                    Some(at) => break at,
                    None => drop(timeout(RETRY, address.changed()).await),
                }
            };
            let connecting =
                Line::connect(&client, at, &minted.click.host, minted.click.visit.protocol);
            let Ok(Ok(mut line)) = timeout(PATIENCE, connecting).await else {
                // A node that is down answers nobody; whoever tests refusals looks at these.
                self.refused(&minted.click);
                continue;
            };
            minted.click.visit.is_resumed = line.is_resumed;
            self.resumed.fetch_add(usize::from(line.is_resumed), Ordering::Relaxed);
            self.judge().asked(&minted.click, SystemClock.wall());
            if self.ask(&mut line, &minted).await {
                tenths.push(Speed::tenths(since.elapsed()));
            }
            line.close().await;
        }
        self.tenths.lock().unwrap().append(&mut tenths);
    }

    /// Asks, and tells the judge how it went; false when the connection is of no more use.
    async fn ask(&self, line: &mut Line, minted: &Minted) -> bool {
        let click = &minted.click;
        match timeout(PATIENCE, line.ask(minted, self.pattern.expects)).await {
            Err(_) => {
                self.judge().wronged(format!("no answer within {PATIENCE:?}: {click:?}"));
                false
            }
            // Died: a may.
            Ok(Err(_)) => false,
            Ok(Ok(None)) => {
                self.judge().answered(&click.link.message, SystemClock.wall());
                self.answered.fetch_add(1, Ordering::Relaxed);
                true
            }
            Ok(Ok(Some(wrong))) => {
                self.judge().wronged(format!("{click:?} was answered {wrong}"));
                false
            }
        }
    }

    fn minted(&self, serial: usize) -> Cow<'_, Minted> {
        match self.stock.get(serial) {
            Some(minted) => Cow::Borrowed(minted),
            None => {
                let click = self.mailing.click(serial);
                let token = self.mint.token(&click);
                Cow::Owned(Minted::new(click, token))
            }
        }
    }

    /// A connection that was not made: the click was not asked, and is counted as one that died.
    fn refused(&self, click: &Click) {
        self.judge().asked(click, SystemClock.wall());
    }

    /// The next click, once it is due.
    async fn turn(&self, lane: Option<usize>) -> Option<Turn> {
        self.turns.wait(self.turns.take(lane)?).await
    }
}

/// When a click should have been sent: an answer that holds up later clicks makes them slow too.
fn began(turn: Turn) -> Instant {
    turn.due.unwrap_or_else(Instant::now)
}

const RETRY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a node may be down until nothing more is sent.
const GIVE_UP: Duration = Duration::from_secs(60);
