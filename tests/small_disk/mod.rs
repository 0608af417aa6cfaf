//! A disk that is soon full.

#![allow(clippy::disallowed_methods, reason = "a test makes file systems")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::process::Command;

use tempfile::TempDir;

/// A small file system of its own; unmounted when dropped.
pub struct SmallDisk {
    /// Where it is.
    pub folder: TempDir,
}

impl SmallDisk {
    /// Mounts one of this size; none when this user may not.
    pub fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { folder }),
            _ => {
                println!("SKIPPED a full disk: this user may not mount");
                None
            }
        }
    }

    /// Gives it another size.
    pub fn grow(&self, size: &str) {
        let option = format!("remount,size={size}");
        let grown = Command::new("mount").args(["-o", &option]).arg(self.folder.path()).status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.folder.path()).status());
    }
}
