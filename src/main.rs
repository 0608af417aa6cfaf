//! The `waypost` command.

use std::process::ExitCode;

/// Less time for each answer and less memory for each idle connection than the system's allocator
/// needs: `benches/compare` tells how much.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    waypost::cli::main()
}
