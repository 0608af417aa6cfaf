//! A client over TLS that trusts the test's authority and says what it is told to say.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::click::{Click, Kind, Protocol};
use super::line::Reply;
use super::raw::Raw;

/// Makes connections. Cloning is cheap, and shares the sessions that may be resumed.
#[derive(Clone)]
pub struct Client {
    root: CertificateDer<'static>,
    config: Arc<ClientConfig>,
}

/// One connection on which requests are sent.
pub enum Session {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// A client of TLS 1.3 that trusts `root` and resumes nothing.
    pub fn new(root: CertificateDer<'static>) -> Self {
        Self::trusting(root).unwrap()
    }

    /// The same; an error when `root` cannot be trusted.
    pub fn trusting(root: CertificateDer<'static>) -> Result<Self, rustls::Error> {
        let config = Arc::new(config(&root, TLS13)?);
        Ok(Self { root, config })
    }

    /// The same, with other versions of TLS.
    #[must_use]
    pub fn with_versions(self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        let config = Arc::new(config(&self.root, versions).unwrap());
        Self { config, ..self }
    }

    /// The same, resuming the sessions of earlier connections, as browsers do.
    #[must_use]
    pub fn with_resumption(self) -> Self {
        self.with_resumption_of(8)
    }

    /// The same, of so many names.
    #[must_use]
    pub fn with_resumption_of(self, names: usize) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(names.max(8));
        Self { config: Arc::new(config), ..self }
    }

    /// A TLS connection to `address` that asks for the name `sni` and offers `alpn`.
    pub async fn tls(
        &self,
        address: SocketAddr,
        sni: &str,
        alpn: &[&[u8]],
    ) -> io::Result<TlsStream<TcpStream>> {
        // A copy: a session is only resumed with the verifier that it was begun with.
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from(sni.to_owned()).map_err(io::Error::other)?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// A session over TLS.
    pub async fn connect(
        &self,
        address: SocketAddr,
        sni: &str,
        protocol: Protocol,
    ) -> io::Result<Session> {
        Ok(self.connect_told(address, sni, protocol).await?.0)
    }

    /// A session over TLS, and whether its handshake was resumed.
    pub async fn connect_told(
        &self,
        address: SocketAddr,
        sni: &str,
        protocol: Protocol,
    ) -> io::Result<(Session, bool)> {
        let (stream, is_resumed) = self.tls_told(address, sni, protocol).await?;
        Ok((Session::over(stream, protocol).await?, is_resumed))
    }

    /// A TLS connection that has agreed on `protocol`, and whether its handshake was resumed.
    pub async fn tls_told(
        &self,
        address: SocketAddr,
        sni: &str,
        protocol: Protocol,
    ) -> io::Result<(TlsStream<TcpStream>, bool)> {
        let alpn: &[u8] = match protocol {
            Protocol::Http1 => b"http/1.1",
            Protocol::Http2 => b"h2",
        };
        let stream = self.tls(address, sni, &[alpn]).await?;
        if stream.get_ref().1.alpn_protocol() != Some(alpn) {
            return Err(io::Error::other("the node did not agree to the protocol"));
        }
        let is_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok((stream, is_resumed))
    }

    /// A session over TCP alone.
    pub async fn connect_plain(address: SocketAddr) -> io::Result<Session> {
        Session::over(TcpStream::connect(address).await?, Protocol::Http1).await
    }

    /// Bytes over TLS, with what ALPN is to agree on.
    pub async fn raw(&self, address: SocketAddr, sni: &str, alpn: &[u8]) -> io::Result<Raw> {
        Ok(Raw::over(self.tls(address, sni, &[alpn]).await?))
    }
}

impl Session {
    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        protocol: Protocol,
    ) -> io::Result<Self> {
        let io = TokioIo::new(stream);
        // How a connection ended is told by the request that it cuts off.
        match protocol {
            Protocol::Http1 => {
                let (session, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
                tokio::spawn(async move { drop(connection.await) });
                Ok(Self::Http1(session))
            }
            Protocol::Http2 => {
                let handshake = http2::handshake(TokioExecutor::new(), io).await;
                let (session, connection) = handshake.map_err(io::Error::other)?;
                tokio::spawn(async move { drop(connection.await) });
                Ok(Self::Http2(session))
            }
        }
    }

    /// Another handle of the same connection; only HTTP/2 has several.
    pub fn another(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(session) => Some(Self::Http2(session.clone())),
        }
    }

    /// Sends a request as it is and reads the answer to its end.
    pub async fn send(&mut self, request: Request<Empty<Bytes>>) -> Result<Answer, hyper::Error> {
        let answer = match self {
            Self::Http1(session) => {
                session.ready().await?;
                session.send_request(request).await?
            }
            Self::Http2(session) => {
                session.ready().await?;
                session.send_request(request).await?
            }
        };
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// Asks for `path` on `host`, without further fields.
    pub async fn get(&mut self, host: &str, path: &str) -> Result<Answer, hyper::Error> {
        self.send(self.request("GET", host, path).body(Empty::new()).unwrap()).await
    }

    /// Sends a click whose token is `token`.
    pub async fn click(&mut self, click: &Click, token: &str) -> Result<Answer, hyper::Error> {
        let path = path_of(click, token);
        let mut request = self.request(click.method(), &click.host, &path);
        for (name, value) in click.visit.fields() {
            request = request.header(name, value);
        }
        self.send(request.body(Empty::new()).unwrap()).await
    }

    /// HTTP/1.1 names the host in a field, HTTP/2 in the URI.
    fn request(&self, method: &str, host: &str, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method);
        match self {
            Self::Http1(_) => request.uri(path).header("host", host),
            Self::Http2(_) => request.uri(format!("https://{host}{path}")),
        }
    }
}

/// The path of a click whose token is `token`.
pub fn path_of(click: &Click, token: &str) -> String {
    let prefix = if click.kind == Kind::Open { "o" } else { "c" };
    format!("/{prefix}/{token}")
}

impl Answer {
    /// Whether this is what `click` is to be answered with.
    pub fn is_right(&self, click: &Click) -> bool {
        Reply::from(self).is_right(click)
    }
}

static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

fn config(
    root: &CertificateDer<'static>,
    versions: &'static [&'static SupportedProtocolVersion],
) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}
