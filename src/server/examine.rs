//! What a start would find wrong, without starting: nothing is bound, made or written.

use std::io;
use std::path::Path;

use super::audits;
use super::build;
use super::certification;
use super::node::World;
use crate::config::Settings;
use crate::disk::{Access, Disk};
use crate::store::SealKey;
use crate::tls::{self, FilesError, Unusable};
use crate::token::Keyring;

/// Something that a node would not start with, or would leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The key of the configuration file.
    pub key: &'static str,
    /// Which table, for keys in an array of tables.
    pub table: usize,
    /// What is wrong.
    pub reason: String,
}

/// Reads what a start would read. Blocks.
pub fn examine(settings: &Settings, world: &World) -> Vec<Objection> {
    let mut objections = Vec::new();
    let mut object = |key, table, reason| objections.push(Objection { key, table, reason });
    let disk = &*world.disk;
    for (table, error) in tls::examine(&settings.tls, disk, world.clock.wall()) {
        object(key_of(settings, table, &error), table, error.to_string());
    }
    if let (Some(chain), Some(key)) = (&settings.admin.chain, &settings.admin.key)
        && let Err(error) = tls::single(disk, chain, key, world.clock.wall())
    {
        object("admin.chain", 0, error.to_string());
    }
    if let Err(error) = build::admin_token(settings, world) {
        object("admin.token_file", 0, error.to_string());
    }
    if let Err(error) = build::address_key(settings, world) {
        object("events.address_key_file", 0, error.to_string());
    }
    for (table, issuer) in settings.acme.issuers.iter().enumerate() {
        if let Some(Err(reason)) = issuer.roots.as_ref().map(|f| certification::roots(disk, f)) {
            object("acme.issuer.roots", table, reason);
        }
        let secret = issuer.eab_key_file.as_ref().map(|f| certification::external(disk, f));
        if let Some(Err(reason)) = secret {
            object("acme.issuer.eab_key_file", table, reason);
        }
    }
    for file in &settings.audit.mark_roots {
        if let Err(reason) = audits::authorities(disk, file) {
            object("audit.mark_roots", 0, format!("{} {reason}", file.display()));
        }
    }
    for file in &settings.domains.files {
        if let Err(error) = disk.open(file, Access::Read) {
            object("domains.files", 0, format!("{} cannot be read: {error}", file.display()));
        }
    }
    let seal_key = &settings.store.seal_key_file;
    let folders = [
        ("node.data", Some(settings.node.data.as_path())),
        ("journal.directory", Some(settings.journal.directory.as_path())),
        ("links.keys", Some(settings.links.keys.as_path())),
        ("store.seal_key_file", seal_key.parent()),
    ];
    for (key, folder) in folders {
        if let Some(reason) = folder.and_then(|folder| no_folder(disk, folder)) {
            object(key, 0, reason);
        }
    }
    // Both are made when they are missing, which is not for us to do.
    if disk.read(seal_key, u64::MAX).is_ok()
        && let Err(error) = SealKey::load_or_make(disk, seal_key)
    {
        object("store.seal_key_file", 0, error.to_string());
    }
    if disk.list(&settings.links.keys).is_ok() {
        match Keyring::load(world.disk.clone(), &settings.links.keys) {
            Ok(keyring) => {
                for fault in keyring.faults() {
                    let (file, reason) = (fault.file.display(), fault.reason);
                    object("links.keys", 0, format!("{file}: {reason}"));
                }
            }
            Err(error) => object("links.keys", 0, error.to_string()),
        }
    }
    objections
}

/// The key that names what is wrong with a pair of files.
fn key_of(settings: &Settings, table: usize, error: &FilesError) -> &'static str {
    let is_key = |path: &Path| settings.tls.certificates.get(table).is_some_and(|f| f.key == path);
    match error {
        FilesError::Read { path, .. } if is_key(path) => "tls.certificate.key",
        FilesError::Unusable { error: Unusable::Key(_) | Unusable::OtherKey, .. } => {
            "tls.certificate.key"
        }
        FilesError::Unusable { error: Unusable::NotFor(_), .. } => "tls.certificate.hosts",
        _ => "tls.certificate.chain",
    }
}

/// Why a folder is none and cannot be made one; `None` when nothing speaks against it.
fn no_folder(disk: &dyn Disk, folder: &Path) -> Option<String> {
    for folder in folder.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        match disk.list(folder) {
            Ok(_) => return None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                // The file itself is further up, or this.
                return Some(format!("{} is no folder: {error}", folder.display()));
            }
            Err(error) => return Some(format!("{}: {error}", folder.display())),
        }
    }
    None
}
