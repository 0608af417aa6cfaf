//! Making batches durable on a real disk.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use waypost::disk::{Disk, SystemDisk};
use waypost::journal::{Config, Sync};

use crate::event;
use crate::frame::Still;

pub(crate) fn bench(criterion: &mut Criterion) {
    let folder = folder();
    let body = event::encoded();
    for (name, sync) in [("append/disk", Sync::Disk), ("append/os", Sync::Os)] {
        if sync == Sync::Disk && is_in_memory(&folder) {
            println!("VOID: {} is in memory, a sync costs nothing there", folder.display());
            println!("VOID: {name} is not measured; set CARGO_TARGET_DIR to a real disk");
            continue;
        }
        let mut group = criterion.benchmark_group(name);
        group.sample_size(if sync == Sync::Disk { 20 } else { 50 });
        for batch in [1, 16, 64, 256] {
            group.throughput(Throughput::Elements(batch));
            group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
                let place = tempfile::tempdir_in(&folder).unwrap();
                let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
                // Little is kept, so that a long run fills no disk.
                let retention_size = 256 << 20;
                let directory = place.path().join("journal");
                let config = Config { directory, sync, retention_size, ..Config::default() };
                let mut still = Still::new(disk, &config);
                bencher.iter_custom(|times| {
                    let one = |_| {
                        still.append(batch, &body);
                        still.make_durable()
                    };
                    (0..times).map(one).sum()
                });
            });
        }
        group.finish();
    }
}

/// Where the target folder is, which a developer's disk holds.
fn folder() -> PathBuf {
    let target = env::current_exe().unwrap();
    target.parent().map_or_else(env::temp_dir, Path::to_owned)
}

fn is_in_memory(folder: &Path) -> bool {
    let kind = rustix::fs::statfs(folder).unwrap().f_type;
    MEMORY.contains(&(kind as u64 & 0xffff_ffff))
}

/// tmpfs and ramfs (statfs(2)).
const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
