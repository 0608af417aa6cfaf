//! The yardstick: hyper and rustls answering a constant, and nothing else.
//!
//! It runs in a process of its own, which is this binary started again with [`CHILD`] set. Two
//! threads, each with a single-threaded runtime and its own listening socket; ALPN picks hyper's
//! own builder; one ticket, sealed and not stored, as the product sends it.

use std::convert::Infallible;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use http::{Response, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::identity::{DESTINATION, Identity};
use crate::running::Running;
use crate::server::{Kind, Server};

/// Starts the yardstick.
pub(crate) fn start(identity: &Identity, path: &str) -> Result<Server, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(own)
        .env(CHILD, &identity.chain)
        .env(CHILD_KEY, &identity.key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("bare: {error}"))?;
    let output = child.stdout.take();
    let child = Running::new(child);
    let mut line = String::new();
    if let Some(output) = output {
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
    }
    let address = line.trim().parse().map_err(|_| format!("bare said {line:?}"))?;
    Ok(Server::new(Kind::Bare, child, address, path.to_owned()))
}

/// Serves for ever when this process was started to be the yardstick; `None` when it was not.
pub(crate) fn run_if_child() -> Option<Result<(), String>> {
    let chain = env::var(CHILD).ok()?;
    let key = env::var(CHILD_KEY).ok()?;
    Some(serve(&chain, &key).map_err(|error| error.to_string()))
}

fn serve(chain: &str, key: &str) -> io::Result<()> {
    let acceptor = acceptor(chain, key).map_err(io::Error::other)?;
    let first = listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = first.local_addr()?;
    let second = listen(address)?;
    writeln!(io::stdout(), "{address}")?;
    let reactors = [first, second].map(|listener| {
        let acceptor = acceptor.clone();
        thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(accept(listener, acceptor))
        })
    });
    for reactor in reactors {
        reactor.join().map_err(|_| io::Error::other("a reactor panicked"))??;
    }
    Ok(())
}

fn acceptor(
    chain: &str,
    key: &str,
) -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream, acceptor.clone()));
    }
}

async fn answer(stream: TcpStream, acceptor: TlsAcceptor) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(stream);
    let service = service_fn(async |_| {
        Response::builder()
            .status(302)
            .header(header::LOCATION, DESTINATION)
            .header(header::CACHE_CONTROL, "no-store")
            .body(Empty::<Bytes>::new())
            .map_or_else(|_| unreachable!("a constant answer"), Ok::<_, Infallible>)
    });
    // A client that leaves ends its connection with an error; that is no news here.
    if is_http2 {
        drop(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
    } else {
        drop(http1::Builder::new().serve_connection(io, service).await);
    }
}

const CHILD: &str = "WAYPOST_COMPARE_BARE_CHAIN";
const CHILD_KEY: &str = "WAYPOST_COMPARE_BARE_KEY";
