//! The one HTTP client against servers that mean it ill: what may be asked is asked, in bounded
//! time and memory, and nothing else.

#![allow(clippy::disallowed_methods, reason = "a test reads clocks and starts tasks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use waypost::fetch::{
    Client, Codings, FetchError, Policy, Ports, Reach, Redirects, Resolve, Resolving, Roots,
};
use waypost::hostname::Hostname;

/// Says one answer after the other; the last one for ever.
#[derive(Debug, Default)]
struct Book {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Book {
    fn of(answers: &[&[IpAddr]]) -> Arc<Self> {
        let answers = answers.iter().map(|list| list.to_vec()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Book {
    fn resolve(&self, _: &Hostname) -> Resolving<'_> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { answer.ok_or_else(|| "no such name".to_owned()) })
    }
}

fn policy() -> Policy {
    Policy {
        reach: Reach::Inside,
        roots: Roots::Public,
        is_plain_allowed: true,
        ports: Ports::Any,
        redirects: Redirects::AtMost(3),
        codings: Codings::Identity,
        content: 10_000,
        idle: 8,
        connect: Duration::from_millis(400),
        step: Duration::from_millis(400),
        total: Duration::from_secs(2),
    }
}

/// What a server does with a connection.
type Manner = fn(SocketAddr) -> Vec<Step>;

enum Step {
    Say(Vec<u8>),
    Hang,
    /// Says it again and again, with pauses.
    Drip(&'static [u8], Duration),
}

fn say(text: &str) -> Step {
    Step::Say(text.as_bytes().to_vec())
}

/// A server at an address of this machine; counts its connections.
async fn server(at: Ipv4Addr, manner: Manner) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((at, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                stream.read(&mut request).await.unwrap_or_default();
                for step in manner(address) {
                    match step {
                        Step::Say(bytes) => drop(stream.write_all(&bytes).await),
                        Step::Hang => std::future::pending().await,
                        Step::Drip(bytes, pause) => {
                            while stream.write_all(bytes).await.is_ok() {
                                tokio::time::sleep(pause).await;
                            }
                        }
                    }
                }
            });
        }
    });
    (address, connections)
}

fn get(url: &str) -> Request<Bytes> {
    Request::builder().uri(url).body(Bytes::new()).unwrap()
}

