//! The customers' hostnames of a running node: the store, the register, the gate, and what works
//! beside them.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::build::{Parts, ServeError};
use super::node::World;
use super::{audits, certification, own_name, refusals, transitions};
use crate::acme::Certifier;
use crate::audit::domain::Auditor;
use crate::audit::schedule::{Demand, Results};
use crate::config::Settings;
use crate::disk::{Disk, Reading};
use crate::dns::{Lookup, Resolver};
use crate::domains::{self, Addition, Looker, Origin, Porter, Register};
use crate::drain::Drain;
use crate::journal::Intake;
use crate::metrics::Metrics;
use crate::store::{LocalStore, Store};
use crate::tls::Certificates;

/// The customers' hostnames of a running node.
#[derive(Debug)]
pub(super) struct Hostnames {
    pub(super) porter: Porter,
    pub(super) certifier: Option<Certifier>,
    pub(super) auditor: Auditor,
    store: LocalStore,
    certificates: Certificates,
    drain: Drain,
}

impl Hostnames {
    /// Opens the store beside everything else: links of names whose certificates are in files
    /// need nothing of it.
    pub(super) fn start(
        settings: &Settings,
        world: &World,
        parts: &Parts,
        metrics: &Metrics,
        drain: &Drain,
    ) -> Result<Self, ServeError> {
        let clock = Arc::clone(&world.clock);
        let own = Drain::new();
        let key = parts.seal_key.clone();
        let store = LocalStore::open(&settings.store, key, Arc::clone(&clock), metrics, &own)?;
        let dns = settings.dns.clone();
        let resolver = Resolver::new(dns, &*world.disk, Arc::clone(&clock), metrics)?;
        let lookup: Arc<dyn Lookup> = Arc::new(resolver);
        let looker = Looker::new(Arc::clone(&lookup), &settings.domains);
        let auditor = audits::of_node(settings, world, Arc::clone(&lookup));
        let certificates = parts.certificates.clone();
        let register = Register::new(
            settings.domains.clone(),
            Arc::new(store.clone()),
            looker,
            Arc::new(move |name| certificates.serves(name)),
            &settings.node.name,
            clock,
        );
        let (porter, poller) = Porter::start(register, metrics, drain);
        poller.start(drain);
        let kept: Arc<dyn Store> = Arc::new(store.clone());
        parts.certificates.attach(Arc::clone(&kept));
        let witnesses = (&porter, kept, lookup);
        let certifier = certification::start(settings, world, parts, witnesses, metrics, drain)?;
        let certificates = parts.certificates.clone();
        Ok(Self { porter, certifier, auditor, store, certificates, drain: own })
    }

    /// Begins to bring events into the journal and names out of files.
    pub(super) async fn work(
        &self,
        settings: &Settings,
        world: &World,
        intake: &Intake,
        drain: &Drain,
    ) {
        let register = self.porter.register();
        let store: Arc<dyn Store> = Arc::new(self.store.clone());
        transitions::follow(register, store, intake, drain);
        refusals::keep(&self.porter, world, &settings.node.data, drain).await;
        own_name::list(settings, register, (&self.store, &self.certificates), drain);
        if settings.domains.files.is_empty() {
            return;
        }
        let import = Import {
            files: settings.domains.files.clone(),
            seen: settings.node.data.join("names.seen"),
            disk: Arc::clone(&world.disk),
            register: register.clone(),
            store: self.store.clone(),
        };
        let ending = drain.clone();
        drain.spawn(async move {
            tokio::select! {
                () = import.run() => {}
                () = ending.ending() => {}
            }
        });
    }

    /// Begins to audit, once links are answered.
    pub(super) fn audit(
        &self,
        settings: &Settings,
        world: &World,
        metrics: &Metrics,
        drain: &Drain,
    ) -> Option<Demand> {
        let store: Arc<dyn Store> = Arc::new(self.store.clone());
        let parts = (&self.auditor, self.porter.register(), store);
        audits::start(settings, world, parts, metrics, drain)
    }

    /// What audits found.
    pub(super) fn results(&self) -> Results {
        Results::new(Arc::new(self.store.clone()))
    }

    /// Lets go of the store, so that the process that comes after can have it while this one
    /// still answers.
    pub(super) async fn let_go(&self) {
        self.store.close();
        if self.drain.finished(LET_GO).await > 0 {
            tracing::warn!("the store is still busy");
        }
    }
}

