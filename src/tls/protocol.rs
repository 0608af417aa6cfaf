//! The protocol settings that all certificates share.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::Version;
use super::tickets::Tickets;

/// What every [`ServerConfig`] is made of, besides its certificate.
#[derive(Clone, Debug)]
pub(super) struct Protocol {
    base: Arc<ServerConfig>,
}

impl Protocol {
    /// Settings that accept `oldest` and newer; without `tickets` no session is resumed.
    pub(super) fn new(oldest: Version, tickets: Option<Tickets>) -> Result<Self, rustls::Error> {
        let mut base = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(oldest))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Nobody));
        base.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // The default keeps 256 sessions behind one lock; tickets need no memory of ours. One
        // ticketer may serve all names: rustls resumes only under the name it first saw.
        base.session_storage = Arc::new(NoServerSessionStorage {});
        if let Some(tickets) = tickets {
            base.ticketer = Arc::new(tickets);
        }
        // Sending none costs a client 40 ms: its Nagle waits for our delayed acknowledgement.
        base.send_tls13_tickets = 1;
        // A click is not idempotent, so nothing is taken from a replayable first flight.
        base.max_early_data_size = 0;
        Ok(Self { base: Arc::new(base) })
    }

    /// The configuration that serves `key`.
    pub(super) fn serving(&self, key: CertifiedKey) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(&self.base);
        config.cert_resolver = Arc::new(SingleCertAndKey::from(key));
        Arc::new(config)
    }
}

/// The one provider of cryptography in the process.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn versions(oldest: Version) -> &'static [&'static SupportedProtocolVersion] {
    match oldest {
        Version::Tls12 => SINCE_TLS12,
        Version::Tls13 => SINCE_TLS13,
    }
}

/// Stands in until a certificate is put in its place.
#[derive(Debug)]
struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

static SINCE_TLS12: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
static SINCE_TLS13: &[&SupportedProtocolVersion] = &[&TLS13];