async fn fetch(policy: Policy, book: &Arc<Book>, url: &str) -> Result<(u16, Bytes), FetchError> {
    let client = Client::new(policy, Arc::clone(book) as Arc<dyn Resolve>).unwrap();
    let begun = Instant::now();
    let answer = client.send(get(url)).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{url} took {:?}", begun.elapsed());
    answer.map(|answer| (answer.status().as_u16(), answer.into_body()))
}

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
const NEXT_DOOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// How a server behaves, and the code of what is told then.
const MANNERS: &[(&str, Manner, &str)] = &[
    ("silent", |_| vec![Step::Hang], "timed_out"),
    ("half a header", |_| vec![say("HTTP/1.1 200 OK\r\nx: "), Step::Hang], "timed_out"),
    (
        "half the content",
        |_| vec![say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), Step::Hang],
        "timed_out",
    ),
    (
        "endless and slow",
        |_| {
            let head = say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            vec![head, Step::Drip(b"1\r\nx\r\n", Duration::from_millis(100))]
        },
        "timed_out",
    ),
    (
        "endless and fast",
        |_| {
            let head = say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            vec![head, Step::Drip(b"8\r\nxxxxxxxx\r\n", Duration::ZERO)]
        },
        "too_large",
    ),
    (
        "oversize",
        |_| vec![say(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(10_001)))],
        "too_large",
    ),
    ("compressed", |_| vec![say("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nxx")], "encoded"),
    ("broken off", |_| vec![say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx")], "broken"),
    ("no HTTP", |_| vec![say("220 mail.example ESMTP\r\n")], "broken"),
    (
        "a long header",
        |_| vec![say("HTTP/1.1 200 OK\r\nx: "), Step::Say(vec![b'x'; 1 << 20])],
        "broken",
    ),
    (
        "in a circle",
        |at| {
            vec![say(&format!(
                "HTTP/1.1 302 Found\r\nlocation: http://{at}/\r\ncontent-length: 0\r\n\r\n"
            ))]
        },
        "redirected",
    ),
    (
        "to metadata",
        |_| {
            vec![say(
                "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/x\r\ncontent-length: 0\r\n\r\n",
            )]
        },
        "forbidden",
    ),
    (
        "to a file",
        |_| {
            vec![say(
                "HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n",
            )]
        },
        "redirected",
    ),
    (
        "with a password",
        |at| {
            vec![say(&format!(
                "HTTP/1.1 302 Found\r\nlocation: http://a:b@{at}/\r\ncontent-length: 0\r\n\r\n"
            ))]
        },
        "url",
    ),
    ("nowhere", |_| vec![say("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n")], "redirected"),
];

#[tokio::test]
async fn every_ill_manner_ends_in_its_own_error_in_bounded_time() {
    let book = Book::of(&[]);
    for (name, manner, code) in MANNERS {
        let (address, _) = server(HOME, *manner).await;
        let told = fetch(policy(), &book, &format!("http://{address}/")).await.unwrap_err();
        assert_eq!(told.code(), *code, "{name}: {told}");
    }
    let told = fetch(policy(), &book, "http://nobody.example/").await.unwrap_err();
    assert_eq!(told.code(), "name", "{told}");
    let closed = std::net::TcpListener::bind((HOME, 0)).unwrap().local_addr().unwrap();
    let told = fetch(policy(), &book, &format!("http://{closed}/")).await.unwrap_err();
    assert_eq!(told.code(), "connect", "{told}");
}

#[tokio::test]
async fn what_strangers_name_reaches_no_address_that_is_not_public() {
    let (address, connections) = server(HOME, |_| vec![say("HTTP/1.1 200 OK\r\n\r\nsecret")]).await;
    let port = address.port();
    let public = || Policy { reach: Reach::Public, ..policy() };
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::1]"]
    {
        let told = fetch(public(), &Book::of(&[]), &format!("http://{host}:{port}/")).await;
        assert_eq!(told.as_ref().unwrap_err().code(), "forbidden", "{host}: {told:?}");
    }
    for address in ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "fe80::1", "10.0.0.1"] {
        let book = Book::of(&[&[address.parse().unwrap()]]);
        let told = fetch(public(), &book, &format!("http://named.example:{port}/")).await;
        assert_eq!(told.as_ref().unwrap_err().code(), "forbidden", "{address}: {told:?}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    // The way is there: what the operator configures takes it.
    let (status, content) =
        fetch(policy(), &Book::of(&[&[HOME.into()]]), &format!("http://named.example:{port}/"))
            .await
            .unwrap();
    assert_eq!((status, &content[..]), (200, &b"secret"[..]));
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_dialled() {
    let (first, first_connections) =
        server(HOME, |_| vec![say("HTTP/1.1 200 OK\r\n\r\nfirst")]).await;
    let listener = std::net::TcpListener::bind((NEXT_DOOR, first.port())).unwrap();
    listener.set_nonblocking(true).unwrap();
    // A name that is another one each time that somebody asks.
    let book = Book::of(&[&[HOME.into()], &[NEXT_DOOR.into()]]);
    let url = format!("http://named.example:{}/", first.port());
    let (_, content) = fetch(policy(), &book, &url).await.unwrap();
    assert_eq!((&content[..], book.asked()), (&b"first"[..], 1));
    assert_eq!(first_connections.load(Ordering::SeqCst), 1);
    assert!(listener.accept().is_err(), "nobody dials what was never checked");
}

#[tokio::test]
async fn an_address_that_is_forbidden_or_dead_is_passed_over() {
    let (address, _) = server(HOME, |_| vec![say("HTTP/1.1 200 OK\r\n\r\nhere")]).await;
    let book = Book::of(&[&["169.254.169.254".parse().unwrap(), NEXT_DOOR.into(), HOME.into()]]);
    let url = format!("http://named.example:{}/", address.port());
    let (_, content) = fetch(policy(), &book, &url).await.unwrap();
    assert_eq!(&content[..], b"here");
}

#[tokio::test]
async fn what_is_packed_is_unpacked_where_it_was_asked_for_and_no_further() {
    use std::io::Write;
    let packed = |content: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(content).unwrap();
        gzip.finish().unwrap()
    };
    let most = policy().content;
    for (coding, content, came) in [
        ("gzip", packed(b"hello"), Ok(5)),
        ("GZip", packed(&vec![b'x'; most]), Ok(most)),
        ("gzip", packed(&vec![b'x'; most + 1]), Err("too_large")),
        ("gzip", packed(&vec![b'x'; 64 << 20]), Err("too_large")),
        ("gzip", b"hello".to_vec(), Err("packed")),
        ("gzip", packed(b"hello")[..12].to_vec(), Err("packed")),
        ("deflate", b"hello".to_vec(), Err("encoded")),
        ("gzip, gzip", packed(b"hello"), Err("encoded")),
        ("identity", b"hello".to_vec(), Ok(5)),
    ] {
        let listener = TcpListener::bind((HOME, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let says = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let count = stream.read(&mut request).await.unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&content).await.unwrap_or_default();
            String::from_utf8_lossy(&request[..count]).to_ascii_lowercase()
        });
        let taking = Policy { codings: Codings::Gzip, ..policy() };
        let told = fetch(taking, &Book::of(&[]), &format!("http://{address}/")).await;
        let told = told.map(|(_, content)| content.len()).map_err(|error| error.code());
        assert_eq!(told, came, "{coding}");
        assert!(says.await.unwrap().contains("accept-encoding: gzip\r\n"));
    }
}

