//! An authority in this process that misbehaves as it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::signing::{Leaf, Signing};
use super::wire::{Identity, listen};

/// How the authority behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Fair,
    /// It signs something else.
    Signs(Leaf),
    /// New orders get 429 and so many seconds to wait; its words name the name, or nobody.
    Limits { seconds: u64, is_of_name: bool },
    /// Everything gets 503 and so many seconds to wait.
    Busy(u64),
    /// Everything gets a balancer's page, with 502.
    BadGateway,
    /// Nothing is answered.
    Silent,
    /// No nonce is taken.
    BadNonce,
    /// No order that was finalized is ever done.
    Processes,
    /// No challenge is ever looked at.
    Dawdles,
    /// Orders are gone once they were placed.
    Forgets,
    /// A finalized order is valid, and says that it was not ready.
    FinalizedBefore,
    /// Tokens are no tokens.
    OddTokens,
    /// Challenges fail, whatever is found.
    Rejects,
    /// The account is not known.
    UnknownAccount,
    /// The certificate that an order replaces is another account's, it says (RFC 9773 §5).
    Disowns,
    /// It fails over an order that replaces a certificate.
    Stumbles,
    /// CAA forbids, it says.
    Caa,
}

/// The authority. Ends when it is dropped.
pub struct CruelCa {
    address: SocketAddr,
    identity: Identity,
    inner: Arc<Inner>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    base: String,
    http: SocketAddr,
    signing: Signing,
    state: Mutex<State>,
}

struct State {
    manner: Manner,
    nonces: BTreeSet<String>,
    count: u64,
    accounts: Vec<String>,
    orders: BTreeMap<u64, Order>,
    asked: Vec<(Instant, String)>,
}

struct Order {
    name: String,
    status: &'static str,
    challenge: &'static str,
    token: String,
    chain: String,
}

impl CruelCa {
    /// An authority that looks at `http` for answers to challenges.
    pub fn start(http: SocketAddr) -> Self {
        let (listener, address) = listen();
        let identity = Identity::new();
        let acceptor = TlsAcceptor::from(identity.server());
        let state = State {
            manner: Manner::Fair,
            nonces: BTreeSet::new(),
            count: 0,
            accounts: Vec::new(),
            orders: BTreeMap::new(),
            asked: Vec::new(),
        };
        let base = format!("https://{address}");
        let inner =
            Arc::new(Inner { base, http, signing: Signing::new(), state: Mutex::new(state) });
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

    /// Behaves so from now on.
    pub fn behave(&self, manner: Manner) {
        self.inner.state.lock().unwrap().manner = manner;
    }

    /// Forgets everything, as a test authority does that is started again.
    pub fn forget_all(&self) {
        let mut state = self.inner.state.lock().unwrap();
        state.accounts.clear();
        state.orders.clear();
        state.nonces.clear();
    }

    /// The paths that were asked for since the last time that somebody asked, and when.
    pub fn asked(&self) -> Vec<(Instant, String)> {
        std::mem::take(&mut self.inner.state.lock().unwrap().asked)
    }

    /// What its certificates are trusted by.
    pub fn root(&self) -> CertificateDer<'static> {
        self.inner.signing.root()
    }

    /// The table of `[[acme.issuer]]` for it, with files in `folder`, and further lines.
    pub fn issuer(&self, name: &str, folder: &Path, more: &str) -> String {
        let roots: PathBuf = folder.join(format!("{name}.pem"));
        std::fs::write(&roots, &self.identity.certificate_pem).unwrap();
        let address = self.address;
        let poll = if more.contains("poll_first") { "" } else { "poll_first = \"4ms\"" };
        format!(
            "[[acme.issuer]]\nname = \"{name}\"\ndirectory = \"https://{address}/directory\"\n\
             roots = {roots:?}\ncaa = [\"ca.test\"]\n{poll}\n{more}\n"
        )
    }
}

impl Drop for CruelCa {
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
                async move { Ok::<_, Infallible>(inner.answer(request).await) }
            });
            let builder = hyper::server::conn::http1::Builder::new();
            drop(builder.serve_connection(TokioIo::new(tls), service).await);
        });
    }
}

type Answer = Response<Full<Bytes>>;

