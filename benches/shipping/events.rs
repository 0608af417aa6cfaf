//! Events as a node makes them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::IpAddr;
use std::path::Path;

use waypost::clock::{Clock, SystemClock};
use waypost::event::{Config, Encoder, Event, Ids, KEPT_HEADERS, Kind, Link};
use waypost::hostname::Hostname;

use crate::node::Random;

/// Makes events by chance, such as browsers cause.
pub struct Events {
    encoder: Encoder,
    ids: Ids,
    random: Random,
    host: Hostname,
}

impl Events {
    pub fn new() -> Self {
        Self {
            encoder: Encoder::new(Config::default(), None, "node-1"),
            ids: Ids::new(),
            random: Random::new(1),
            host: Hostname::parse("trk.example.com").unwrap(),
        }
    }

    /// The next event: its id, its key and its bytes.
    pub fn next(&mut self, body: &mut Vec<u8>) -> ([u8; 16], String) {
        let time = SystemClock.wall();
        let id = self.ids.next(time);
        let mut hex = || format!("{:016x}", self.random.next());
        let (message, recipient, url) = (hex(), hex(), format!("https://shop.example/{}", hex()));
        let mut headers = [None; KEPT_HEADERS.len()];
        for (at, value) in [(2, "cross-site"), (3, "navigate"), (4, "document"), (5, "?1")] {
            headers[at] = Some(value.as_bytes());
        }
        let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15";
        let event = Event {
            kind: Kind::Click,
            id,
            time,
            host: &self.host,
            link: Link {
                account: Some("account-17"),
                campaign: Some("2026-11-black-friday"),
                message: Some(&message),
                recipient: Some(&recipient),
                link: Some("hero"),
                link_name: Some("See the new collection"),
                link_position: Some(3),
                sent_at: Some(time),
                url: Some(&url),
                ..Link::default()
            },
            method: "GET",
            scheme: "https",
            http: "h2",
            tls: Some(("1.3", false)),
            address: IpAddr::from([203, 0, 113, self.random.below(250) as u8]),
            user_agent: Some(agent.as_bytes()),
            referer: None,
            accept_language: Some(b"de-CH,de;q=0.9,en;q=0.8"),
            headers,
        };
        body.clear();
        self.encoder.encode(&event, body);
        (id.into_bytes(), message)
    }
}

/// Writes `count` events into a file, one a line; returns their average length.
pub fn payload(path: &Path, count: usize) -> usize {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let (mut events, mut body, mut bytes) = (Events::new(), Vec::new(), 0);
    for _ in 0..count {
        events.next(&mut body);
        bytes += body.len();
        file.write_all(&body).unwrap();
        file.write_all(b"\n").unwrap();
    }
    bytes / count
}
