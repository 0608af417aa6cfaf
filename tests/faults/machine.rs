//! A machine whose disk has a volatile cache, and loses power.
//!
//! The node's file system lies in an image on a second file system, which lies in an image too.
//! What the node writes past the system's memory reaches the second one's memory, which plays the
//! part of a disk's volatile cache: only a sync takes it from there into the outer image. So a
//! copy of the outer image, taken while the node is stopped, holds what had been synced and
//! nothing else. The copy counts only if the device under it saw no write meanwhile.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waypost::clock::{Clock, SystemClock, Timestamp};

use crate::mount::{Mount, folder, run, text};
use crate::node::Node;

/// A disk with a volatile cache.
pub(crate) struct Machine {
    /// Where the node lives. Unmounted first.
    disk: Mount,
    /// The cache's stable side.
    stable: Mount,
    folder: TempDir,
}

/// What a machine finds after it lost power.
pub(crate) struct Remains<'a> {
    of: &'a Machine,
    /// When power was lost.
    pub(crate) until: Timestamp,
    disk: Mount,
    _stable: Mount,
    _copy: Copy,
}

/// A file that is removed at last.
struct Copy(PathBuf);

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let stable = Mount::ext4(&folder.path().join(IMAGE), 512, &[]);
        let disk = Mount::ext4(&stable.point().join(IMAGE), 384, &[]);
        Self { disk, stable, folder }
    }

    /// Where a node may live.
    pub(crate) fn point(&self) -> &Path {
        self.disk.point()
    }

    /// What the machine would find had it lost power now. `meanwhile` is done while the node
    /// stands still.
    pub(crate) fn cut(&self, node: &Node, meanwhile: impl FnOnce()) -> Remains<'_> {
        let copy = Copy(self.folder.path().join("copy"));
        node.stop();
        let until = SystemClock.wall();
        self.copy(&copy.0);
        meanwhile();
        node.resume();
        let stable = Mount::image(&copy.0);
        let disk = Mount::image(&stable.point().join(IMAGE));
        Remains { of: self, until, disk, _stable: stable, _copy: copy }
    }

    fn copy(&self, to: &Path) {
        let image = self.folder.path().join(IMAGE);
        for _ in 0..ATTEMPTS {
            let before = self.stable.writes();
            run("cp", &["--sparse=always", text(&image), text(to)]);
            if self.stable.writes() == before && before.1 == "0" {
                return;
            }
        }
        panic!("the disk does not come to rest");
    }
}

impl Remains<'_> {
    /// Where a path of the machine is found now.
    pub(crate) fn path(&self, of: &Path) -> PathBuf {
        self.disk.point().join(of.strip_prefix(self.of.point()).unwrap())
    }

    /// Starts the node that lies there; it runs the product.
    pub(crate) fn revive(&self, node: &Node) -> Node {
        node.revive(self.of.point(), self.disk.point())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

const IMAGE: &str = "image";
const ATTEMPTS: usize = 100;