impl Inner {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let manner = {
            let mut state = self.state.lock().unwrap();
            state.asked.push((Instant::now(), path.clone()));
            state.manner
        };
        let page = "<html><body>502 Bad Gateway</body></html>";
        let mut answer = match manner {
            Manner::Silent => std::future::pending().await,
            Manner::BadGateway => said(502, "text/html", page.to_owned()),
            Manner::Busy(seconds) => waiting(503, "serverInternal", "come back later", seconds),
            manner => self.act(&path, &body, manner),
        };
        let nonce = self.nonce();
        answer.headers_mut().insert("replay-nonce", nonce.parse().unwrap());
        answer
    }

    fn nonce(&self) -> String {
        let mut state = self.state.lock().unwrap();
        let nonce = BASE64.encode(uuid::Uuid::new_v4().as_bytes());
        state.nonces.insert(nonce.clone());
        nonce
    }

    fn act(self: &Arc<Self>, path: &str, body: &[u8], manner: Manner) -> Answer {
        let base = &self.base;
        if path == "/directory" {
            return object(
                200,
                &json!({
                    "newNonce": format!("{base}/nonce"),
                    "newAccount": format!("{base}/account"),
                    "newOrder": format!("{base}/order"),
                    "revokeCert": format!("{base}/revoke"),
                    "keyChange": format!("{base}/key"),
                    "renewalInfo": format!("{base}/renewal"),
                    "meta": {},
                }),
            );
        }
        if path == "/nonce" {
            return object(200, &json!({}));
        }
        let Some(signed) = Signed::read(body) else {
            return problem(400, "malformed", "this is not signed");
        };
        let mut state = self.state.lock().unwrap();
        if manner == Manner::BadNonce || !state.nonces.remove(&signed.nonce) {
            return problem(400, "badNonce", "the nonce is not one of ours");
        }
        if path == "/account" {
            state.count += 1;
            let account = format!("{base}/account/{}", state.count);
            state.accounts.push(account.clone());
            return located(201, &account, &json!({ "status": "valid" }));
        }
        if manner == Manner::UnknownAccount || !state.accounts.contains(&signed.account) {
            return problem(400, "accountDoesNotExist", "who are you?");
        }
        if path == "/order" {
            return self.order(&mut state, &signed, manner);
        }
        self.ordered(&mut state, path, &signed, manner)
    }

    fn order(&self, state: &mut State, signed: &Signed, manner: Manner) -> Answer {
        let name = signed.payload["identifiers"][0]["value"].as_str().unwrap().to_owned();
        if let Manner::Limits { seconds, is_of_name } = manner {
            let whose = if is_of_name { name.as_str() } else { "this account" };
            let words = format!("too many certificates already issued for {whose}");
            return waiting(429, "rateLimited", &words, seconds);
        }
        let replaces = signed.payload.get("replaces");
        match manner {
            Manner::Disowns if replaces.is_some() => {
                return problem(403, "unauthorized", "that certificate is not yours to replace");
            }
            Manner::Stumbles if replaces.is_some() => {
                return problem(500, "serverInternal", "no such certificate");
            }
            _ => {}
        }
        state.count += 1;
        let id = state.count;
        let token = match manner {
            Manner::OddTokens => "../../../etc/passwd".to_owned(),
            _ => BASE64.encode([uuid::Uuid::new_v4().into_bytes(); 2].concat()),
        };
        let (status, challenge, chain) = ("pending", "pending", String::new());
        state.orders.insert(id, Order { name, status, challenge, token, chain });
        let mut shown = self.shown(id, &state.orders[&id]);
        if let Some(replaces) = replaces {
            shown["replaces"] = replaces.clone();
        }
        located(201, &format!("{}/order/{id}", self.base), &shown)
    }

    /// What is asked of an order that is there.
    fn ordered(
        self: &Arc<Self>,
        state: &mut State,
        path: &str,
        signed: &Signed,
        manner: Manner,
    ) -> Answer {
        let mut parts = path.trim_start_matches('/').split('/');
        let what = parts.next().unwrap_or_default();
        let id: u64 = parts.next().and_then(|id| id.parse().ok()).unwrap_or_default();
        if manner == Manner::Forgets {
            state.orders.remove(&id);
        }
        let Some(order) = state.orders.get_mut(&id) else {
            return problem(404, "malformed", "there is no such order");
        };
        match what {
            "authorization" => return object(200, &self.authorization(id, order)),
            "challenge" => {
                order.challenge = "processing";
                let shown = self.challenge(id, order);
                if manner != Manner::Dawdles {
                    self.look(id, order.name.clone(), order.token.clone(), manner);
                }
                return object(200, &shown);
            }
            "finalize" if order.status != "ready" => {
                return problem(403, "orderNotReady", "the order is not ready");
            }
            "finalize" => self.finalize(order, signed, manner),
            "certificate" => {
                return said(200, "application/pem-certificate-chain", order.chain.clone());
            }
            _ => {}
        }
        if what == "finalize" && manner == Manner::FinalizedBefore {
            return problem(403, "orderNotReady", "the order is not ready");
        }
        if what == "finalize" && manner == Manner::Caa {
            return problem(403, "caa", "CAA record for example.test prevents issuance");
        }
        object(200, &self.shown(id, order))
    }

    fn finalize(&self, order: &mut Order, signed: &Signed, manner: Manner) {
        let request = BASE64.decode(signed.payload["csr"].as_str().unwrap()).unwrap();
        let leaf = if let Manner::Signs(leaf) = manner { leaf } else { Leaf::Right };
        order.chain = self.signing.sign(&request, &order.name, leaf);
        order.status = match manner {
            Manner::Processes => "processing",
            Manner::Caa => "invalid",
            _ => "valid",
        };
    }

    /// Looks at port 80 of the name, as an authority does.
    fn look(self: &Arc<Self>, id: u64, name: String, token: String, manner: Manner) {
        let own = Arc::clone(self);
        tokio::spawn(async move {
            let found = found(own.http, &name, &token).await.unwrap_or_default();
            let is_right = manner != Manner::Rejects
                && found.starts_with("HTTP/1.1 200 ")
                && found.contains(&format!("{token}."));
            let mut state = own.state.lock().unwrap();
            let Some(order) = state.orders.get_mut(&id) else { return };
            (order.challenge, order.status) =
                if is_right { ("valid", "ready") } else { ("invalid", "invalid") };
        });
    }

    fn shown(&self, id: u64, order: &Order) -> Value {
        let base = &self.base;
        let mut shown = json!({
            "status": order.status,
            "identifiers": [{ "type": "dns", "value": order.name }],
            "authorizations": [format!("{base}/authorization/{id}")],
            "finalize": format!("{base}/finalize/{id}"),
        });
        if order.status == "valid" {
            shown["certificate"] = json!(format!("{base}/certificate/{id}"));
        }
        shown
    }

    fn authorization(&self, id: u64, order: &Order) -> Value {
        let status = match order.challenge {
            "processing" => "pending",
            status => status,
        };
        json!({
            "status": status,
            "identifier": { "type": "dns", "value": order.name },
            "challenges": [self.challenge(id, order)],
        })
    }

    fn challenge(&self, id: u64, order: &Order) -> Value {
        let mut shown = json!({
            "type": "http-01",
            "url": format!("{}/challenge/{id}", self.base),
            "token": order.token,
            "status": order.challenge,
        });
        if order.challenge == "invalid" {
            let kind = format!("{KIND}unauthorized");
            shown["error"] =
                json!({ "type": kind, "detail": "what was found was wrong", "status": 403 });
        }
        shown
    }
}

