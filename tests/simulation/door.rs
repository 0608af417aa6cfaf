//! What a reactor does of a request: the judge and the recorder of the product, polled by hand.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use uuid::Uuid;
use waypost::clock::Timestamp;
use waypost::disk::Disk;
use waypost::edge::{Asked, Core, Judged, Outcome, Recorder, Recording};
use waypost::event::{Encoder, Event, Kind, Link};
use waypost::hostname::Hostname;
use waypost::journal::{Appender, Frame, Stream};
use waypost::token::{Action, Claims, Keyring};

use crate::disk::{CrashDisk, Lies};

/// The keys, the judge and the form of events.
pub(crate) struct Links {
    keyring: Keyring,
    core: Core,
    encoder: Encoder,
    host: Hostname,
}

impl Links {
    pub(crate) fn new() -> Self {
        let disk: Arc<dyn Disk> = Arc::new(CrashDisk::new(Lies::default()));
        let keyring = Keyring::load(disk, "/keys".as_ref()).unwrap();
        keyring.create(Timestamp::from_seconds(1)).unwrap();
        let core = Core::new(&Default::default(), keyring.clone());
        let encoder = Encoder::new(Default::default(), None, "node-1");
        Self { keyring, core, encoder, host: HOST.parse().unwrap() }
    }

    /// Asks for a click whose message is `serial`, as a browser does, and returns its event. The
    /// answer leads to the destination that was sealed.
    pub(crate) fn ask(&self, serial: u64, padding: usize, now: Timestamp) -> Vec<u8> {
        let (url, message) = (format!("https://example.com/{serial}"), serial.to_string());
        let filling = "x".repeat(padding);
        let mut claims = Claims::new(Action::Click { url: &url });
        claims.message = Some(&message);
        claims.meta = vec![("filling", &filling)];
        let token = self.keyring.seal(&claims, &self.host, now).unwrap();
        let uri: Uri = format!("/c/{token}").parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static(HOST));
        let (method, version) = (&Method::GET, Version::HTTP_11);
        let sni = None;
        let asked = Asked { method, uri: &uri, version, headers: &headers, has_body: false, sni };
        let mut buffer = Vec::new();
        let judged = self.core.judge(&asked, now, &mut buffer);
        let Judged::Click { host, claims, location } = judged else { panic!("{judged:?}") };
        assert_eq!(location.into_value(), url);
        let link = Link {
            message: claims.message,
            meta: &claims.meta,
            url: Some(&url),
            ..Link::default()
        };
        let event = Event {
            kind: Kind::Click,
            id: Uuid::from_bytes(id(serial)),
            time: now,
            host: &host,
            link,
            method: "GET",
            scheme: "http",
            http: "h1",
            tls: None,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            user_agent: None,
            referer: None,
            accept_language: None,
            headers: Default::default(),
        };
        let mut encoded = Vec::new();
        self.encoder.encode(&event, &mut encoded);
        encoded
    }
}

/// The id of the event of one request.
fn id(serial: u64) -> [u8; 16] {
    u128::from(serial).to_be_bytes()
}

/// The frame of one request's event.
pub(crate) fn frame(serial: u64, time: Timestamp, body: &[u8]) -> Frame<'_> {
    Frame { stream: Stream::Events, time, id: id(serial), key: b"", body }
}

/// One thread of a node, with its tasks.
pub(crate) struct Reactor {
    pub(crate) appender: Appender,
    recorder: Recorder,
    settling: Pin<Box<dyn Future<Output = ()>>>,
    is_told: Arc<Woken>,
    waiting: Vec<Waiting>,
    next_tick: Duration,
}

/// One request whose answer waits for its event.
struct Waiting {
    serial: u64,
    recording: Recording,
    is_woken: Arc<Woken>,
    began: Duration,
}

/// Whether a task is to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Woken {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    Recorded,
    Late,
    Unrecorded,
}

impl Reactor {
    pub(crate) fn new(appender: Appender, now: Duration) -> Self {
        let recorder = Recorder::new(appender.clone(), ANSWER_WITHIN);
        let settling = appender.clone();
        let settling = Box::pin(async move { settling.settle().await });
        let next_tick = now + recorder.pace();
        let (is_told, waiting) = (Woken::new(), Vec::new());
        Self { appender, recorder, settling, is_told, waiting, next_tick }
    }

    /// Queues an event; says at once what became of it only when the journal refuses it.
    pub(crate) fn record(&mut self, serial: u64, frame: &Frame<'_>, now: Duration) -> bool {
        let Some(recording) = self.recorder.record(frame) else { return false };
        self.waiting.push(Waiting { serial, recording, is_woken: Woken::new(), began: now });
        true
    }

    /// Runs every task that was woken.
    pub(crate) fn run(&mut self, settles: bool) -> Vec<(u64, Answered)> {
        if settles && self.is_told.take() {
            let waker = Waker::from(Arc::clone(&self.is_told));
            let polled = self.settling.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending(), "settling lasts as long as the reactor");
        }
        let mut answered = Vec::new();
        let recorder = &self.recorder;
        self.waiting.retain_mut(|waiting| {
            if !waiting.is_woken.take() {
                return true;
            }
            let waker = Waker::from(Arc::clone(&waiting.is_woken));
            let mut context = Context::from_waker(&waker);
            let how = match recorder.poll(&mut waiting.recording, &mut context) {
                Poll::Pending => return true,
                Poll::Ready(Outcome::Recorded) => Answered::Recorded,
                Poll::Ready(Outcome::Late) => Answered::Late,
                Poll::Ready(Outcome::Unrecorded) => Answered::Unrecorded,
            };
            answered.push((waiting.serial, how));
            false
        });
        answered
    }

    /// Some requests' connections are closed by their clients.
    pub(crate) fn hang_up(&mut self) -> Option<u64> {
        let mut waiting = self.waiting.pop()?;
        self.recorder.leave(&mut waiting.recording);
        Some(waiting.serial)
    }

    /// Lets time pass until now.
    pub(crate) fn tick(&mut self, now: Duration) {
        while self.next_tick <= now {
            self.next_tick += self.recorder.pace();
            self.recorder.tick();
        }
    }

    /// When the next tick is due.
    pub(crate) fn next_tick(&self) -> Duration {
        self.next_tick
    }

    /// The longest that a request has waited by now.
    pub(crate) fn longest(&self, now: Duration) -> Duration {
        let waits = self.waiting.iter().map(|waiting| now - waiting.began);
        waits.max().unwrap_or_default()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

const HOST: &str = "trk.example.com";
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(1);
