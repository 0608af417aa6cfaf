//! A password: where it comes from, and how it is never shown.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::disk::Disk;

/// Where the password is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// In a file, without the line's end. Read again for each session, so that a new password
    /// needs no restart.
    File(PathBuf),
    /// It was in the environment when the process began.
    Given {
        /// The variable that held it.
        variable: String,
        /// What it held.
        secret: Secret,
    },
}

/// A text that is never shown. Cloning shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Password {
    /// The password itself. Blocks.
    pub(super) fn read(&self, disk: &dyn Disk) -> io::Result<Secret> {
        match self {
            Self::Given { secret, .. } => Ok(secret.clone()),
            Self::File(path) => {
                let bytes = Zeroizing::new(disk.read(path, MAX_FILE)?);
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))?;
                Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }
}

const MAX_FILE: u64 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SystemDisk;

    #[test]
    fn a_password_is_read_without_its_line_end_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        (&SystemDisk as &dyn Disk).write_whole(&path, b" hunter2 \r\n").unwrap();
        let secret = Password::File(path).read(&SystemDisk).unwrap();
        assert_eq!(secret.expose(), " hunter2 ");
        let given = Password::Given { variable: "V".to_owned(), secret };
        assert_eq!(format!("{given:?}"), "Given { variable: \"V\", secret: Secret }");
    }
}