/// A signed request, whose signature nobody checks.
struct Signed {
    nonce: String,
    account: String,
    payload: Value,
}

impl Signed {
    fn read(body: &[u8]) -> Option<Self> {
        let signed: Value = serde_json::from_slice(body).ok()?;
        let part = |name: &str| BASE64.decode(signed[name].as_str()?).ok();
        let protected: Value = serde_json::from_slice(&part("protected")?).ok()?;
        Some(Self {
            nonce: protected["nonce"].as_str()?.to_owned(),
            account: protected["kid"].as_str().unwrap_or_default().to_owned(),
            payload: serde_json::from_slice(&part("payload")?).unwrap_or_default(),
        })
    }
}

async fn found(http: SocketAddr, name: &str, token: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(http).await?;
    let request = format!(
        "GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nhost: {name}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.map_err(std::io::Error::other)??;
    Ok(answer)
}

fn said(status: u16, kind: &str, body: String) -> Answer {
    let answer = Response::builder().status(status).header("content-type", kind);
    answer.body(Full::new(Bytes::from(body))).unwrap()
}

fn object(status: u16, value: &Value) -> Answer {
    said(status, "application/json", value.to_string())
}

fn located(status: u16, location: &str, value: &Value) -> Answer {
    let mut answer = object(status, value);
    answer.headers_mut().insert("location", location.parse().unwrap());
    answer
}

fn problem(status: u16, kind: &str, detail: &str) -> Answer {
    let body = json!({ "type": format!("{KIND}{kind}"), "detail": detail, "status": status });
    said(status, "application/problem+json", body.to_string())
}

fn waiting(status: u16, kind: &str, detail: &str, seconds: u64) -> Answer {
    let mut answer = problem(status, kind, detail);
    answer.headers_mut().insert("retry-after", seconds.into());
    answer
}

const KIND: &str = "urn:ietf:params:acme:error:";
const PATIENCE: Duration = Duration::from_secs(10);
