//! A web server that says what it is told to, over TLS, with an authority of its own.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What stands at an address.
#[derive(Clone)]
pub(crate) enum Page {
    /// A whole answer: status, further header lines, content.
    Whole(u16, String, Vec<u8>),
    /// A redirect.
    Elsewhere(String),
    /// No answer.
    Silence,
    /// Content without end, a piece at a time.
    Endless(Vec<u8>, Duration),
}

impl Page {
    /// Content of a type.
    pub(crate) fn of(media_type: &str, content: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, format!("content-type: {media_type}\r\n"), content.into())
    }
}

/// The server. Stops when it is dropped.
pub(crate) struct Site {
    pub(crate) port: u16,
    /// The authority of its certificate, in PEM.
    pub(crate) root: String,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    heard: Arc<Mutex<Vec<String>>>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Site {
    /// A server whose certificate is for these names.
    pub(crate) fn start(names: &[&str]) -> Self {
        let (config, root) = identity(names);
        let pages: Arc<Mutex<HashMap<String, Page>>> = Arc::default();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let stop = Arc::new(Notify::new());
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = (Arc::clone(&pages), Arc::clone(&heard));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                let acceptor = TlsAcceptor::from(Arc::new(config));
                loop {
                    let stream = tokio::select! {
                        () = stopped.notified() => return,
                        accepted = listener.accept() => accepted.unwrap().0,
                    };
                    let (acceptor, (pages, heard)) = (acceptor.clone(), shared.clone());
                    tokio::spawn(serve(acceptor, stream, pages, heard));
                }
            });
        });
        Self { port, root, pages, heard, stop, thread: Some(thread) }
    }

    /// Puts a page at an address: its host and path.
    pub(crate) fn put(&self, address: &str, page: Page) {
        self.pages.lock().unwrap().insert(address.to_owned(), page);
    }

    /// The requests since the last time that somebody asked.
    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.notify_one();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    heard: Arc<Mutex<Vec<String>>>,
) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut request = vec![0; 8_192];
    let count = stream.read(&mut request).await.unwrap_or_default();
    let request = String::from_utf8_lossy(&request[..count]).into_owned();
    let line = request.lines().next().unwrap_or_default();
    let path = line.split(' ').nth(1).unwrap_or_default();
    let host = request
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned));
    let address = format!("{}{path}", host.unwrap_or_default());
    heard.lock().unwrap().push(request);
    let page = pages.lock().unwrap().get(&address).cloned();
    let (status, lines, content) = match page {
        None => (404, "content-type: text/html\r\n".to_owned(), b"<p>nothing".to_vec()),
        Some(Page::Whole(status, lines, content)) => (status, lines, content),
        Some(Page::Elsewhere(address)) => (302, format!("location: {address}\r\n"), Vec::new()),
        Some(Page::Silence) => std::future::pending().await,
        Some(Page::Endless(piece, pause)) => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: image/svg+xml\r\n\r\n";
            drop(stream.write_all(head).await);
            while stream.write_all(&piece).await.is_ok() && stream.flush().await.is_ok() {
                tokio::time::sleep(pause).await;
            }
            return;
        }
    };
    let head = format!("HTTP/1.1 {status} x\r\n{lines}content-length: {}\r\n\r\n", content.len());
    drop(stream.write_all(head.as_bytes()).await);
    drop(stream.write_all(&content).await);
    drop(stream.shutdown().await);
}

fn identity(names: &[&str]) -> (ServerConfig, String) {
    let key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = root.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(root, key);
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (config, pem)
}
