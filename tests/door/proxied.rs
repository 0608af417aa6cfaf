//! Visitors behind a load balancer that speaks the PROXY protocol.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::client::{ask, client_config, closed, get, plain, tls};
use crate::house::{HOST, House};

const URL: &str = "https://example.com/";
const LINE: &str = "PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n";

fn behind(config: &mut waypost::edge::Config) {
    config.proxy = vec!["127.0.0.0/8".parse().unwrap()];
}

/// The address of the last event.
async fn address(house: &House) -> String {
    house.events().await.last().unwrap()["data"]["ip"].as_str().unwrap().to_owned()
}

/// Version 2, with the addresses of a visitor.
fn block(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length, addresses].concat()
}

#[tokio::test]
async fn the_visitor_is_whom_the_header_names() {
    let house = House::open(behind);
    let mut six = [0; 36];
    six[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    six[15] = 7;
    let four = [192, 0, 2, 9, 10, 0, 0, 1, 0x30, 0x39, 1, 0xbb];
    for (header, expected) in [
        (LINE.as_bytes().to_vec(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::5 ::1 12345 443\r\n".to_vec(), "2001:db8::5"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (block(0x21, 0x11, &four), "192.0.2.9"),
        (block(0x21, 0x21, &six), "2001:db8::7"),
        (block(0x20, 0, &[]), "127.0.0.1"),
    ] {
        let path = house.click(HOST, URL);
        let mut stream = plain(&house).await;
        // In two pieces, of which the second holds the request too.
        let (one, other) = header.split_at(header.len() / 2);
        stream.write_all(one).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(other).await.unwrap();
        assert_eq!(ask(&mut stream, &get(&path, HOST)).await.status, 302);
        assert_eq!(address(&house).await, expected);

        let mut tcp = TcpStream::connect(house.https).await.unwrap();
        tcp.write_all(&header).await.unwrap();
        let name = HOST.to_owned().try_into().unwrap();
        let connector = TlsConnector::from(Arc::new(client_config(&house, "http/1.1")));
        let mut stream = connector.connect(name, tcp).await.unwrap();
        assert_eq!(ask(&mut stream, &get(&path, HOST)).await.status, 302);
        assert_eq!(address(&house).await, expected, "over TLS");
    }
    house.close().await;
}

#[tokio::test]
async fn a_proxy_without_a_right_header_is_closed_and_counted() {
    let house = House::open(behind);
    for bytes in [get("/", HOST).into_bytes(), b"PROXY TCP4 a b c d\r\n".to_vec()] {
        let mut stream = plain(&house).await;
        stream.write_all(&bytes).await.unwrap();
        closed(&mut stream).await;
    }
    assert_eq!(house.metric("proxy_headers_refused_total"), 2);
    house.close().await;
}

#[tokio::test]
async fn a_proxy_that_never_ends_its_header_is_closed_in_time() {
    let short = Duration::from_millis(300);
    let house = House::open(|config| {
        behind(config);
        config.header = short;
    });
    let began = Instant::now();
    let mut stream = plain(&house).await;
    stream.write_all(b"PROXY TCP4 192").await.unwrap();
    closed(&mut stream).await;
    assert!(began.elapsed() >= short);
    assert_eq!(house.metric("deadline_closes_total{kind=\"proxy\"}"), 1);
    house.close().await;
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let house = House::open(|config| config.proxy = vec!["192.0.2.0/24".parse().unwrap()]);
    let mut stream = plain(&house).await;
    let answer = ask(&mut stream, &format!("{LINE}{}", get("/", HOST))).await;
    assert_eq!(answer.status, 400, "a header is no request");
    let path = house.click(HOST, URL);
    assert_eq!(ask(&mut tls(&house, HOST).await, &get(&path, HOST)).await.status, 302);
    assert_eq!(address(&house).await, "127.0.0.1");
    house.close().await;
}

#[tokio::test]
async fn newcomers_are_counted_by_visitor_and_not_by_proxy() {
    let house = House::open(|config| {
        behind(config);
        config.per_address = 1;
    });
    let open = async |visitor: &str| {
        let mut stream = plain(&house).await;
        let header = format!("PROXY TCP4 {visitor} 10.0.0.1 12345 80\r\nGET");
        stream.write_all(header.as_bytes()).await.unwrap();
        stream
    };
    let mut one = open("192.0.2.1").await;
    house.until("connections_open{state=\"http1\"}", 1).await;
    let mut other = open("192.0.2.2").await;
    let rest = get("/", HOST).split_off(3);
    assert_eq!(ask(&mut other, &rest).await.status, 200);
    closed(&mut open("192.0.2.1").await).await;
    assert_eq!(house.metric("connections_crowded_total"), 1);
    assert_eq!(ask(&mut one, &rest).await.status, 200);
    house.close().await;
}
