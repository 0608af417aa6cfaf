//! SNI × Host × protocol, and what a hello without a name that is ours gets.

use std::sync::Arc;

use http::Request;
use rustls::client::ClientSessionMemoryCache;
use rustls::client::Tls13ClientSessionValue;
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::{HandshakeKind, NamedGroup};

use crate::client::{ask, ask2, client_config, get, http2, plain, tls, tls_with};
use crate::house::{HOST, House, OTHER_HOST};

const URL: &str = "https://example.com/landing?x=1";

#[tokio::test]
async fn a_link_opens_only_on_its_name_and_its_connection() {
    let house = House::open(|_| {});
    for (sni, asked, status) in [
        (HOST, HOST, 302),
        (HOST, "A.EXAMPLE.:8443", 302),
        (HOST, OTHER_HOST, 421),
        (HOST, "trk.unknown.example", 421),
        (HOST, "127.0.0.1", 421),
        (HOST, "a..example", 400),
        (HOST, "", 400),
        // The link is of another host: no redirect, though names agree.
        (OTHER_HOST, OTHER_HOST, 404),
        (OTHER_HOST, HOST, 421),
    ] {
        let path = house.click(HOST, URL);
        let answer = ask(&mut tls(&house, sni).await, &get(&path, asked)).await;
        assert_eq!(answer.status, status, "h1, SNI {sni}, Host {asked}");
        assert_eq!(answer.field("location").is_some(), status == 302);
        if asked.is_empty() {
            continue;
        }
        let target = format!("https://{asked}{path}");
        let Ok(request) = Request::get(&target).body("") else { continue };
        let answer = ask2(&mut http2(&house, sni).await, request).await;
        assert_eq!(answer.status(), status, "h2, SNI {sni}, :authority {asked}");
        assert_eq!(answer.headers().contains_key("location"), status == 302);
    }
    let answer = ask(&mut plain(&house).await, &get(&house.click(HOST, URL), HOST)).await;
    assert_eq!((answer.status, answer.field("location")), (302, Some(URL)));
    let answer = ask(&mut plain(&house).await, &get(&house.click(HOST, URL), OTHER_HOST)).await;
    assert_eq!(answer.status, 404);
    house.close().await;
}

#[tokio::test]
async fn a_host_is_given_once_and_as_the_authority_says() {
    let house = House::open(|_| {});
    let path = house.click(HOST, URL);
    for (request, status) in [
        (format!("GET {path} HTTP/1.1\r\n\r\n"), 400),
        (format!("GET {path} HTTP/1.0\r\n\r\n"), 400),
        (format!("GET {path} HTTP/1.0\r\nHost: {HOST}\r\n\r\n"), 302),
        (format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nHost: {HOST}\r\n\r\n"), 400),
        (format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nHost: {OTHER_HOST}\r\n\r\n"), 400),
        (format!("GET http://{HOST}{path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), 302),
        (format!("GET http://{HOST}{path} HTTP/1.1\r\nHost: {OTHER_HOST}\r\n\r\n"), 400),
        (format!("GET http://{HOST}{path} HTTP/1.1\r\n\r\n"), 400),
        (format!("GET {path} HTTP/1.1\r\nHost: user@{HOST}\r\n\r\n"), 400),
    ] {
        let answer = ask(&mut plain(&house).await, &request).await;
        assert_eq!(answer.status, status, "{request}");
    }
    for (host, status) in [(HOST, 302), ("A.example:443", 302), (OTHER_HOST, 400)] {
        let target = format!("https://{HOST}{path}");
        let request = Request::get(target).header("host", host).body("").unwrap();
        let answer = ask2(&mut http2(&house, HOST).await, request).await;
        assert_eq!(answer.status(), status, ":authority {HOST}, Host {host}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_hello_without_a_name_of_ours_sees_no_certificate() {
    let house = House::open(|_| {});
    let config = Arc::new(client_config(&house, "http/1.1"));
    let error = tls_with(&house, Arc::clone(&config), "unknown.example").await.unwrap_err();
    assert!(error.to_string().contains("UnrecognisedName"), "{error}");
    // An address is not sent as a name.
    let error = tls_with(&house, config, "127.0.0.1").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
    assert_eq!(house.metric("tls_handshakes_total{result=\"unknown_name\"}"), 1);
    assert_eq!(house.metric("tls_handshakes_total{result=\"no_name\"}"), 1);
    house.close().await;
}

/// Keeps the sessions of all names under one, as an attacker would.
#[derive(Debug)]
struct Mixed(ClientSessionMemoryCache);

fn one_name() -> ServerName<'static> {
    ServerName::try_from("one.example").unwrap()
}

impl ClientSessionStore for Mixed {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(one_name(), group);
    }
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&one_name())
    }
    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(one_name(), value);
    }
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&one_name())
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&one_name());
    }
    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(one_name(), value);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&one_name())
    }
}

#[tokio::test]
async fn a_session_of_one_name_is_not_resumed_under_another() {
    let house = House::open(|_| {});
    let mut config = client_config(&house, "http/1.1");
    config.resumption = Resumption::store(Arc::new(Mixed(ClientSessionMemoryCache::new(8))));
    let config = Arc::new(config);
    let mut kinds = Vec::new();
    for sni in [HOST, HOST, OTHER_HOST, HOST] {
        let mut stream = tls_with(&house, Arc::clone(&config), sni).await.unwrap();
        assert_eq!(ask(&mut stream, &get("/", sni)).await.status, 200);
        kinds.push(stream.get_ref().1.handshake_kind().unwrap());
    }
    let (full, resumed) = (HandshakeKind::Full, HandshakeKind::Resumed);
    assert_eq!(kinds, [full, resumed, full, full]);
    house.close().await;
}
