//! Clients that take their time: each is closed by its own deadline, and harms nobody.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use waypost::edge::Config;

use crate::client::{ask, client_config, closed, get, plain, read_answer, tls, tls_with};
use crate::house::{HOST, House, PATIENCE};

const SHORT: Duration = Duration::from_millis(300);

fn short(config: &mut Config) {
    config.handshake = SHORT;
    config.header = SHORT;
    config.idle = SHORT;
    config.write = SHORT;
    config.park = Duration::from_millis(50);
}

/// Another client, who must be served while one is slow.
async fn is_served(house: &House) {
    let path = house.click(HOST, "https://example.com/");
    assert_eq!(ask(&mut tls(house, HOST).await, &get(&path, HOST)).await.status, 302);
}

/// Waits until the slow one is closed, and says by which deadline.
async fn is_closed(house: &House, stream: &mut TcpStream, began: Instant, kind: &str) {
    let mut sink = Vec::new();
    // A reset is an end too.
    timeout(PATIENCE, stream.read_to_end(&mut sink)).await.expect("not closed").unwrap_or(0);
    assert!(began.elapsed() >= SHORT - Duration::from_millis(5), "{:?}", began.elapsed());
    house.until(&format!("deadline_closes_total{{kind=\"{kind}\"}}"), 1).await;
}

#[tokio::test]
async fn a_silent_peer_is_closed() {
    for (is_secure, kind) in [(true, "handshake"), (false, "first_request")] {
        let house = House::open(short);
        let began = Instant::now();
        let address = if is_secure { house.https } else { house.http };
        let mut stream = TcpStream::connect(address).await.unwrap();
        is_served(&house).await;
        is_closed(&house, &mut stream, began, kind).await;
        house.close().await;
    }
}

#[tokio::test]
async fn a_slow_handshake_is_closed() {
    let house = House::open(short);
    let began = Instant::now();
    let mut stream = TcpStream::connect(house.https).await.unwrap();
    // A hello of 512 bytes, of which one comes now and then.
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    is_served(&house).await;
    let dripping = async {
        for byte in hello.iter().chain(std::iter::repeat(&0)) {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, dripping).await.expect("not closed");
    is_closed(&house, &mut stream, began, "handshake").await;
    house.close().await;
}

#[tokio::test]
async fn slow_headers_are_closed_the_first_and_a_later_one() {
    for (first, kind) in [(false, "first_request"), (true, "header")] {
        let house = House::open(short);
        let mut stream = plain(&house).await;
        if first {
            assert_eq!(ask(&mut stream, &get("/", HOST)).await.status, 200);
        }
        let began = Instant::now();
        let dripping = async {
            for byte in get("/", HOST).bytes().chain(std::iter::repeat(b'x')).take(10) {
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        dripping.await;
        is_served(&house).await;
        is_closed(&house, &mut stream, began, kind).await;
        house.close().await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let house = House::open(short);
    let began = Instant::now();
    let mut stream = plain(&house).await;
    assert_eq!(ask(&mut stream, &get("/", HOST)).await.status, 200);
    is_served(&house).await;
    is_closed(&house, &mut stream, began, "idle").await;
    house.close().await;
}

#[tokio::test]
async fn a_client_that_has_said_all_is_answered_and_then_closed() {
    let house = House::open(|config| config.park = Duration::from_millis(50));
    let path = house.click(HOST, "https://example.com/");
    let mut open = plain(&house).await;
    let mut secure = tls(&house, HOST).await;
    open.write_all(get(&path, HOST).as_bytes()).await.unwrap();
    open.shutdown().await.unwrap();
    secure.write_all(get(&path, HOST).as_bytes()).await.unwrap();
    secure.shutdown().await.unwrap();
    assert_eq!(read_answer(&mut open, false).await.status, 302);
    assert_eq!(read_answer(&mut secure, false).await.status, 302);
    closed(&mut open).await;
    closed(&mut secure).await;
    // Idle, parked, in the middle of a header, or silent: whoever has closed its side is let go.
    for sent in ["", "GET / HT", &get("/", HOST)] {
        for wait in [Duration::ZERO, Duration::from_millis(200)] {
            let mut stream = plain(&house).await;
            stream.write_all(sent.as_bytes()).await.unwrap();
            if sent.ends_with("\r\n\r\n") {
                assert_eq!(read_answer(&mut stream, false).await.status, 200);
            }
            tokio::time::sleep(wait).await;
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("not closed").unwrap();
        }
    }
    house.until("connections_open{state=\"http1\"}", 0).await;
    house.close().await;
}

#[tokio::test]
async fn an_http2_peer_that_never_finishes_its_preface_is_closed() {
    for sent in [b"".as_slice(), b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let house = House::open(short);
        let began = Instant::now();
        let config = std::sync::Arc::new(client_config(&house, "h2"));
        let mut stream = tls_with(&house, config, HOST).await.unwrap();
        stream.write_all(sent).await.unwrap();
        is_served(&house).await;
        let mut sink = Vec::new();
        // Settings may come, and then the end.
        timeout(PATIENCE, stream.read_to_end(&mut sink)).await.expect("not closed").unwrap_or(0);
        assert!(began.elapsed() >= SHORT - Duration::from_millis(5));
        house.until("deadline_closes_total{kind=\"first_request\"}", 1).await;
        house.close().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let house = House::open(short);
    let mut stream = plain(&house).await;
    let requests = get("/", HOST).repeat(1_000);
    let writing = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
    let (written, ()) = tokio::join!(timeout(PATIENCE, writing), is_served(&house));
    written.expect("not closed");
    house.until("deadline_closes_total{kind=\"write\"}", 1).await;
    house.close().await;
}

#[tokio::test]
async fn a_greedy_address_is_refused_newcomers_and_keeps_its_requests() {
    let house = House::open(|config| config.per_address = 2);
    // Has asked, so it is no newcomer.
    let mut settled = plain(&house).await;
    assert_eq!(ask(&mut settled, &get("/", HOST)).await.status, 200);
    let _one = TcpStream::connect(house.https).await.unwrap();
    let two = TcpStream::connect(house.https).await.unwrap();
    house.until("connections_open{state=\"handshake\"}", 2).await;
    closed(&mut TcpStream::connect(house.https).await.unwrap()).await;
    closed(&mut plain(&house).await).await;
    assert_eq!(house.metric("connections_crowded_total"), 2);
    assert_eq!(ask(&mut settled, &get("/", HOST)).await.status, 200);
    drop(two);
    house.until("connections_open{state=\"handshake\"}", 1).await;
    is_served(&house).await;
    house.close().await;
}

#[tokio::test]
async fn a_full_house_lets_others_wait_and_serves_them_when_one_leaves() {
    let house = House::open(|config| config.connections = 1);
    let mut first = plain(&house).await;
    assert_eq!(ask(&mut first, &get("/", HOST)).await.status, 200);
    let mut second = plain(&house).await;
    second.write_all(get("/", HOST).as_bytes()).await.unwrap();
    assert_eq!(ask(&mut first, &get("/", HOST)).await.status, 200);
    assert_eq!(house.metric("connections_open{state=\"http1\"}"), 1, "the second waits");
    drop(first);
    assert_eq!(read_answer(&mut second, false).await.status, 200);
    house.close().await;
}
