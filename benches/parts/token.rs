//! Sealing and opening a link's token.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use waypost::clock::Timestamp;
use waypost::disk::SystemDisk;
use waypost::hostname::Hostname;
use waypost::token::{Action, Claims, Keyring};

/// Claims as a platform's mail has them.
pub(crate) fn claims() -> Claims<'static> {
    let mut claims = Claims::new(Action::Click {
        url: "https://shop.example.com/spring/offers?utm_source=mail&utm_campaign=spring-2026",
    });
    claims.account = Some("account-17");
    claims.campaign = Some("spring-2026");
    claims.message = Some("0190b3a6-7d4e-7c3a-9f58-2f1f0a9c4d11");
    claims.recipient = Some("recipient-8812734");
    claims.link = Some("offers-top");
    claims.meta = vec![("segment", "returning")];
    claims
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::load(Arc::new(SystemDisk), &folder.path().join("keys")).unwrap();
    let now = Timestamp::from_seconds(1_767_225_600);
    keyring.create(now).unwrap();
    let host: Hostname = "trk.example.com".parse().unwrap();
    let claims = claims();
    let token = keyring.seal(&claims, &host, now).unwrap();
    let mut group = criterion.benchmark_group("token");
    group.throughput(Throughput::Elements(1));
    group.bench_function("seal", |bencher| {
        bencher.iter(|| keyring.seal(black_box(&claims), &host, now).unwrap());
    });
    let mut buffer = Vec::new();
    group.bench_function("open", |bencher| {
        bencher.iter(|| {
            let opened = keyring.open(black_box(&token), &host, now, &mut buffer);
            black_box(opened.unwrap().message.map(str::len))
        });
    });
    let mut forged = token.clone();
    // In the middle of what is sealed.
    let other = if forged.as_bytes()[80] == b'A' { "B" } else { "A" };
    forged.replace_range(80..81, other);
    group.bench_function("refuse", |bencher| {
        bencher.iter(|| keyring.open(black_box(&forged), &host, now, &mut buffer).is_err());
    });
    group.finish();
}
