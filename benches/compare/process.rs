//! What the kernel tells about a server: CPU time and memory of all its processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// CPU time, in user and kernel mode, of `root` and its direct children, threads included.
///
/// Read from `schedstat` of each thread, which counts nanoseconds; `stat` counts ticks of 10 ms.
/// A thread that ended is no longer seen: servers whose threads stay are measured exactly.
pub(crate) fn cpu_time(root: u32) -> Result<Duration, String> {
    let mut nanoseconds = 0;
    for process in family(root)? {
        for task in entries(&PathBuf::from(format!("/proc/{process}/task")))? {
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(task.join("schedstat")) else { continue };
            nanoseconds += text
                .split_ascii_whitespace()
                .next()
                .and_then(|field| field.parse::<u64>().ok())
                .ok_or_else(|| format!("unexpected schedstat: {text:?}"))?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory of `root` and its direct children, in kB.
pub(crate) fn resident(root: u32) -> Result<u64, String> {
    let mut sum = 0;
    for process in family(root)? {
        let file = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        sum += text
            .lines()
            .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"))
            .and_then(|field| field.trim().parse::<u64>().ok())
            .ok_or_else(|| format!("{file} tells no Rss"))?;
    }
    Ok(sum)
}

/// The type of the file system that holds `path`.
pub(crate) fn file_system(path: &Path) -> Result<String, String> {
    let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    let mounts = fs::read_to_string("/proc/mounts").map_err(|error| error.to_string())?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((PathBuf::from(fields.next()?), fields.next()?))
        })
        .filter(|(point, _)| path.starts_with(point))
        // A later mount on the same point hides the earlier one.
        .max_by_key(|(point, _)| point.as_os_str().len())
        .map(|(_, kind)| kind.to_owned())
        .ok_or_else(|| format!("no mount holds {}", path.display()))
}

fn family(root: u32) -> Result<Vec<u32>, String> {
    let mut processes = vec![root];
    for directory in entries(Path::new("/proc"))? {
        let Some(process) = directory.file_name().and_then(|name| name.to_str()?.parse().ok())
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(directory.join("stat")) else { continue };
        // The name before it, in parentheses, may hold anything.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        if parent.and_then(|parent| parent.parse().ok()) == Some(root) {
            processes.push(process);
        }
    }
    Ok(processes)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let listing = fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    Ok(listing.filter_map(|entry| Some(entry.ok()?.path())).collect())
}
