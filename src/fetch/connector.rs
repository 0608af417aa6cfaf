//! Dials: names resolved, addresses checked, and a checked one dialled.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use tokio::net::TcpStream;
use tower_service::Service;

use super::{FetchError, Policy, Ports, Reach, Resolve, RootsError};
use crate::hostname::Hostname;

type Connected = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects to the origin of a URL, in bounded time. Cloning shares its settings.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    secure: HttpsConnector<Dialler>,
    within: Duration,
}

impl Connector {
    pub(super) fn new(policy: &Policy, resolve: Arc<dyn Resolve>) -> Result<Self, RootsError> {
        let refused = |error: rustls::Error| RootsError::Malformed(error.to_string());
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(policy.roots.store()?)
            .with_no_client_auth();
        let dialler = Dialler { reach: policy.reach, ports: policy.ports, resolve };
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
        let builder =
            if policy.is_plain_allowed { builder.https_or_http() } else { builder.https_only() };
        let secure = builder.enable_http1().enable_http2().wrap_connector(dialler);
        Ok(Self { secure, within: policy.connect })
    }
}

impl Service<Uri> for Connector {
    type Response = Connected;
    type Error = BoxError;
    type Future = Connecting<Connected>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.secure.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, within) = (self.secure.call(uri), self.within);
        Box::pin(async move {
            let connected = tokio::time::timeout(within, connecting).await;
            connected.unwrap_or_else(|_| Err(FetchError::TimedOut("connecting").into()))
        })
    }
}

#[derive(Clone, Debug)]
struct Dialler {
    reach: Reach,
    ports: Ports,
    resolve: Arc<dyn Resolve>,
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<TcpStream>;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, FetchError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let own = self.clone();
        Box::pin(async move { own.dial(&uri).await.map(TokioIo::new) })
    }
}

impl Dialler {
    async fn dial(&self, uri: &Uri) -> Result<TcpStream, FetchError> {
        let wrong = || FetchError::Url(uri.to_string());
        let host = uri.host().ok_or_else(wrong)?;
        let is_secure = uri.scheme_str() == Some("https");
        let port = match self.ports {
            Ports::Any => uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            Ports::Https(port) => port,
        };
        let addresses = self.addresses(host).await?;
        let mut failed = wrong();
        for address in addresses {
            // What is checked is what is dialled.
            if !self.reach.permits(address) {
                failed = FetchError::Forbidden(address);
                continue;
            }
            match connect(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse() {
            return Ok(vec![address]);
        }
        let name = Hostname::parse(host).map_err(|_| FetchError::Url(host.to_owned()))?;
        match self.resolve.resolve(&name).await {
            Ok(addresses) if addresses.is_empty() => Err(FetchError::Unaddressed(name)),
            Ok(addresses) => Ok(addresses),
            Err(reason) => Err(FetchError::Name { name, reason }),
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, FetchError> {
    let failed = |error: &dyn std::fmt::Display| FetchError::Connect(format!("{address}: {error}"));
    let connected = tokio::time::timeout(ONE_ADDRESS, TcpStream::connect(address)).await;
    let stream =
        connected.map_err(|_| failed(&"no answer in time"))?.map_err(|error| failed(&error))?;
    // Without this a small request waits for the other side's delayed acknowledgement: 44 ms.
    stream.set_nodelay(true).map_err(|error| failed(&error))?;
    Ok(stream)
}

/// How long one address may take, so that there is time for the next.
const ONE_ADDRESS: Duration = Duration::from_secs(3);
