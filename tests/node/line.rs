//! One connection of the traffic: what is sent a million times, made to cost little.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::click::{Click, Kind, Protocol};
use super::client::{Answer, Client, Session, path_of};
use super::wire::{self, Content, Head};

/// A connection that is asked one thing at a time.
pub struct Line {
    side: Side,
    /// Whether the TLS session was resumed.
    pub is_resumed: bool,
}

enum Side {
    /// A library's client costs more than the servers that are measured, so this is our own.
    Http1 {
        stream: Box<TlsStream<TcpStream>>,
        answer: Vec<u8>,
    },
    Http2(Session),
}

/// A click that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Minted {
    pub click: Click,
    /// The token of its link.
    pub token: String,
    /// The whole request, for HTTP/1.1.
    request: Vec<u8>,
}

/// What of an answer tells whether it is right.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub status: u16,
    pub location: Option<&'a [u8]>,
    pub content_type: Option<&'a [u8]>,
}

impl Line {
    /// A new connection.
    pub async fn connect(
        client: &Client,
        address: SocketAddr,
        host: &str,
        protocol: Protocol,
    ) -> io::Result<Self> {
        if protocol == Protocol::Http2 {
            let (session, is_resumed) = client.connect_told(address, host, protocol).await?;
            return Ok(Self { side: Side::Http2(session), is_resumed });
        }
        let (stream, is_resumed) = client.tls_told(address, host, protocol).await?;
        let (stream, answer) = (Box::new(stream), Vec::with_capacity(4 << 10));
        Ok(Self { side: Side::Http1 { stream, answer }, is_resumed })
    }

    /// Another handle of the same connection; only HTTP/2 has several.
    pub fn another(&self) -> Option<Self> {
        let Side::Http2(session) = &self.side else { return None };
        let (side, is_resumed) = (Side::Http2(session.another()?), self.is_resumed);
        Some(Self { side, is_resumed })
    }

    /// Asks and reads the answer to its end; what is wrong with it, if `expects` says so. An
    /// error when there is no whole answer.
    pub async fn ask(
        &mut self,
        Minted { click, token, request }: &Minted,
        expects: fn(&Reply<'_>, &Click) -> bool,
    ) -> io::Result<Option<String>> {
        match &mut self.side {
            Side::Http1 { stream, answer } => {
                let head = wire::ask(stream, request, content(click), answer).await?;
                let is_right = expects(&Reply::from(&head), click);
                Ok((!is_right).then(|| format!("{head:?}")))
            }
            Side::Http2(session) => {
                let answer = session.click(click, token).await.map_err(io::Error::other)?;
                let is_right = expects(&Reply::from(&answer), click);
                Ok((!is_right).then(|| format!("{answer:?}")))
            }
        }
    }

    /// Ends the connection in order, as far as the other side still listens.
    pub async fn close(mut self) {
        if let Side::Http1 { stream, .. } = &mut self.side {
            drop(stream.shutdown().await);
        }
    }
}

impl Minted {
    /// A click with the token that was minted for it.
    pub fn new(click: Click, token: String) -> Self {
        let mut request = Vec::new();
        if click.visit.protocol == Protocol::Http1 {
            let (method, path) = (click.method(), path_of(&click, &token));
            let mut line = |line: String| request.extend_from_slice(line.as_bytes());
            line(format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", click.host));
            click.visit.fields().for_each(|(name, value)| line(format!("{name}: {value}\r\n")));
            line("\r\n".to_owned());
        }
        Self { click, token, request }
    }
}

impl Reply<'_> {
    /// Whether this is what `click` is to be answered with.
    pub fn is_right(&self, click: &Click) -> bool {
        match click.kind {
            Kind::Open => self.status == 200 && self.content_type == Some(b"image/gif"),
            Kind::Click | Kind::Probe => {
                self.status == 302 && self.location == Some(click.link.url.as_bytes())
            }
        }
    }
}

impl<'a> From<&Head<'a>> for Reply<'a> {
    fn from(head: &Head<'a>) -> Self {
        let Head { status, location, content_type, .. } = *head;
        Self { status, location, content_type }
    }
}

impl<'a> From<&'a Answer> for Reply<'a> {
    fn from(answer: &'a Answer) -> Self {
        let field = |name| answer.headers.get(name).map(http::HeaderValue::as_bytes);
        let (location, content_type) = (field("location"), field("content-type"));
        Self { status: answer.status.as_u16(), location, content_type }
    }
}

fn content(click: &Click) -> Content {
    if click.kind == Kind::Probe { Content::LeftOut } else { Content::Told }
}
