//! Clients: raw HTTP/1.1 over any stream, and hyper's HTTP/2.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::house::{House, PATIENCE};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header field that is there once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }
}

/// Asks one request and reads its answer.
pub(crate) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
) -> Answer {
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    read_answer(stream, request.starts_with("HEAD")).await
}

pub(crate) async fn read_answer(stream: &mut (impl AsyncRead + Unpin), is_head: bool) -> Answer {
    let read = async {
        let (mut bytes, mut byte) = (Vec::new(), [0]);
        while !bytes.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut byte).await.unwrap();
            assert_eq!(count, 1, "ended in {:?}", String::from_utf8_lossy(&bytes));
            bytes.push(byte[0]);
        }
        let head = String::from_utf8(bytes).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        if !is_head && let Some(length) = answer.field("content-length") {
            answer.body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut answer.body).await.unwrap();
        }
        answer
    };
    timeout(PATIENCE, read).await.expect("no answer")
}

/// Reads until the peer has closed, and nothing but `nothing more` may come.
pub(crate) async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut byte = [0];
    // A reset is an end too.
    let read = timeout(PATIENCE, stream.read(&mut byte)).await.expect("not closed");
    assert_eq!(read.unwrap_or(0), 0, "a byte came");
}

pub(crate) fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

pub(crate) async fn plain(house: &House) -> TcpStream {
    TcpStream::connect(house.http).await.unwrap()
}

pub(crate) fn client_config(house: &House, protocol: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(house.root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    config
}

pub(crate) async fn tls_with(
    house: &House,
    config: Arc<ClientConfig>,
    sni: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(house.https).await.unwrap();
    let name = ServerName::try_from(sni.to_owned()).unwrap();
    TlsConnector::from(config).connect(name, tcp).await
}

pub(crate) async fn tls(house: &House, sni: &str) -> TlsStream<TcpStream> {
    tls_with(house, Arc::new(client_config(house, "http/1.1")), sni).await.unwrap()
}

/// An HTTP/2 client; its connection is driven until the test ends.
pub(crate) async fn http2(house: &House, sni: &str) -> SendRequest<Full<Bytes>> {
    let stream = tls_with(house, Arc::new(client_config(house, "h2")), sni).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it lasts as long as the test")]
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    sender
}

pub(crate) async fn ask2(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<&'static str>,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, Full::from(body));
    let answered = async {
        sender.ready().await.unwrap();
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    };
    timeout(PATIENCE, answered).await.expect("no answer")
}
