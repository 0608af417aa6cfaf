//! A mailing: many clicks, each told apart by its serial, none of them kept.

use std::sync::Arc;

use super::click::{Click, Kind, Protocol};
use super::random::Random;

/// The clicks of one run. Each is drawn from the seed and its serial, again whenever it is asked
/// for, so that millions of them take no room.
#[derive(Clone, Debug)]
pub struct Mailing {
    seed: u64,
    /// What the message of each click begins with.
    name: Arc<str>,
    hosts: Arc<[String]>,
    protocols: Arc<[Protocol]>,
    /// What each link holds beside what it needs.
    ballast: Arc<str>,
}

impl Mailing {
    /// A mailing of links on `hosts`, followed over `protocols` in turn.
    pub fn new(seed: u64, hosts: &[String], protocols: &[Protocol]) -> Self {
        assert!(!hosts.is_empty() && !protocols.is_empty(), "a click needs both");
        let name = format!("{seed:016x}-").into();
        let (hosts, protocols) = (hosts.into(), protocols.into());
        Self { seed, name, hosts, protocols, ballast: "".into() }
    }

    /// The same, each event larger by about so many bytes.
    #[must_use]
    pub fn with_ballast(self, bytes: usize) -> Self {
        Self { ballast: "x".repeat(bytes).into(), ..self }
    }

    /// The click with a serial. Its `message` names this mailing and the serial.
    pub fn click(&self, serial: usize) -> Click {
        let (protocol, host) = self.lane(serial % self.lanes());
        let mut random = Random::new(self.seed ^ (serial as u64).wrapping_mul(SPREAD));
        let mut random = Random::new(random.next());
        let mut click = Click::random(&mut random, serial, host, protocol);
        click.link.message = self.message(serial);
        if !self.ballast.is_empty() {
            click.link.meta.push(("ballast".to_owned(), self.ballast.to_string()));
        }
        click.kind = match random.below(16) {
            0 => Kind::Open,
            1 => Kind::Probe,
            _ => Kind::Click,
        };
        click
    }

    /// The message of the click with a serial.
    pub fn message(&self, serial: usize) -> String {
        format!("{}{serial}", self.name)
    }

    /// The serial that a message names; `None` for a message that is not of this mailing.
    pub fn serial(&self, message: &str) -> Option<usize> {
        let serial = message.strip_prefix(&*self.name)?.parse().ok()?;
        (serial <= LAST).then_some(serial)
    }

    /// In how many ways clicks differ that cannot share a connection: protocol and host.
    pub fn lanes(&self) -> usize {
        self.hosts.len() * self.protocols.len()
    }

    /// Protocol and host of the clicks whose serial is `lane`, modulo [`Mailing::lanes`].
    pub fn lane(&self, lane: usize) -> (Protocol, &str) {
        let protocols = self.protocols.len();
        (self.protocols[lane % protocols], &self.hosts[lane / protocols])
    }
}

/// Tells the streams of chance of neighbouring serials apart.
const SPREAD: u64 = 0xd134_2543_de82_ef95;
/// No run has more: what names a larger serial is nobody's.
const LAST: usize = u32::MAX as usize;
