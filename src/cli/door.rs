//! Asks a running node, over the socket of its operator's door.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::admin::NodeFile;

/// The socket of a running node.
#[derive(Clone, Debug)]
pub(super) struct NodeDoor {
    socket: PathBuf,
}

/// What the node answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// Why the node could not be asked.
#[derive(Debug, Error)]
pub(super) enum DoorError {
    /// The connection failed.
    #[error("the node on {}: {source}", socket.display())]
    Connection {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The answer is none of ours.
    #[error("the node on {}: an answer that cannot be read", .0.display())]
    Answer(PathBuf),
}

impl NodeDoor {
    /// The door of the node that runs on a data folder; `None` when none does.
    pub(super) fn find(data: &Path) -> Option<Self> {
        let socket = NodeFile::socket_path(data);
        UnixStream::connect(&socket).is_ok().then_some(Self { socket })
    }

    /// Asks; the body of the answer is one JSON object.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer, DoorError> {
        let failed = |source| DoorError::Connection { socket: self.socket.clone(), source };
        let answer = self.converse(method, path, body).map_err(failed)?;
        read(&answer).ok_or_else(|| DoorError::Answer(self.socket.clone()))
    }

    fn converse(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: serde_json::from_str(body).ok()? })
}

/// A name as one segment of a path: hostnames hold nothing that would have to be escaped.
pub(super) fn segment(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().map(|c| if plain(c) { c } else { '-' }).collect()
}

/// A check asks several servers, each for a few seconds at most.
const PATIENCE: Duration = Duration::from_secs(120);
