//! How long a connection may take: judged from what it has done, at ticks, without a timer for
//! each request.
//!
//! A deadline is noticed at the first tick after it, so a connection lives up to one tick longer
//! than it may, and the time between requests is counted from the tick that first saw the last
//! one.

use std::time::Duration;

use tokio::time::Instant;

use super::Config;
use super::measures::Deadline;

/// The judge of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    header: Duration,
    idle: Duration,
    park: Option<Duration>,
    opened: Instant,
    /// When the last request was seen.
    since: Instant,
    /// When part of a header was first seen, while it is not complete.
    partial_since: Option<Instant>,
    requests: u32,
}

/// What a connection has done by now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// Requests begun.
    pub(super) requests: u32,
    /// Whether a request is being answered, or an answer waits for the client to read.
    pub(super) is_busy: bool,
    /// Whether bytes came since the last request began.
    pub(super) is_partial: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing before the next tick.
    Wait,
    /// Give up the connection's buffers and wait for its next byte.
    Park,
    /// Close it.
    Close(Deadline),
}

impl Pace {
    /// For an HTTP/1.1 connection opened `now`.
    pub(super) fn http1(config: &Config, now: Instant) -> Self {
        Self::new(config, Some(config.park), now)
    }

    /// For an HTTP/2 connection opened `now`, which is never parked.
    pub(super) fn http2(config: &Config, now: Instant) -> Self {
        Self::new(config, None, now)
    }

    fn new(config: &Config, park: Option<Duration>, now: Instant) -> Self {
        let (header, idle) = (config.header, config.idle);
        Self { header, idle, park, opened: now, since: now, partial_since: None, requests: 0 }
    }

    /// How often to look.
    pub(super) fn tick(&self) -> Duration {
        let park = self.park.unwrap_or(SLOWEST_TICK);
        park.min(self.header / 4).min(self.idle / 4).min(SLOWEST_TICK)
    }

    /// When an idle connection is to be closed, and for which reason.
    pub(super) fn end(&self) -> (Instant, Deadline) {
        if self.requests == 0 {
            (self.opened + self.header, Deadline::FirstRequest)
        } else {
            (self.since + self.idle, Deadline::Idle)
        }
    }

    /// Judges what is seen `now`.
    pub(super) fn step(&mut self, now: Instant, sight: Sight) -> Step {
        if sight.is_busy || sight.requests != self.requests {
            self.requests = sight.requests;
            self.since = now;
            self.partial_since = None;
            return Step::Wait;
        }
        // A header that is being sent counts from its first bytes, but the first one of a
        // connection from the beginning.
        if sight.is_partial && self.park.is_some() {
            let since = *self.partial_since.get_or_insert(now);
            let (since, deadline) = if self.requests == 0 {
                (self.opened, Deadline::FirstRequest)
            } else {
                (since, Deadline::Header)
            };
            return if now >= since + self.header { Step::Close(deadline) } else { Step::Wait };
        }
        self.partial_since = None;
        let (end, deadline) = self.end();
        match self.park {
            _ if now >= end => Step::Close(deadline),
            Some(_) => Step::Park,
            None => Step::Wait,
        }
    }
}

/// So that a long deadline is still met within two seconds.
const SLOWEST_TICK: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds, requests, busy, partial.
    type Seen = (u64, u32, bool, bool);
    type Case = (&'static str, Pace, &'static [Seen], &'static [Step]);

    /// Steps a connection through what is seen of it and tells what is done.
    fn steps(pace: &mut Pace, sights: &[Seen]) -> Vec<Step> {
        let opened = pace.opened;
        let step = |&(seconds, requests, is_busy, is_partial): &Seen| {
            let sight = Sight { requests, is_busy, is_partial };
            pace.step(opened + Duration::from_secs(seconds), sight)
        };
        sights.iter().map(step).collect()
    }

    fn config() -> Config {
        // header 10 s, idle 60 s, park 2 s
        Config::default()
    }

    #[tokio::test]
    async fn each_deadline_closes_what_it_is_for() {
        use Step::{Close, Park, Wait};
        let now = Instant::now();
        let cases: [Case; 8] = [
            (
                "silent",
                Pace::http1(&config(), now),
                &[(2, 0, false, false), (10, 0, false, false)],
                &[Park, Close(Deadline::FirstRequest)],
            ),
            (
                "slow first header",
                Pace::http1(&config(), now),
                &[(8, 0, false, true), (10, 0, false, true)],
                &[Wait, Close(Deadline::FirstRequest)],
            ),
            (
                "slow later header",
                Pace::http1(&config(), now),
                &[
                    (2, 1, false, false),
                    (4, 1, false, true),
                    (12, 1, false, true),
                    (14, 1, false, true),
                ],
                &[Wait, Wait, Wait, Close(Deadline::Header)],
            ),
            (
                "idle",
                Pace::http1(&config(), now),
                &[(2, 1, false, false), (4, 1, false, false), (62, 1, false, false)],
                &[Wait, Park, Close(Deadline::Idle)],
            ),
            (
                "being answered for long",
                Pace::http1(&config(), now),
                &[(2, 1, true, false), (90, 1, true, false), (92, 1, false, false)],
                &[Wait, Wait, Park],
            ),
            (
                "one request at each tick",
                Pace::http1(&config(), now),
                &[(2, 1, false, false), (4, 2, false, false), (70, 3, false, false)],
                &[Wait, Wait, Wait],
            ),
            (
                "HTTP/2 without its preface",
                Pace::http2(&config(), now),
                &[(2, 0, false, true), (10, 0, false, true)],
                &[Wait, Close(Deadline::FirstRequest)],
            ),
            (
                "HTTP/2 that only pings",
                Pace::http2(&config(), now),
                &[(2, 1, false, true), (61, 1, false, true), (62, 1, false, true)],
                &[Wait, Wait, Close(Deadline::Idle)],
            ),
        ];
        for (name, mut pace, sights, expected) in cases {
            assert_eq!(steps(&mut pace, sights), expected, "{name}");
        }
    }
}