/// Names out of files, at start.
struct Import {
    files: Vec<PathBuf>,
    /// Where it is remembered which contents were read to their ends.
    seen: PathBuf,
    disk: Arc<dyn Disk>,
    register: Register,
    store: LocalStore,
}

impl Import {
    async fn run(self) {
        // The store may still be another process's for a while.
        while self.store.opened().await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
        let (disk, seen) = (Arc::clone(&self.disk), self.seen.clone());
        let known = blocking(move || disk.read(&seen, MAX_SEEN)).await.unwrap_or_default();
        let known = String::from_utf8_lossy(&known).into_owned();
        let mut now = String::new();
        for file in &self.files {
            let (disk, path) = (Arc::clone(&self.disk), file.clone());
            let sum = match blocking(move || checksum(&*disk, &path)).await {
                Ok(sum) => sum,
                Err(error) => {
                    tracing::error!(file = %file.display(), %error, "names could not be read");
                    continue;
                }
            };
            let line = format!("{sum:08x} {}\n", file.display());
            if known.contains(&line) || self.read(file).await {
                now.push_str(&line);
            }
        }
        let (disk, seen) = (Arc::clone(&self.disk), self.seen.clone());
        if now != known
            && let Err(error) = blocking(move || disk.write_whole(&seen, now.as_bytes())).await
        {
            tracing::warn!(%error, "what was read is not remembered: it is read again next time");
        }
    }

    /// Reads a file to its end; false when the store failed.
    async fn read(&self, file: &Path) -> bool {
        let (batches, mut waiting) = mpsc::channel::<Vec<Addition>>(2);
        let (disk, path) = (Arc::clone(&self.disk), file.to_owned());
        let reading = blocking(move || batched(&*disk, &path, &batches));
        let adding = async {
            let (mut new, mut read) = (0, 0);
            while let Some(batch) = waiting.recv().await {
                read += batch.len() as u64;
                let added = loop {
                    match self.register.add(&batch, Origin::File).await {
                        Ok(added) => break added,
                        Err(error) => {
                            tracing::warn!(%error, "names of a file wait for the store");
                            tokio::time::sleep(AGAIN).await;
                        }
                    }
                };
                new += added.new;
                if read % TELL_EVERY < batch.len() as u64 {
                    tracing::info!(file = %file.display(), read, new, "reading names");
                }
            }
            (read, new)
        };
        let (wrong, (read, new)) = tokio::join!(reading, adding);
        match wrong {
            Ok(wrong) => {
                tracing::info!(file = %file.display(), read, new, wrong, "names were read");
                true
            }
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "names could not be read");
                false
            }
        }
    }
}

/// Sends the names of a file in batches; returns how many lines were wrong. Blocks.
fn batched(disk: &dyn Disk, path: &Path, batches: &mpsc::Sender<Vec<Addition>>) -> io::Result<u64> {
    let mut wrong = 0;
    let mut batch = Vec::with_capacity(BATCH);
    for line in domains::names(BufReader::with_capacity(BLOCK, Reading::begin(disk, path)?)) {
        match line {
            Ok(addition) => batch.push(addition),
            Err(domains::FileError::Read(_, error)) => return Err(error),
            Err(error) => {
                wrong += 1;
                if wrong <= TOLD_LINES {
                    tracing::warn!(file = %path.display(), %error, "a line is left out");
                }
            }
        }
        if batch.len() == BATCH {
            let whole = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            batches.blocking_send(whole).map_err(io::Error::other)?;
        }
    }
    if !batch.is_empty() {
        batches.blocking_send(batch).map_err(io::Error::other)?;
    }
    Ok(wrong)
}

fn checksum(disk: &dyn Disk, path: &Path) -> io::Result<u32> {
    let mut text = Reading::begin(disk, path)?;
    let (mut block, mut sum) = (vec![0; BLOCK], 0);
    loop {
        match text.read(&mut block)? {
            0 => return Ok(sum),
            count => sum = crc32c::crc32c_append(sum, &block[..count]),
        }
    }
}

/// Runs what blocks beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

const LET_GO: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_secs(1);
const BATCH: usize = 2_000;
const BLOCK: usize = 256 << 10;
const MAX_SEEN: u64 = 1 << 20;
const TELL_EVERY: u64 = 100_000;
/// Wrong lines that are told one by one; the others are counted.
const TOLD_LINES: u64 = 20;
