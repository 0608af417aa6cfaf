//! Connections that flood, and handlers that fall: the others are served.

use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::client::{ask, ask2, get, http2, plain, read_answer, tls};
use crate::frames::get as block;
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, WINDOW_UPDATE, frame,
    given_up, open, read,
};
use crate::house::{HOST, House, PANIC, PATIENCE};

/// Another client, who must be served.
async fn is_served(house: &House) {
    let path = house.click(HOST, "https://example.com/");
    assert_eq!(ask(&mut tls(house, HOST).await, &get(&path, HOST)).await.status, 302);
}

/// Sends round after round until the server gives the connection up, which it must within so
/// many, and serves others meanwhile.
async fn floods(rounds: u32, mut round: impl FnMut(u32) -> Vec<u8>) {
    let house = House::open(|_| {});
    let (mut reading, mut writing) = open(&house).await;
    let before = resident();
    let flooding = async {
        for number in 0..rounds {
            if writing.write_all(&round(number)).await.is_err() || writing.flush().await.is_err() {
                break;
            }
        }
    };
    let giving_up = given_up(&mut reading);
    tokio::join!(async { drop(timeout(PATIENCE, flooding).await) }, giving_up, is_served(&house));
    is_served(&house).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "grew by {grown} bytes");
    house.close().await;
}

#[tokio::test]
async fn a_rapid_reset_is_given_up() {
    floods(100, |number| {
        let streams = (0..100).map(|at| 2 * (100 * number + at) + 1);
        let one = |stream| {
            let headers = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block("/"));
            [headers, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
        };
        streams.flat_map(one).collect()
    })
    .await;
}

#[tokio::test]
async fn an_endless_header_is_given_up() {
    floods(4_000, |number| match number {
        0 => frame(HEADERS, END_STREAM, 1, &block("/")),
        // x: and as many bytes as a frame takes.
        _ => frame(
            CONTINUATION,
            0,
            1,
            &[&[0, 1, b'x', 126], [b'y'; 126].as_slice()].concat().repeat(100),
        ),
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_makes_us_reset_streams_is_given_up() {
    floods(100, |number| {
        let streams = (0..20).map(|at| 2 * (20 * number + at) + 1);
        let one = |stream| {
            let headers = frame(HEADERS, END_HEADERS, stream, &block("/"));
            // A window past the largest (RFC 9113 §6.9.1) is an error of the stream.
            [headers, frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes())].concat()
        };
        streams.flat_map(one).collect()
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_empty_data_is_given_up() {
    floods(500, |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &block("/")),
        _ => frame(DATA, 0, 1, &[]).repeat(1_000),
    })
    .await;
}

#[tokio::test]
async fn an_empty_frame_at_the_end_is_no_content_and_any_other_is() {
    let house = House::open(|config| config.header = std::time::Duration::from_secs(2));
    let path = house.click(HOST, "https://example.com/");
    let (mut reading, mut writing) = open(&house).await;
    let counter = |status: u16| match status {
        302 => "requests_total{route=\"click\",status=\"302\"}",
        _ => "requests_total{route=\"refused\",status=\"413\"}",
    };
    for (at, ends, status, count) in [
        (0, vec![frame(DATA, END_STREAM, 1, &[])], 302, 1),
        (1, vec![frame(DATA, 0, 3, &[]), frame(DATA, END_STREAM, 3, &[])], 302, 2),
        (2, vec![frame(DATA, END_STREAM, 5, b"x")], 413, 1),
        (3, vec![frame(DATA, 0, 7, &[]).repeat(20)], 413, 2),
        // Nothing more ever comes.
        (4, vec![], 413, 3),
    ] {
        let headers = frame(HEADERS, END_HEADERS, 2 * at + 1, &block(&path));
        writing.write_all(&headers).await.unwrap();
        writing.flush().await.unwrap();
        for end in ends {
            writing.write_all(&end).await.unwrap();
            writing.flush().await.unwrap();
        }
        read_until(&mut reading, HEADERS).await;
        house.until(counter(status), count).await;
    }
    house.until("events_journalled_total", 2).await;
    assert_eq!(house.metrics.ledger.counts().received, 2);
    house.close().await;
}

#[tokio::test]
async fn a_handler_that_falls_takes_nobody_with_it() {
    let house = House::open(|_| {});
    let path = format!("/.well-known/acme-challenge/{PANIC}");
    let mut stream = plain(&house).await;
    assert_eq!(ask(&mut stream, &get(&path, HOST)).await.status, 500);
    assert_eq!(ask(&mut stream, &get("/", HOST)).await.status, 200, "on the same connection");
    let mut sender = http2(&house, HOST).await;
    let uri = |path: &str| format!("https://{HOST}{path}");
    let answer = ask2(&mut sender, Request::get(uri(&path)).body("").unwrap()).await;
    assert_eq!(answer.status(), 500);
    assert_eq!(house.metric("panics_total{of=\"request\"}"), 2);
    let answer = ask2(&mut sender, Request::get(uri("/")).body("").unwrap()).await;
    assert_eq!(answer.status(), 200);
    is_served(&house).await;
    assert_eq!(house.metric("panics_total{of=\"connection\"}"), 0);
    drop(sender);
    house.close().await;
}

#[tokio::test]
async fn what_hyper_refuses_is_closed() {
    let house = House::open(|_| {});
    for head in [
        "GET / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: identity\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let mut stream = plain(&house).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream, false).await;
        assert!(matches!(answer.status, 400 | 413), "{head}: {answer:?}");
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("not closed").unwrap_or(0);
    }
    house.close().await;
}

/// Reads frames until one of a kind; returns its payload.
async fn read_until(reading: &mut (impl tokio::io::AsyncRead + Unpin), wanted: u8) -> Vec<u8> {
    let found = async {
        loop {
            match read(reading).await {
                Some((kind, .., payload)) if kind == wanted => return payload,
                Some(_) => {}
                None => panic!("the connection has ended"),
            }
        }
    };
    timeout(PATIENCE, found).await.expect("not answered")
}

/// Bytes that this process holds in memory.
fn resident() -> u64 {
    let file = waypost::disk::SystemDisk;
    let disk: &dyn waypost::disk::Disk = &file;
    let mut text = [0; 128];
    let opened = disk.open("/proc/self/statm".as_ref(), waypost::disk::Access::Read).unwrap();
    let count = opened.read_at(&mut text, 0).unwrap();
    let text = String::from_utf8_lossy(&text[..count]).into_owned();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
