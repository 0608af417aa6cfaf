//! The client's side of one connection: a pinned handshake, proven full, and requests that cost
//! the client little.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, NamedGroup, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::identity::{HOST, Identity};
use crate::server::Server;
use crate::wire::{self, Content};
use crate::work::Protocol;

/// Makes connections of one kind to one server. Nothing is resumed: each handshake is full.
#[derive(Clone)]
pub(crate) struct Client {
    connector: TlsConnector,
    address: SocketAddr,
    name: ServerName<'static>,
    /// A whole HTTP/1.1 request.
    pub(crate) request: Arc<[u8]>,
}

/// What a handshake agreed on.
pub(crate) type Agreed = String;

impl Client {
    pub(crate) fn new(
        server: &Server,
        identity: &Identity,
        group: NamedGroup,
        protocol: Protocol,
    ) -> Result<Self, String> {
        let mut provider = default_provider();
        provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
        provider.kx_groups.retain(|kx| kx.name() == group);
        let mut roots = RootCertStore::empty();
        roots.add(identity.root.clone()).map_err(|error| error.to_string())?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![protocol.alpn().to_vec()];
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: {USER_AGENT}\r\naccept: {ACCEPT}\r\n\
             accept-language: {ACCEPT_LANGUAGE}\r\n\r\n",
            server.path
        );
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            address: server.address,
            name: ServerName::try_from(HOST).map_err(|error| error.to_string())?,
            request: request.into_bytes().into(),
        })
    }

    pub(crate) async fn connect(&self) -> Result<(TlsStream<TcpStream>, Agreed), String> {
        let wrong = |error| format!("connecting: {error}");
        let stream = TcpStream::connect(self.address).await.map_err(wrong)?;
        stream.set_nodelay(true).map_err(wrong)?;
        let stream = self.connector.connect(self.name.clone(), stream).await.map_err(wrong)?;
        let session = stream.get_ref().1;
        if session.handshake_kind() != Some(HandshakeKind::Full) {
            return Err(format!("a handshake was {:?}, not full", session.handshake_kind()));
        }
        let agreed = format!(
            "{:?} {:?} {:?} {}",
            session.protocol_version().ok_or("no version")?,
            session.negotiated_cipher_suite().ok_or("no suite")?.suite(),
            session.negotiated_key_exchange_group().ok_or("no group")?.name(),
            String::from_utf8_lossy(session.alpn_protocol().unwrap_or(b"no protocol")),
        );
        Ok((stream, agreed))
    }

    /// One request and its whole answer over HTTP/1.1. `buffer` is scratch.
    pub(crate) async fn ask(
        &self,
        stream: &mut TlsStream<TcpStream>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), String> {
        let answer = wire::ask(stream, &self.request, Content::Told, buffer).await;
        let head = answer.map_err(|error| format!("asking: {error}"))?;
        if head.status == 302 { Ok(()) } else { Err(format!("answered {}", head.status)) }
    }
}

/// A browser's fields, since a click comes from one.
pub(crate) const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) \
     AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
pub(crate) const ACCEPT: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
pub(crate) const ACCEPT_LANGUAGE: &str = "en-GB,en;q=0.9";
