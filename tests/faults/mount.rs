//! File systems of a test's own: made, filled, frozen, copied, and gone when the test ends.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// A mounted file system. Unmounted when dropped.
pub(crate) struct Mount {
    /// Where it is mounted.
    folder: TempDir,
    /// The loop device under it, if it lies in a file.
    device: Option<String>,
    /// What the longest write of the device was before it was changed.
    longest: Option<String>,
}

impl Mount {
    /// An ext4 file system in a new, sparse file `image` of so many MiB.
    pub(crate) fn ext4(image: &Path, size: u64, options: &[&str]) -> Self {
        File::create_new(image).unwrap().set_len(size << 20).unwrap();
        run("mkfs.ext4", &[&["-q", "-F"], options, &[text(image)]].concat());
        Self::image(image)
    }

    /// The ext4 file system in `image`.
    pub(crate) fn image(image: &Path) -> Self {
        let folder = folder();
        let device = run("losetup", &["--find", "--show", text(image)]);
        let device = String::from_utf8(device.stdout).unwrap().trim().to_owned();
        let mount = Self { folder, device: Some(device.clone()), longest: None };
        run("mount", &["-t", "ext4", "-o", "errors=continue", &device, text(mount.point())]);
        mount
    }

    /// A file system in memory, of so many MiB.
    pub(crate) fn memory(size: u64) -> Self {
        let folder = folder();
        let mount = Self { folder, device: None, longest: None };
        let size = format!("size={size}m");
        run("mount", &["-t", "tmpfs", "-o", &size, "waypost-test", text(mount.point())]);
        mount
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> &Path {
        self.folder.path()
    }

    /// Mounts it anew: what the system remembers of it is forgotten.
    pub(crate) fn again(&mut self) {
        let device = self.device.as_deref().expect("a file system in a file");
        run("umount", &[text(self.point())]);
        run("mount", &["-t", "ext4", "-o", "errors=continue", device, text(self.point())]);
    }

    /// Has the device under it, whose file lies in memory, write each page on its own: of a longer
    /// write whose beginning finds room and whose end does not, a loop device says that all is
    /// well.
    pub(crate) fn write_page_by_page(&mut self) {
        let setting = self.told(LONGEST);
        self.longest = Some(fs::read_to_string(&setting).unwrap());
        fs::write(setting, "4").unwrap();
    }

    /// How many writes the device under it has had, and whether one is being done.
    pub(crate) fn writes(&self) -> (String, String) {
        let stat = fs::read_to_string(self.told("stat")).unwrap();
        let field = |index: usize| stat.split_whitespace().nth(index).unwrap().to_owned();
        // Documentation/block/stat.rst: write I/Os, and I/Os in flight.
        (field(4), field(8))
    }

    /// A file in which the kernel tells of the device under it.
    fn told(&self, name: &str) -> String {
        let device = self.device.as_deref().and_then(|device| device.rsplit('/').next());
        format!("/sys/block/{}/{name}", device.expect("a file system in a file"))
    }

    /// Everything that is to be written waits, until it is thawed.
    pub(crate) fn freeze(&self) -> Frozen<'_> {
        run("fsfreeze", &["--freeze", text(self.point())]);
        Frozen(self)
    }

    /// Lets nothing be changed any more.
    pub(crate) fn protect(&self) {
        run("mount", &["-o", "remount,ro", text(self.point())]);
    }

    /// Lets everything be changed again.
    pub(crate) fn unprotect(&self) {
        run("mount", &["-o", "remount,rw", text(self.point())]);
    }

    /// Takes all the room there is; what is returned gives it back when it is dropped.
    pub(crate) fn fill(&self) -> Filler {
        let filler = Filler(self.point().join("filler"));
        let file = File::create_new(&filler.0).unwrap();
        let mut at = 0;
        let mut size = 1 << 20;
        while size > 0 {
            match file.write_at(&vec![0xff; size], at) {
                Ok(count) => at += count as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => size /= 2,
                Err(error) => panic!("filling: {error}"),
            }
        }
        // Room that a file system only promised may turn out not to be there.
        file.sync_all().unwrap();
        filler
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Some(longest) = &self.longest {
            // The device outlives its file, and is used again.
            drop(fs::write(self.told(LONGEST), longest));
        }
        // A process that was just killed may hold it for a moment.
        let mut attempts = (0..50).map(|_| {
            sleep(Duration::from_millis(20));
            succeeds("umount", &[text(self.point())])
        });
        let unmounted = attempts.any(|is_unmounted| is_unmounted);
        let detached =
            self.device.as_deref().is_none_or(|device| succeeds("losetup", &["-d", device]));
        if !(unmounted && detached) {
            eprintln!("{} is left behind", self.point().display());
        }
    }
}

/// A frozen file system. Thawed when dropped.
pub(crate) struct Frozen<'a>(&'a Mount);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        run("fsfreeze", &["--unfreeze", text(self.0.point())]);
    }
}

/// What takes the room. Removed when dropped.
pub(crate) struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// Why file systems cannot be made here, told so that the summary counts it; `None` when they can.
pub(crate) fn skipped() -> Option<()> {
    let id = run("id", &["-u"]);
    let reason = if id.stdout.trim_ascii() != b"0" {
        "only root may mount"
    } else if !succeeds("losetup", &["--find"]) {
        "there is no loop device"
    } else {
        return None;
    };
    // On a line of its own, whatever the harness wrote before.
    println!("\nSKIPPED: {reason}");
    std::io::stdout().flush().unwrap();
    Some(())
}

/// Runs a tool, which must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    output
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// A new folder on a real disk.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const LONGEST: &str = "queue/max_sectors_kb";
