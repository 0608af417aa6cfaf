//! From a frame of the journal to a record of Kafka, the same bytes whoever sends it.

use uuid::Uuid;

use crate::event;
use crate::journal::{Frame, Stream};
use crate::kafka::{Record, Session, Topics, Verdict};

/// Addresses frames to topics.
#[derive(Clone, Debug)]
pub(super) struct Addresser {
    topics: Topics,
}

impl Addresser {
    pub(super) fn new(topics: Topics) -> Self {
        Self { topics }
    }

    /// Sends a frame as a record: its time, its key if it has one, its bytes, and the headers that
    /// tell what it is without reading them.
    pub(super) fn send(
        &self,
        session: &dyn Session,
        frame: &Frame<'_>,
        tag: usize,
    ) -> Result<(), Verdict> {
        let mut id = Uuid::encode_buffer();
        let id: &str = Uuid::from_bytes(frame.id).hyphenated().encode_lower(&mut id);
        let headers = [
            ("ce_type", event_type(frame)),
            ("ce_id", id),
            ("content-type", "application/cloudevents+json; charset=UTF-8"),
        ];
        let record = Record {
            topic: self.topic(frame.stream),
            key: (!frame.key.is_empty()).then_some(frame.key),
            value: frame.body,
            time: frame.time,
            headers: &headers,
        };
        session.send(&record, tag)
    }

    fn topic(&self, stream: Stream) -> &str {
        match stream {
            Stream::Events => &self.topics.events,
            Stream::Domains => &self.topics.domains,
            Stream::Audits => &self.topics.audits,
        }
    }
}

/// The CloudEvents type: it stands at a fixed place, unless another version wrote the event.
fn event_type<'a>(frame: &Frame<'a>) -> &'a str {
    event::type_of(frame.body).unwrap_or(match frame.stream {
        Stream::Events => "net.aksend.trk.event",
        Stream::Domains => "net.aksend.trk.domain",
        Stream::Audits => "net.aksend.trk.audit",
    })
}
