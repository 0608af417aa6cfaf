//! The one place where these tests call the library instead of the process.

use std::path::Path;
use std::sync::Arc;

use waypost::disk::Disk;

use super::click::Click;

/// Mints tokens with the keys of a folder.
pub struct Mint;

impl Mint {
    /// Reads the keys of `folder`; makes one when there is none.
    pub fn new(folder: &Path) -> Self {
        unimplemented!("no keys in {} yet: tokens are not built", folder.display())
    }

    /// The token of a click's link.
    pub fn token(&self, click: &Click) -> String {
        unimplemented!("no token for {} yet: tokens are not built", click.link.message)
    }
}

/// Runs a node in this process, on a disk of the test's own, until it is asked to end.
pub fn serve_on(disk: Arc<dyn Disk>, configuration: &Path) {
    unimplemented!("nothing serves {} on {disk:?} yet", configuration.display())
}
