//! The certification of names in a running node: the ways to the authorities, and what is done
//! with what they give.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::build::{Parts, ServeError};
use super::node::World;
use super::web::Addresses;
use crate::acme::{self, Certifier, ExternalSecret, IssuerConfig};
use crate::config::Settings;
use crate::disk::Disk;
use crate::dns::{Lookup, Name};
use crate::domains::Porter;
use crate::drain::Drain;
use crate::fetch::{Client, Codings, Policy, Ports, Reach, Redirects, Resolve, Resolving, Roots};
use crate::hostname::Hostname;
use crate::metrics::Metrics;
use crate::store::Store;

/// Starts to certify, when there is an authority to ask.
pub(super) fn start(
    settings: &Settings,
    world: &World,
    parts: &Parts,
    (porter, store, lookup): (&Porter, Arc<dyn Store>, Arc<dyn Lookup>),
    metrics: &Metrics,
    drain: &Drain,
) -> Result<Option<Certifier>, ServeError> {
    if settings.acme.issuers.is_empty() {
        return Ok(None);
    }
    let resolve: Arc<dyn Resolve> = Arc::new(Addresses(Arc::clone(&lookup)));
    let data = settings.node.data.clone();
    let mut issuers = Vec::new();
    for issuer in &settings.acme.issuers {
        let roots = match &issuer.roots {
            None => Roots::Public,
            Some(file) => roots(&*world.disk, file).map_err(|why| refused(file, why))?,
        };
        let secret = match &issuer.eab_key_file {
            None => None,
            Some(file) => Some(external(&*world.disk, file).map_err(|why| refused(file, why))?),
        };
        let client = Client::new(policy(issuer, roots), Arc::clone(&resolve));
        let client = client.map_err(|error| {
            refused(issuer.roots.as_deref().unwrap_or(&data), error.to_string())
        })?;
        issuers.push((issuer.clone(), client, secret));
    }
    let target = settings.domains.target.as_ref().map(Name::from);
    let resolve = Arc::new(OwnResolver { lookup: Arc::clone(&lookup), target });
    let own = Client::new(own_port(), resolve);
    let own = own.map_err(|error| refused(&data, error.to_string()))?;
    let parts = acme::Parts {
        porter: porter.clone(),
        store,
        lookup,
        issuers,
        own,
        certificates: parts.certificates.clone(),
        clock: Arc::clone(&world.clock),
    };
    Ok(Some(Certifier::start(&settings.acme, parts, metrics, drain)))
}

/// The roots in a PEM file. Blocks.
pub(super) fn roots(disk: &dyn Disk, file: &Path) -> Result<Roots, String> {
    let pem = disk.read(file, MAX_ROOTS).map_err(|error| error.to_string())?;
    Roots::parse(&pem).map_err(|error| error.to_string())
}

/// The MAC key of an external account. Blocks.
pub(super) fn external(disk: &dyn Disk, file: &Path) -> Result<ExternalSecret, String> {
    let text =
        disk.read(file, MAX_SECRET).map(Zeroizing::new).map_err(|error| error.to_string())?;
    let unpadded = text.trim_ascii().trim_ascii_end();
    let end = unpadded.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    let key = BASE64_URL_SAFE_NO_PAD.decode(&unpadded[..end]);
    let key = key.map_err(|_| "expected a key in base64url".to_owned())?;
    if key.len() < MIN_SECRET {
        return Err(format!("the key has {} bytes, expected at least {MIN_SECRET}", key.len()));
    }
    Ok(ExternalSecret(Zeroizing::new(key)))
}

/// The way to an authority that the operator configured: it may be on this machine.
fn policy(issuer: &IssuerConfig, roots: Roots) -> Policy {
    Policy {
        reach: Reach::Inside,
        roots,
        is_plain_allowed: false,
        ports: Ports::Any,
        redirects: Redirects::AtMost(3),
        codings: Codings::Identity,
        content: MAX_ANSWER,
        idle: KEPT_CONNECTIONS,
        connect: CONNECT.min(issuer.timeout),
        step: issuer.timeout,
        total: issuer.timeout,
    }
}

/// The way to our own port 80, by a customer's name.
fn own_port() -> Policy {
    Policy {
        reach: Reach::Inside,
        roots: Roots::Public,
        is_plain_allowed: true,
        ports: Ports::Any,
        redirects: Redirects::None,
        codings: Codings::Identity,
        content: MAX_PROBE,
        idle: 0,
        connect: PROBE,
        step: PROBE,
        total: PROBE,
    }
}

fn refused(file: &Path, why: String) -> ServeError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    ServeError::File { path: file.to_owned(), source }
}

/// The DNS, as our own port 80 is asked through it: a customer's name is dialled where the target is too, and nowhere
/// else. Whoever publishes the name decides where it leads, and must not decide what of the inside
/// we talk to.
#[derive(Debug)]
struct OwnResolver {
    lookup: Arc<dyn Lookup>,
    target: Option<Name>,
}

impl Resolve for OwnResolver {
    fn resolve(&self, name: &Hostname) -> Resolving<'_> {
        let name = Name::from(name);
        Box::pin(async move {
            let Some(target) = &self.target else { return Ok(Vec::new()) };
            let (found, own) =
                tokio::join!(self.lookup.addresses(&name), self.lookup.addresses(target));
            let mut found = found.map_err(|failure| failure.to_string())?;
            let own = own.map_err(|failure| format!("{failure} ({target})"))?;
            found.retain(|address| own.contains(address));
            if found.is_empty() {
                return Err(format!("it has no address of {target}"));
            }
            Ok(found)
        })
    }
}

/// Bytes of an authority's answer; a chain of certificates is some thousands.
const MAX_ANSWER: usize = 256 << 10;
const MAX_PROBE: usize = 1 << 10;
const KEPT_CONNECTIONS: usize = 8;
const MAX_ROOTS: u64 = 4 << 20;
const MAX_SECRET: u64 = 4_096;
const MIN_SECRET: usize = 16;
const CONNECT: Duration = Duration::from_secs(10);
const PROBE: Duration = Duration::from_secs(3);
