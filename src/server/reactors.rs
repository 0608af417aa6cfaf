//! The threads that answer, each with a runtime of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::node::Node;
use crate::admin::Readiness;
use crate::drain::Drain;
use crate::edge::{Door, Sockets};
use crate::journal::Appender;
use crate::metrics::Unrecorded;
use crate::shipper::{Direct, Lane};

/// Starts one reactor for each set of sockets. Each ends when the drain has begun and its
/// connections are done, or after `grace`.
pub(super) fn start(
    door: &Arc<Door>,
    sockets: Vec<Sockets>,
    node: &Node,
    direct: Option<&Direct>,
    grace: Duration,
) -> io::Result<Vec<Appender>> {
    let mut appenders = Vec::new();
    for (index, sockets) in sockets.into_iter().enumerate() {
        let account = node.metrics.ledger.open();
        let lane = direct.map(|direct| direct.lane(account.clone()));
        let appender = node.intake.appender(account);
        appenders.push(appender.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (door, branch) = (Arc::clone(door), node.drain.branch());
        let answering = Answering { readiness: node.readiness.clone(), ending: node.drain.clone() };
        node.drain.thread(&format!("reactor-{index}"), move || {
            let _answering = answering;
            runtime.block_on(run(&door, (appender, lane), sockets, branch, grace));
            // What is still open past the grace is dropped with the runtime.
            runtime.shutdown_background();
        })?;
    }
    Ok(appenders)
}

/// Held by a reactor while it answers.
struct Answering {
    readiness: Readiness,
    ending: Drain,
}

impl Drop for Answering {
    fn drop(&mut self) {
        // By a panic, or since it could not listen: a part of the visitors is not answered.
        if !self.ending.is_ending() {
            self.readiness.begin("listeners");
        }
    }
}

async fn run(
    door: &Arc<Door>,
    (appender, lane): (Appender, Option<Lane>),
    sockets: Sockets,
    branch: Drain,
    grace: Duration,
) {
    let settling = appender.clone();
    let reactor = door.reactor(appender, lane, branch.clone());
    let serve = async {
        if let Err(error) = reactor.serve(sockets) {
            tracing::error!(%error, "a reactor could not listen");
        }
        branch.ending().await;
        let left = branch.finished(grace).await;
        if left > 0 {
            tracing::warn!(connections = left, "connections outlasted the grace and are dropped");
        }
    };
    tokio::select! {
        () = serve => {}
        () = settling.settle() => {}
    }
}

/// Settles what became durable last; what did not is counted unrecorded and traced, each by its
/// event's id. Returns how many did not.
pub(super) fn settle(appenders: &[Appender]) -> usize {
    let mut left = 0;
    for appender in appenders {
        appender.settle_now();
        for id in appender.in_progress() {
            let reason = Unrecorded::Shutdown;
            appender.account().unrecorded(reason);
            let event = Uuid::from_bytes(id);
            tracing::warn!(%event, reason = reason.name(), "answered, and not known to be recorded");
            left += 1;
        }
    }
    left
}
