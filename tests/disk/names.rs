//! Directories and the names in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::content::Fate;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    /// The file of this index.
    File(usize),
}

/// All names as they are seen, and as they are once the power is gone.
#[derive(Clone)]
pub(super) struct Names {
    seen: BTreeMap<PathBuf, Node>,
    stable: BTreeMap<PathBuf, Node>,
    /// Since the last sync of their directory, in order.
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Make(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Names {
    pub(super) fn new() -> Self {
        let seen = BTreeMap::from([(PathBuf::from("/"), Node::Directory)]);
        Self { stable: seen.clone(), seen, changes: Vec::new() }
    }

    pub(super) fn find(&self, path: &Path) -> Option<Node> {
        self.seen.get(path).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, Node)> {
        self.seen.iter().map(|(path, node)| (path, *node))
    }

    pub(super) fn make(&mut self, path: &Path, node: Node) {
        self.change(Change::Make(path.to_owned(), node));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(Change::Remove(path.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
    }

    pub(super) fn sync(&mut self, directory: &Path) {
        for change in std::mem::take(&mut self.changes) {
            if change.directory() == Some(directory) {
                change.apply(&mut self.stable);
            } else {
                self.changes.push(change);
            }
        }
    }

    /// What a power cut leaves. A name whose directory is gone is gone with it.
    pub(super) fn cut(&mut self, fate: &mut impl FnMut() -> Fate) {
        for change in std::mem::take(&mut self.changes) {
            if fate() != Fate::Lost {
                change.apply(&mut self.stable);
            }
        }
        let has = |names: &BTreeMap<PathBuf, Node>, path: &PathBuf| {
            path.ancestors().all(|above| names.contains_key(above))
        };
        let whole = self.stable.clone();
        self.stable.retain(|path, _| has(&whole, path));
        self.seen.clone_from(&self.stable);
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }
}

impl Change {
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Make(path, _) | Self::Remove(path) | Self::Rename(_, path) => path.parent(),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Make(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }
}
