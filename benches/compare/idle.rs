//! The memory that an idle connection keeps in the server.

use std::thread;
use std::time::Duration;

use rustls::NamedGroup;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::interval;
use tokio_rustls::client::TlsStream;

use crate::client::{Agreed, Client};
use crate::frames::Http2;
use crate::identity::Identity;
use crate::process;
use crate::server::Server;
use crate::work::Protocol;

/// What an idle connection costs.
#[derive(Clone, Debug)]
pub(crate) struct Idle {
    /// Kilobytes of resident memory for each connection, of all the server's processes.
    pub(crate) kilobytes: f64,
    /// What the handshakes agreed on.
    pub(crate) agreed: Agreed,
}

/// Opens [`CONNECTIONS`] connections with one request each, lets them idle, and divides what the
/// server's resident memory grew by. They must still answer afterwards.
///
/// They come at a steady [`PACE`], as idle connections gather in life: all at once would measure
/// the memory of as many busy ones, which an allocator keeps after it was freed.
pub(crate) fn measure(
    server: &Server,
    identity: &Identity,
    protocol: Protocol,
) -> Result<Idle, String> {
    let client = Client::new(server, identity, NamedGroup::X25519, protocol)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        // What the first connections allocate once and for all is no connection's cost.
        let warming = open(&client, &server.path, protocol, WARMING).await?;
        drop(warming);
        let before = settled(server)?;
        let mut held = open(&client, &server.path, protocol, CONNECTIONS).await?;
        let after = settled(server)?;
        for connection in &mut held {
            connection.ask(&client).await?;
        }
        let agreed = held.first().map(|connection| connection.agreed.clone());
        Ok(Idle {
            kilobytes: (after as f64 - before as f64) / CONNECTIONS as f64,
            agreed: agreed.ok_or("no handshake was made")?,
        })
    })
}

/// One connection of the client.
struct Connection {
    stream: TlsStream<TcpStream>,
    http2: Option<Http2>,
    agreed: Agreed,
}

impl Connection {
    async fn ask(&mut self, client: &Client) -> Result<(), String> {
        let Some(http2) = &mut self.http2 else {
            return client.ask(&mut self.stream, &mut Vec::new()).await;
        };
        http2.ask();
        let mut ended = Vec::new();
        let mut buffer = [0; 4096];
        while ended.is_empty() {
            self.stream.write_all(&http2.out).await.map_err(|error| error.to_string())?;
            http2.out.clear();
            let count = self.stream.read(&mut buffer).await.map_err(|error| error.to_string())?;
            if count == 0 {
                return Err("a connection ended while it was idle".to_owned());
            }
            http2.read(&buffer[..count], &mut ended)?;
        }
        // An acknowledgement of settings that is still owed.
        self.stream.write_all(&http2.out).await.map_err(|error| error.to_string())?;
        http2.out.clear();
        Ok(())
    }
}

async fn open(
    client: &Client,
    path: &str,
    protocol: Protocol,
    count: usize,
) -> Result<Vec<Connection>, String> {
    let mut connections = Vec::with_capacity(count);
    let mut pace = interval(PACE);
    for _ in 0..count {
        pace.tick().await;
        let (stream, agreed) = client.connect().await?;
        let http2 = (protocol == Protocol::Http2).then(|| Http2::new(path));
        let mut connection = Connection { stream, http2, agreed };
        connection.ask(client).await?;
        connections.push(connection);
    }
    Ok(connections)
}

/// Resident memory in kB once it has stopped changing, so that what a server does to connections
/// that idle has been done. Nothing tells when that is but the figure itself.
fn settled(server: &Server) -> Result<u64, String> {
    let mut figures = Vec::new();
    loop {
        thread::sleep(STEP);
        figures.push(process::resident(server.process())?);
        let last = figures.last_chunk::<SAME>();
        if figures.len() > LEAST && last.is_some_and(|last| last.iter().all(|one| *one == last[0]))
        {
            return Ok(last.map_or(0, |last| last[0]));
        }
        if figures.len() > MOST {
            return Err("resident memory never settled".to_owned());
        }
    }
}

const CONNECTIONS: usize = 2_000;
const WARMING: usize = 50;
const PACE: Duration = Duration::from_millis(20);
const STEP: Duration = Duration::from_millis(250);
/// Longer than the product waits before it parks a connection.
const LEAST: usize = 14;
const SAME: usize = 4;
const MOST: usize = 60;
