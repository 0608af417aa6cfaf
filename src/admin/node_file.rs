//! `node.json` in the data folder: how the command line finds a running node.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::token::LinkForm;

/// What a running node tells of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct NodeFile {
    /// Its process id.
    pub pid: u32,
    /// When it began, RFC 3339.
    pub started: String,
    /// Its version.
    pub version: String,
    /// Where HTTPS is answered.
    pub https: Vec<SocketAddr>,
    /// Where plain HTTP is answered.
    pub http: Vec<SocketAddr>,
    /// Where the operator's door is.
    pub admin: SocketAddr,
    /// The operator's door on this machine.
    pub socket: PathBuf,
    /// What printed links look like.
    pub links: LinkForm,
}

impl NodeFile {
    /// Puts the file into the data folder.
    pub fn write(&self, disk: &dyn Disk, data: &Path) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        json.push(b'\n');
        disk.write_whole(&data.join(NAME), &json)
    }

    /// Reads the file; `None` when there is none. A node that was killed leaves one behind.
    pub fn read(disk: &dyn Disk, data: &Path) -> io::Result<Option<Self>> {
        match disk.read(&data.join(NAME), MAX_FILE) {
            Ok(json) => serde_json::from_slice(&json).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the file, unless it is that of a process that has come after this one.
    pub fn remove(disk: &dyn Disk, data: &Path) -> io::Result<()> {
        if Self::read(disk, data)?.is_some_and(|node| node.pid != std::process::id()) {
            return Ok(());
        }
        disk.remove(&data.join(NAME))
    }

    /// Where the socket of a data folder is: in it, or in the system's temporary folder when the
    /// path is longer than a socket's may be.
    pub fn socket_path(data: &Path) -> PathBuf {
        let inside = data.join("admin.sock");
        if inside.as_os_str().len() <= LONGEST {
            return inside;
        }
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        std::env::temp_dir().join(format!("waypost-{:016x}.sock", hasher.finish()))
    }
}

const NAME: &str = "node.json";
const MAX_FILE: u64 = 1 << 20;
/// `sun_path` has 108 bytes on Linux, the last of them zero.
const LONGEST: usize = 100;
