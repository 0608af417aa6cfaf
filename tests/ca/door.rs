//! The door in front of a real authority.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::wire::{Identity, listen};

/// The door. Closes when it is dropped.
pub struct Door {
    address: SocketAddr,
    identity: Identity,
    inner: Arc<Inner>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    behind: SocketAddr,
    connector: TlsConnector,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    /// Held over requests that the authority must not be asked at the same time.
    one_at_a_time: tokio::sync::Mutex<()>,
    passed: Mutex<Vec<Passed>>,
    hold: Mutex<Option<Hold>>,
    released: Notify,
    /// Whether what was held up is lost.
    loses: AtomicBool,
}

/// A request that went through.
#[derive(Clone, Debug)]
pub struct Passed {
    pub method: String,
    pub path: String,
    pub status: u16,
    /// Whether the authority refused the nonce, as it does on purpose.
    pub is_bad_nonce: bool,
    /// The names that an order is for.
    pub body: String,
}

/// On which side of the authority a request is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It never gets there.
    Before,
    /// The answer never comes back.
    After,
}

struct Hold {
    path: String,
    side: Side,
    told: SyncSender<()>,
}

impl Door {
    /// A door to the authority at `behind`, which identifies itself by `trusted`.
    pub fn open(behind: SocketAddr, trusted: &Identity) -> Self {
        let (listener, address) = listen();
        let identity = Identity::new();
        let acceptor = TlsAcceptor::from(identity.server());
        let inner = Arc::new(Inner {
            behind,
            connector: TlsConnector::from(trusted.client()),
            idle: Mutex::default(),
            one_at_a_time: tokio::sync::Mutex::default(),
            passed: Mutex::default(),
            hold: Mutex::default(),
            released: Notify::new(),
            loses: AtomicBool::new(false),
        });
        let stop = Arc::new(Notify::new());
        let (own, stopping) = (Arc::clone(&inner), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = stopping.notified() => {}
                    () = serve(listener, acceptor, own) => {}
                }
            });
        });
        Self { address, identity, inner, stop, thread: Some(thread) }
    }

    /// The URL of the authority's directory.
    pub fn directory(&self) -> String {
        format!("https://{}/dir", self.address)
    }

    /// What a client is to trust, in PEM.
    pub fn root(&self) -> &str {
        &self.identity.certificate_pem
    }

    /// What went through since the last time that somebody asked.
    pub fn passed(&self) -> Vec<Passed> {
        std::mem::take(&mut *self.inner.passed.lock().unwrap())
    }

    /// Holds up the next request whose path begins so; tells when it is there.
    pub fn hold(&self, path: &str, side: Side) -> Receiver<()> {
        let (told, reached) = sync_channel(1);
        *self.inner.hold.lock().unwrap() = Some(Hold { path: path.to_owned(), side, told });
        reached
    }

    /// Lets go of what is held up.
    pub fn release(&self) {
        self.end(false);
    }

    /// Loses what is held up.
    pub fn lose(&self) {
        self.end(true);
    }

    fn end(&self, loses: bool) {
        self.inner.loses.store(loses, Ordering::SeqCst);
        *self.inner.hold.lock().unwrap() = None;
        self.inner.released.notify_waiters();
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, inner: Arc<Inner>) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else { continue };
        tcp.set_nodelay(true).unwrap();
        let (acceptor, inner) = (acceptor.clone(), Arc::clone(&inner));
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            let service = service_fn(move |request| {
                let inner = Arc::clone(&inner);
                async move { Ok::<_, Infallible>(inner.pass(request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(tls), service);
            drop(connection.await);
        });
    }
}

impl Inner {
    async fn pass(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        let text = payload(&body);
        if self.stop_at(&path, Side::Before).await {
            return Response::builder().status(502).body(Full::default()).unwrap();
        }
        let is_delicate = path.starts_with("/order-plz") || path.starts_with("/authZ/");
        let turn = if is_delicate { Some(self.one_at_a_time.lock().await) } else { None };
        let answer = self.forward(Request::from_parts(parts, Full::new(body))).await;
        drop(turn);
        let status = answer.status().as_u16();
        let is_bad_nonce = status == 400 && {
            let body = answer.body().clone().collect().await.unwrap().to_bytes();
            String::from_utf8_lossy(&body).contains(":badNonce")
        };
        let passed = Passed { method, path: path.clone(), status, is_bad_nonce, body: text };
        self.passed.lock().unwrap().push(passed);
        self.stop_at(&path, Side::After).await;
        answer
    }

    /// Holds up a request that is to be; says whether it is then lost.
    async fn stop_at(&self, path: &str, side: Side) -> bool {
        let released = self.released.notified();
        {
            let hold = self.hold.lock().unwrap();
            let Some(hold) = &*hold else { return false };
            if hold.side != side || !path.starts_with(&hold.path) {
                return false;
            }
            // Whoever waits may have been told already.
            hold.told.try_send(()).unwrap_or_default();
        }
        released.await;
        self.loses.load(Ordering::SeqCst)
    }

    async fn forward(&self, mut request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
        let host = request.headers().get(HOST).cloned();
        request.headers_mut().insert(HOST, host.unwrap());
        let mut sender = self.sender().await;
        let answer = match sender.send_request(request).await {
            Ok(answer) => answer,
            Err(error) => {
                let told = Full::new(Bytes::from(error.to_string()));
                return Response::builder().status(502).body(told).unwrap();
            }
        };
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        self.idle.lock().unwrap().push(sender);
        Response::from_parts(parts, Full::new(body))
    }

    async fn sender(&self) -> SendRequest<Full<Bytes>> {
        loop {
            let kept = self.idle.lock().unwrap().pop();
            let Some(mut kept) = kept else { break };
            if kept.ready().await.is_ok() {
                return kept;
            }
        }
        let tcp = TcpStream::connect(self.behind).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tls = self.connector.connect(name, tcp).await.unwrap();
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

/// What a signed request says, as text.
fn payload(body: &[u8]) -> String {
    use base64::Engine as _;
    let signed: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let payload = signed["payload"].as_str().unwrap_or_default();
    let decoded = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    String::from_utf8_lossy(&decoded).into_owned()
}
