//! A disk in memory that can lose, keep or tear every write and every name that was not synced,
//! and refuse any operation: what a power cut, a failing device and a full one do.
//!
//! ```text
//! machine   the disk and its processes: cut the power, kill, fail, fill
//! seam      what a process may ask of it
//! names     directories and names, as they are seen and as a power cut leaves them
//! content   bytes of one file, likewise
//! ```

#![allow(dead_code, reason = "each test uses the part it needs")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]
#![allow(unused_imports, reason = "each test uses the part it needs")]

mod content;
mod machine;
mod names;
mod seam;

pub use content::{Fate, fates};
pub use machine::{CrashDisk, Failure, Lies, Moment};
