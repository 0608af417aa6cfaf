//! From an opened token to a recorded event.

use http::{HeaderMap, Method, Version};
use uuid::Uuid;

use super::client::Client;
use super::recorder::Recording;
use crate::clock::Timestamp;
use crate::event::{Event, Ids, KEPT_HEADERS, Kind, Link};
use crate::hostname::Hostname;
use crate::journal::{Frame, Stream};
use crate::token::{Action, Claims};

/// What a request was for, with the facts that its event keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redeemed<'a> {
    pub(super) host: &'a Hostname,
    pub(super) claims: &'a Claims<'a>,
    pub(super) method: &'a Method,
    pub(super) version: Version,
    pub(super) headers: &'a HeaderMap,
    pub(super) time: Timestamp,
}

/// Makes the event and queues it; `None` when the journal refuses it. The buffer is where the
/// event is encoded to.
pub(super) fn record(
    client: &Client,
    redeemed: &Redeemed<'_>,
    (ids, buffer): (&mut Ids, &mut Vec<u8>),
) -> Option<Recording> {
    let id = ids.next(redeemed.time);
    buffer.clear();
    encode(client, redeemed, id, buffer);
    let key = redeemed.claims.message.unwrap_or_default().as_bytes();
    let time = redeemed.time;
    let frame = Frame { stream: Stream::Events, time, id: id.into_bytes(), key, body: buffer };
    client.reactor.recorder.record(&frame)
}

fn encode(client: &Client, redeemed: &Redeemed<'_>, id: Uuid, into: &mut Vec<u8>) {
    let claims = redeemed.claims;
    let kept = Kept::of(redeemed.headers);
    let url = match claims.action {
        Action::Click { url } => Some(url),
        Action::Open => None,
    };
    let link = Link {
        account: claims.account,
        campaign: claims.campaign,
        message: claims.message,
        template: claims.template,
        list: claims.list,
        recipient: claims.recipient,
        link: claims.link,
        link_name: claims.link_name,
        link_position: claims.link_position,
        sent_at: claims.sent_at,
        meta: &claims.meta,
        url,
    };
    let kind = match (redeemed.method, url) {
        (&Method::HEAD, _) => Kind::Probe,
        (_, Some(_)) => Kind::Click,
        (_, None) => Kind::Open,
    };
    let tls = client.tls.as_ref();
    let event = Event {
        kind,
        id,
        time: redeemed.time,
        host: redeemed.host,
        link,
        method: redeemed.method.as_str(),
        scheme: if tls.is_some() { "https" } else { "http" },
        http: match redeemed.version {
            Version::HTTP_2 => "h2",
            Version::HTTP_11 => "h1",
            _ => "h1.0",
        },
        tls: tls.map(|tls| (tls.version, tls.is_resumed)),
        address: client.address,
        user_agent: kept.user_agent,
        referer: kept.referer,
        accept_language: kept.accept_language,
        headers: kept.others,
    };
    client.reactor.door.holdings.encoder.encode(&event, into);
}

/// The header fields that events keep, found in one pass. `Cookie` and `Authorization` are not
/// among them and are passed over unread.
#[derive(Debug, Default)]
struct Kept<'a> {
    user_agent: Option<&'a [u8]>,
    referer: Option<&'a [u8]>,
    accept_language: Option<&'a [u8]>,
    others: [Option<&'a [u8]>; KEPT_HEADERS.len()],
}

impl<'a> Kept<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut kept = Self::default();
        for (name, value) in headers {
            let place = match name.as_str() {
                "user-agent" => &mut kept.user_agent,
                "referer" => &mut kept.referer,
                "accept-language" => &mut kept.accept_language,
                name => match KEPT_HEADERS.iter().position(|known| *known == name) {
                    Some(at) => &mut kept.others[at],
                    None => continue,
                },
            };
            place.get_or_insert(value.as_bytes());
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_headers_are_kept_and_the_first_of_each() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cookie", "canary"),
            ("authorization", "canary"),
            ("user-agent", "one"),
            ("user-agent", "two"),
            ("sec-ch-ua", "ua"),
            ("purpose", "prefetch"),
            ("x-other", "canary"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        let kept = Kept::of(&headers);
        let found: Vec<_> = KEPT_HEADERS.iter().zip(kept.others).collect();
        let found: Vec<_> = found.into_iter().filter_map(|(n, v)| Some((*n, v?))).collect();
        let expected: &[(&str, &[u8])] = &[("purpose", b"prefetch"), ("sec-ch-ua", b"ua")];
        assert_eq!(found, expected);
        assert_eq!(kept.user_agent, Some(b"one".as_slice()));
        assert_eq!((kept.referer, kept.accept_language), (None, None));
    }
}
