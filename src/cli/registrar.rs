//! The store and the register in this process, while no node runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;
use tokio::runtime::Runtime;

use super::domain::{Asked, PAGE};
use crate::audit::schedule::Results;
use crate::clock::Clock;
use crate::config::Settings;
use crate::disk::{Access, Disk};
use crate::dns::{self, Lookup, Resolver};
use crate::domains::{Looker, Origin, Register, RegisterError};
use crate::drain::Drain;
use crate::metrics::Metrics;
use crate::store::{self, LocalStore, SealError, SealKey, StoreError};
use crate::tls::Names;

/// The store, and what is needed to use it.
pub(super) struct Own {
    register: Register,
    audits: Results,
    pub(super) store: LocalStore,
    drain: Drain,
    pub(super) runtime: Runtime,
}

/// Why the store could not be used from here.
#[derive(Debug, Error)]
pub(super) enum OwnError {
    /// The DNS cannot be asked.
    #[error(transparent)]
    Dns(#[from] dns::StartError),
    /// The folder could not be made.
    #[error("the data folder: {0}")]
    Folder(io::Error),
    /// The store could not be opened.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// Its thread could not be started.
    #[error(transparent)]
    Start(#[from] store::OpenError),
    /// Its key could not be read.
    #[error("store.seal_key_file {0}")]
    Seal(#[from] SealError),
    /// There is no store yet.
    #[error("there is no store {} yet: `waypost domain add`, or a node, makes it", .0.display())]
    Missing(PathBuf),
    /// The runtime could not be started.
    #[error("a thread could not be started: {0}")]
    Runtime(io::Error),
}

impl Own {
    /// Whether there is a store at all; none is made.
    pub(super) fn require(settings: &Settings, disk: &Arc<dyn Disk>) -> Result<(), OwnError> {
        let file = &settings.store.file;
        match disk.open(file, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(OwnError::Missing(file.clone()))
            }
            // Whatever else is wrong is told when it is opened.
            _ => Ok(()),
        }
    }

    /// Opens the store; another process must not have it.
    pub(super) fn open(
        settings: &Settings,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, OwnError> {
        disk.create_directory(&settings.node.data).map_err(OwnError::Folder)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(OwnError::Runtime)?;
        let (metrics, drain) = (Metrics::new(), Drain::new());
        let key = SealKey::load_or_make(&**disk, &settings.store.seal_key_file)?;
        // Nobody waits here for another process to end; a command says so and is given again.
        let config = store::Config { wait: Duration::ZERO, ..settings.store.clone() };
        let store = LocalStore::open(&config, key, Arc::clone(clock), &metrics, &drain)?;
        runtime.block_on(store.opened())?;
        let resolver = Resolver::new(settings.dns.clone(), &**disk, Arc::clone(clock), &metrics)?;
        let lookup: Arc<dyn Lookup> = Arc::new(resolver);
        let names = Names::of(&settings.tls);
        let register = Register::new(
            settings.domains.clone(),
            Arc::new(store.clone()),
            Looker::new(lookup, &settings.domains),
            Arc::new(move |name| names.has(name)),
            &settings.node.name,
            Arc::clone(clock),
        );
        let audits = Results::new(Arc::new(store.clone()));
        Ok(Self { register, audits, store, drain, runtime })
    }

    /// Answers as a node would.
    pub(super) fn ask(&self, asked: &Asked<'_>) -> Result<Value, RegisterError> {
        self.runtime.block_on(async {
            match asked {
                Asked::List { after, state } => {
                    Ok(self.register.list(after, PAGE, *state).await?.object())
                }
                Asked::Show(name) => {
                    let mut domain = self.register.show(name).await?;
                    domain["audit"] = self.audits.short(name).await?;
                    Ok(domain)
                }
                Asked::Remove(name) => self.register.remove(name).await,
                Asked::Check(name) => self.register.check(name).await,
                Asked::Add(additions) => {
                    let added = self.register.add(additions, Origin::Operator).await?;
                    Ok(json!({
                        "new": added.new,
                        "changed": added.changed,
                        "same": added.same,
                        "refused": added.refused,
                    }))
                }
            }
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.store.close();
        self.runtime.block_on(self.drain.finished(LET_GO));
    }
}

const LET_GO: Duration = Duration::from_secs(5);
