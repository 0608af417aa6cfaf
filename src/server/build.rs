//! Makes the parts of a node from its settings.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::hostnames::Hostnames;
use super::node::World;
use crate::admin;
use crate::config::Settings;
use crate::dns;
use crate::edge;
use crate::event::{AddressForm, AddressKey, AddressKeyError, Encoder};
use crate::hostname::Hostname;
use crate::journal;
use crate::metrics::Metrics;
use crate::shipper;
use crate::store::{self, SealError, SealKey, SealedFile};
use crate::tls::{self, AuthorityError, Certificates, ThrowawayAuthority};
use crate::token::{Keyring, KeyringError};

/// Why a node could not start: the operator's to mend.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The key that hashes addresses is no key.
    #[error("events.address_key_file {}: {source}", file.display())]
    AddressKey {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: AddressKeyError,
    },
    /// The operator's door could not be opened.
    #[error("the operator's door: {0}")]
    Admin(#[from] admin::BindError),
    /// The throw-away authority could not be made.
    #[error("the throw-away CA: {0}")]
    Authority(#[from] AuthorityError),
    /// An address could not be bound.
    #[error(transparent)]
    Bind(#[from] edge::BindError),
    /// The certificates cannot be served.
    #[error(transparent)]
    Certificates(#[from] tls::StartError),
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another node has the data folder.
    #[error("{} is in use: another node runs on this data folder", .0.display())]
    InUse(PathBuf),
    /// The journal could not be opened.
    #[error(transparent)]
    Journal(#[from] journal::OpenError),
    /// The keys could not be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The DNS cannot be asked.
    #[error(transparent)]
    Dns(#[from] dns::StartError),
    /// The store's thread could not be started.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The journal cannot be shipped.
    #[error(transparent)]
    Shipper(#[from] shipper::StartError),
    /// Nothing can be sealed.
    #[error("store.seal_key_file {0}")]
    Seal(#[from] SealError),
    /// A thread or a runtime could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(io::Error),
    /// The certificate of the operator's door cannot be served.
    #[error("admin.chain: {0}")]
    AdminCertificate(tls::FilesError),
}

/// What the node needs before any door opens.
pub(super) struct Parts {
    pub(super) keyring: Keyring,
    pub(super) certificates: Certificates,
    pub(super) encoder: Arc<Encoder>,
    pub(super) seal_key: SealKey,
    /// The throw-away authority's certificate, for those who are to trust it.
    pub(super) authority_file: Option<PathBuf>,
}

impl Parts {
    /// Reads keys and certificates. `throwaway` are the names that a throw-away authority in the
    /// data folder answers for.
    pub(super) fn read(
        settings: &Settings,
        world: &World,
        throwaway: &[Hostname],
        metrics: &Metrics,
    ) -> Result<Self, ServeError> {
        let disk = &world.disk;
        let keyring = Keyring::load(Arc::clone(disk), &settings.links.keys)?;
        let now = world.clock.wall();
        let authority = if throwaway.is_empty() {
            None
        } else {
            let folder = settings.node.data.join("ca");
            disk.create_directory(&folder)
                .map_err(|source| ServeError::File { path: folder.clone(), source })?;
            Some(ThrowawayAuthority::open(&**disk, &folder, throwaway.to_vec(), now)?)
        };
        let authority_file = authority.as_ref().map(|authority| authority.path().to_owned());
        let clock = Arc::clone(&world.clock);
        let seal_key = SealKey::load_or_make(&**disk, &settings.store.seal_key_file)?;
        let tickets = SealedFile {
            path: settings.node.data.join("tickets"),
            purpose: "tickets",
            key: seal_key.clone(),
            disk: Arc::clone(disk),
        };
        let certificates = Certificates::open(
            &settings.tls,
            authority,
            tickets,
            Arc::clone(disk),
            clock,
            metrics,
        )?;
        if !settings.edge.https.is_empty() {
            certificates.require_one()?;
        }
        let key = address_key(settings, world)?;
        let encoder = Encoder::new(settings.events.clone(), key, &settings.node.name);
        let encoder = Arc::new(encoder);
        Ok(Self { keyring, certificates, encoder, seal_key, authority_file })
    }
}

impl Parts {
    /// What the public door uses.
    pub(super) fn holdings(&self, world: &World, hostnames: &Hostnames) -> edge::Holdings {
        let visited = hostnames.porter.clone();
        let certifier = hostnames.certifier.clone();
        let challenges = certifier.as_ref().map(|certifier| certifier.challenges().clone());
        edge::Holdings {
            certificates: self.certificates.clone(),
            keyring: self.keyring.clone(),
            encoder: Arc::clone(&self.encoder),
            clock: Arc::clone(&world.clock),
            challenges: Arc::new(move |host, token| challenges.as_ref()?.answer(host, token)),
            visits: Arc::new(move |name| match certifier.clone() {
                None => {
                    visited.visit(name);
                    None
                }
                Some(_) if visited.refuses(name) => None,
                Some(certifier) => {
                    let name = name.clone();
                    Some(Box::pin(async move { drop(certifier.visit(&name).await) }))
                }
            }),
        }
    }
}

/// The bearer token of the operator's door, if one is set.
pub(super) fn admin_token(
    settings: &Settings,
    world: &World,
) -> Result<Option<Vec<u8>>, ServeError> {
    let Some(file) = &settings.admin.token_file else { return Ok(None) };
    let content = secret(file, world)?;
    let token = content.trim_ascii().to_vec();
    if token.len() < MIN_TOKEN {
        let told = format!("the token has {} bytes, expected at least {MIN_TOKEN}", token.len());
        let source = io::Error::new(io::ErrorKind::InvalidData, told);
        return Err(ServeError::File { path: file.clone(), source });
    }
    Ok(Some(token))
}

/// The key that hashes addresses, if they are hashed.
pub(super) fn address_key(
    settings: &Settings,
    world: &World,
) -> Result<Option<AddressKey>, ServeError> {
    let named = &settings.events.address_key_file;
    let (Some(file), AddressForm::Hashed) = (named, settings.events.address) else {
        return Ok(None);
    };
    let key = AddressKey::parse(&secret(file, world)?);
    key.map(Some).map_err(|source| ServeError::AddressKey { file: file.clone(), source })
}

fn secret(file: &Path, world: &World) -> Result<Vec<u8>, ServeError> {
    let read = world.disk.read(file, MAX_SECRET);
    read.map_err(|source| ServeError::File { path: file.to_owned(), source })
}

const MAX_SECRET: u64 = 4_096;
const MIN_TOKEN: usize = 16;