#[tokio::test]
async fn a_policy_of_one_port_dials_no_other() {
    let (address, connections) = server(HOME, |_| vec![say("HTTP/1.1 200 OK\r\n\r\nhere")]).await;
    let book = Book::of(&[&[HOME.into()]]);
    let one = || Policy { ports: Ports::Https(address.port()), ..policy() };
    for url in ["https://named.example:80/", "https://named.example:8443/"] {
        let told = fetch(one(), &book, url).await.unwrap_err();
        assert_eq!(told.code(), "url", "{url}: {told}");
    }
    assert_eq!((connections.load(Ordering::SeqCst), book.asked()), (0, 0));
    // The right one is dialled, and speaks no TLS here.
    for url in ["https://named.example/", "https://named.example:443/"] {
        let told = fetch(one(), &book, url).await.unwrap_err();
        assert_ne!(told.code(), "url", "{url}: {told}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_cookie_is_kept_and_a_post_is_not_redirected() {
    let (address, connections) = server(HOME, |at| {
        vec![say(&format!(
            "HTTP/1.1 302 Found\r\nset-cookie: a=b\r\nlocation: http://{at}/next\r\ncontent-length: 0\r\n\r\n"
        ))]
    })
    .await;
    let client = Client::new(policy(), Book::of(&[])).unwrap();
    let request = Request::builder().method(Method::POST).uri(format!("http://{address}/"));
    let answer = client.send(request.body(Bytes::from_static(b"x")).unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), connections.load(Ordering::SeqCst)), (302, 1));
    // What a second request carries is what it was given.
    let listener = TcpListener::bind((HOME, 0)).await.unwrap();
    let heard = listener.local_addr().unwrap();
    let hears = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4_096];
        let count = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&request[..count]).to_ascii_lowercase()
    });
    client.send(get(&format!("http://{heard}/"))).await.unwrap();
    let request = hears.await.unwrap();
    for word in ["cookie", "authorization", "referer", "gzip"] {
        assert!(!request.contains(word), "{request}");
    }
}

#[tokio::test]
async fn a_server_is_trusted_by_the_roots_of_the_policy_and_by_its_name() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["ca.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![certificate.der().clone()], private)
    .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((HOME, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 4_096];
                stream.read(&mut request).await.unwrap_or_default();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            });
        }
    });
    let own = || Policy { roots: Roots::parse(certificate.pem().as_bytes()).unwrap(), ..policy() };
    let book = Book::of(&[&[HOME.into()]]);
    let url = |host: &str| format!("https://{host}:{port}/");
    assert_eq!(fetch(own(), &book, &url("ca.example")).await.unwrap().0, 200);
    let wrong_name = fetch(own(), &book, &url("other.example")).await.unwrap_err();
    assert_eq!(wrong_name.code(), "untrusted", "{wrong_name}");
    let unknown = fetch(policy(), &book, &url("ca.example")).await.unwrap_err();
    assert_eq!(unknown.code(), "untrusted", "{unknown}");
    let secure_only = Policy { is_plain_allowed: false, ..own() };
    let plain = fetch(secure_only, &book, "http://ca.example/").await.unwrap_err();
    assert_eq!(plain.code(), "url", "{plain}");
    assert!(Roots::parse(b"no certificate").is_err());
}

#[tokio::test]
async fn http_2_is_spoken_where_no_connection_is_kept() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["two.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((HOME, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.unwrap();
            let answers = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let version = format!("{:?} {}", request.version(), request.uri().path());
                Ok::<_, std::convert::Infallible>(http::Response::new(version))
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), answers));
        }
    });
    let roots = Roots::parse(certificate.pem().as_bytes()).unwrap();
    let policy = Policy { roots, ports: Ports::Https(port), idle: 0, ..policy() };
    let book = Book::of(&[&[HOME.into()]]);
    let client = Client::new(policy, Arc::clone(&book) as Arc<dyn Resolve>).unwrap();
    for path in ["/a", "/b"] {
        let answer = client.send(get(&format!("https://two.example{path}"))).await.unwrap();
        assert_eq!(answer.body(), &format!("HTTP/2.0 {path}"));
    }
    assert_eq!(book.asked(), 2);
}
