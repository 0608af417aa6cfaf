//! Encoding an event.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{Criterion, Throughput};
use uuid::Uuid;
use waypost::clock::Timestamp;
use waypost::event::{Encoder, Event, Kind, Link};
use waypost::hostname::Hostname;

use crate::token;

/// A click as a browser makes it, encoded.
pub(crate) fn encoded() -> Vec<u8> {
    let mut out = Vec::new();
    with_event(|encoder, event| encoder.encode(event, &mut out));
    out
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let length = encoded().len() as u64;
    let mut group = criterion.benchmark_group("event");
    let mut out = Vec::new();
    for (unit, throughput) in
        [("events", Throughput::Elements(1)), ("bytes", Throughput::Bytes(length))]
    {
        group.throughput(throughput);
        group.bench_function(format!("encode/{unit}"), |bencher| {
            with_event(|encoder, event| {
                bencher.iter(|| {
                    out.clear();
                    encoder.encode(black_box(event), &mut out);
                    black_box(out.len())
                });
            });
        });
    }
    group.finish();
}

fn with_event(with: impl FnOnce(&Encoder, &Event<'_>)) {
    let encoder = Encoder::new(Default::default(), None, "edge-1.fra");
    let (claims, host): (_, Hostname) = (token::claims(), "trk.example.com".parse().unwrap());
    let link = Link {
        account: claims.account,
        campaign: claims.campaign,
        message: claims.message,
        recipient: claims.recipient,
        link: claims.link,
        meta: &claims.meta,
        url: Some("https://shop.example.com/spring/offers?utm_source=mail"),
        ..Link::default()
    };
    let event = Event {
        kind: Kind::Click,
        id: Uuid::from_u128(0x0190_b3a6_7d4e_7c3a_9f58_2f1f_0a9c_4d12),
        time: Timestamp::from_seconds(1_767_225_600),
        host: &host,
        link,
        method: "GET",
        scheme: "https",
        http: "h2",
        tls: Some(("1.3", false)),
        address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        user_agent: Some(
            b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 \
              Safari/537.36",
        ),
        referer: Some(b"https://mail.example.net/"),
        accept_language: Some(b"de-AT,de;q=0.9,en;q=0.8"),
        headers: Default::default(),
    };
    with(&encoder, &event);
}
