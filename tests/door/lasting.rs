//! Connections that last, and how they end with the process.

use std::time::Duration;

use http::Request;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use crate::client::{ask, ask2, closed, get, http2, plain, read_answer, tls};
use crate::house::{ANSWER_WITHIN, HOST, House, PATIENCE};

const URL: &str = "https://example.com/";
const PARKED: &str = "connections_open{state=\"parked\"}";

fn parks_soon(config: &mut waypost::edge::Config) {
    config.park = Duration::from_millis(20);
}

#[tokio::test]
async fn a_parked_connection_still_answers_however_often_it_is_parked() {
    let house = House::open(parks_soon);
    let path = house.click(HOST, URL);
    let (mut open, mut secure) = (plain(&house).await, tls(&house, HOST).await);
    for round in 1..=4 {
        house.until(PARKED, 2).await;
        assert_eq!(ask(&mut open, &get(&path, HOST)).await.status, 302);
        assert_eq!(ask(&mut secure, &get(&path, HOST)).await.status, 302);
        assert_eq!(house.events().await.len(), 2 * round);
    }
    assert_eq!(house.metric("tls_handshakes_total{result=\"full\"}"), 1);
    house.close().await;
}

#[tokio::test]
async fn the_beginning_of_a_next_request_is_not_lost() {
    let house = House::open(parks_soon);
    let request = get("/robots.txt", HOST);
    let (head, tail) = request.split_at(20);
    let mut stream = plain(&house).await;
    // Both in one read, and the rest after the connection would have been parked.
    stream.write_all(format!("{request}{head}").as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream, false).await.status, 200);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(house.metric(PARKED), 0, "a half header is no idle connection");
    assert_eq!(ask(&mut stream, tail).await.status, 200);
    house.close().await;
}

#[tokio::test]
async fn a_click_waits_for_the_disk_and_no_longer_than_it_may() {
    let house = House::open(|_| {});
    let mut h1 = tls(&house, HOST).await;
    let mut h2 = http2(&house, HOST).await;
    assert_eq!(ask(&mut h1, &get("/", HOST)).await.status, 200);
    house.disk.stick(true);
    let began = Instant::now();
    let path = house.click(HOST, URL);
    let request = Request::get(format!("https://{HOST}{path}")).body("").unwrap();
    let get = get(&path, HOST);
    let (one, other) = tokio::join!(ask(&mut h1, &get), ask2(&mut h2, request));
    assert_eq!((one.status, other.status().as_u16()), (302, 302));
    let took = began.elapsed();
    assert!(took >= ANSWER_WITHIN * 14 / 16 && took < ANSWER_WITHIN * 4, "{took:?}");
    let counts = house.metrics.ledger.counts();
    assert_eq!((counts.received, counts.late, counts.in_progress), (2, 2, 2));
    assert_eq!(counts.journalled, 0);
    house.disk.stick(false);
    house.until("events_journalled_total", 2).await;
    assert_eq!(house.metrics.ledger.counts().in_progress, 0);
    house.close().await;
}

#[tokio::test]
async fn a_request_in_flight_at_the_drain_is_answered() {
    let house = House::open(parks_soon);
    let (mut idle, mut busy) = (plain(&house).await, tls(&house, HOST).await);
    let mut h2 = http2(&house, HOST).await;
    assert_eq!(ask(&mut idle, &get("/", HOST)).await.status, 200);
    house.until(PARKED, 2).await;
    house.disk.stick(true);
    let path = house.click(HOST, URL);
    busy.write_all(get(&path, HOST).as_bytes()).await.unwrap();
    busy.flush().await.unwrap();
    let request = Request::get(format!("https://{HOST}{path}")).body("").unwrap();
    let asking = async { ask2(&mut h2, request).await };
    let draining = async {
        house.until("events_received_total", 2).await;
        house.drain.begin();
        // The idle one ends at once, whoever is still being answered.
        closed(&mut idle).await;
        house.disk.stick(false);
    };
    let (answer, ()) = tokio::join!(asking, draining);
    assert_eq!(answer.status(), 302);
    let answer = read_answer(&mut busy, false).await;
    assert_eq!((answer.status, answer.field("connection")), (302, Some("close")));
    closed(&mut busy).await;
    house.until("events_journalled_total", 2).await;
    house.close().await;
}

#[tokio::test]
async fn who_has_connected_before_the_drain_may_still_ask_once() {
    let house = House::open(|_| {});
    let mut early = tls(&house, HOST).await;
    house.until("connections_open{state=\"http1\"}", 1).await;
    house.drain.begin();
    let path = house.click(HOST, URL);
    let answer = timeout(PATIENCE, ask(&mut early, &get(&path, HOST))).await.unwrap();
    assert_eq!((answer.status, answer.field("connection")), (302, Some("close")));
    house.close().await;
}
