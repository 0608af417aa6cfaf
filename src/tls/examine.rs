//! What is wrong with certificates in files, without serving them.

use super::Config;
use super::files::{FilesError, bytes, load};
use super::protocol::provider;
use crate::clock::Timestamp;
use crate::disk::Disk;

/// Every pair of files that would be left out at `now`: its place among the configured ones, and
/// why. Blocks.
pub fn examine(config: &Config, disk: &dyn Disk, now: Timestamp) -> Vec<(usize, FilesError)> {
    let provider = provider();
    let pairs = config.certificates.iter().enumerate();
    let pairs = pairs.filter(|(_, files)| !files.chain.as_os_str().is_empty());
    let mut found = Vec::new();
    for (at, files) in pairs {
        match load(disk, files) {
            Ok(pair) => {
                found.extend(pair.verify(files, now, &provider).err().map(|error| (at, error)));
            }
            Err(_) => {
                let read = [&files.chain, &files.key].map(|path| bytes(disk, path));
                found.extend(read.into_iter().filter_map(Result::err).map(|error| (at, error)));
            }
        }
    }
    found
}
