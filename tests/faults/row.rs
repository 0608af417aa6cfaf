//! One row: clicks are sent while something goes wrong, and all is judged afterwards.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use crate::node::{
    Exceptions, Health, Judge, Mailing, NAME, Node, Pattern, Protocol, Random, Speed, Traffic,
    Verdict, poll,
};

/// Clicks that are being sent to a node.
pub(crate) struct Row {
    pub(crate) traffic: Arc<Traffic>,
    sending: JoinHandle<()>,
    address: watch::Sender<Option<SocketAddr>>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) speed: Speed,
}

impl Row {
    /// Begins to send, over HTTP/1.1 and HTTP/2.
    pub(crate) fn start(node: &Node, pattern: Pattern) -> Self {
        let (address, addresses) = watch::channel(Some(node.https()));
        let protocols = [Protocol::Http1, Protocol::Http2];
        let seed = Random::from_environment().next();
        let mailing = Mailing::new(seed, &[HOST.to_owned()], &protocols).with_ballast(BALLAST);
        let asking = (node.client(), node.mint().clone());
        let traffic = Traffic::new(asking, mailing, pattern, addresses, NAME);
        let sending = thread::spawn({
            let traffic = Arc::clone(&traffic);
            move || traffic.run()
        });
        Self { traffic, sending, address }
    }

    /// Tells that the node was started again.
    pub(crate) fn moved(&self, node: &Node) {
        self.address.send_replace(Some(node.https()));
    }

    /// Sends for another while.
    pub(crate) fn go_on(&self, length: Duration) {
        thread::sleep(length);
        assert!(!self.sending.is_finished(), "clicks are still being sent");
    }

    /// Ends the traffic and the node, and judges its journal.
    pub(crate) fn end(self, node: &mut Node) -> Outcome {
        self.judged(node, |judge| judge, || ())
    }

    /// The same, of a journal that holds others' events too.
    pub(crate) fn end_among_others(self, node: &mut Node) -> Outcome {
        self.judged(node, Judge::among_others, || ())
    }

    /// The same as [`Row::end`], with something done before the journal is read.
    pub(crate) fn end_and(self, node: &mut Node, before: impl FnOnce()) -> Outcome {
        self.judged(node, |judge| judge, before)
    }

    fn judged(
        self,
        node: &mut Node,
        judge: impl FnOnce(Judge) -> Judge,
        before: impl FnOnce(),
    ) -> Outcome {
        self.traffic.stop();
        self.sending.join().unwrap();
        assert!(node.terminate().success(), "{}", node.told());
        let (told, speed) = self.traffic.finish();
        before();
        let judge = judge(told);
        let mut hearing = judge.hearing();
        node.each_event(|event| hearing.hear(event));
        let verdict = hearing.verdict(&node.exceptions());
        println!("{verdict} {speed}");
        Outcome { verdict, speed }
    }

    /// Ends the traffic, waits until the node's ledger has nothing in progress, and compares it
    /// with what the client saw and what the traces tell.
    pub(crate) fn settle(&self, node: &Node) -> Exceptions {
        self.traffic.stop();
        let health = node.health();
        poll("all are answered and recorded", || {
            (self.sending.is_finished() && health.counted().in_progress == 0).then_some(())
        });
        let counted = health.counted();
        let exceptions = poll("the traces tell every exception", || {
            let told = node.exceptions();
            let is_all =
                told.late.len() >= counted.late && told.unrecorded.len() >= counted.unrecorded;
            is_all.then_some(told)
        });
        assert_eq!(counted.received, self.traffic.answered(), "{counted:?}");
        assert_eq!(counted.received, counted.journalled + counted.unrecorded, "{counted:?}");
        assert_eq!(counted.late, exceptions.late.len(), "{counted:?}");
        assert_eq!(counted.unrecorded, exceptions.unrecorded.len(), "{counted:?}");
        assert_eq!(exceptions.lines_lost, 0);
        exceptions
    }
}

impl Outcome {
    /// Nothing lost or invented, and each click answered in time.
    pub(crate) fn is_good(&self) {
        let Self { verdict, speed } = self;
        assert!(verdict.is_exact(), "{verdict}");
        assert_eq!(verdict.ambiguous, 0, "each click is answered: {verdict}");
        assert_eq!(verdict.late_lost, 0, "what was late is recorded in the end: {verdict}");
        assert!(speed.longest() <= IN_TIME, "{speed}");
    }
}

/// Looks at `/readyz` all the time.
pub(crate) struct Lookout {
    over: Sender<()>,
    looking: JoinHandle<BTreeSet<String>>,
}

impl Lookout {
    /// Begins to look; panics, when it ends, if the node was ever not ready, or strict readiness
    /// did not follow the reasons.
    pub(crate) fn start(node: &Node) -> Self {
        let (over, is_over) = channel();
        let health = node.health();
        let looking = thread::spawn(move || watch_ready(&health, &is_over));
        Self { over, looking }
    }

    /// Ends; returns all the reasons that were ever seen.
    pub(crate) fn end(self) -> BTreeSet<String> {
        drop(self.over);
        self.looking.join().unwrap()
    }
}

fn watch_ready(health: &Health, is_over: &Receiver<()>) -> BTreeSet<String> {
    let mut reasons = BTreeSet::new();
    while is_over.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        let (before, after) = (health.ready(), health.ready());
        assert_eq!((before.status, after.status), (200, 200), "degraded, never unready");
        // Asked one after the other, so only what stood still can be compared.
        if before == after && before.degraded == after.degraded {
            let expected = if before.degraded.is_empty() { 200 } else { 503 };
            assert_eq!(before.strict, expected, "{before:?}");
        }
        reasons.extend(before.degraded);
    }
    reasons
}

pub(crate) const HOST: &str = "trk.example.com";
/// The longest that a click may take under any fault.
const IN_TIME: Duration = Duration::from_millis(2_100);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes that each event has more than it needs, so that a small disk is soon full.
const BALLAST: usize = 1_800;
