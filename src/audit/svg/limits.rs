//! How much of an image is read.

/// The largest file, and the largest one when it is unpacked, in bytes.
pub(super) const FILE: usize = 1 << 20;

/// What providers read of an image, in bytes (Google 10911027).
pub(super) const IMAGE: usize = 32 * 1024;

/// Elements, texts and comments of a file.
pub(super) const NODES: u32 = 20_000;

/// Elements within each other.
pub(super) const DEPTH: usize = 100;

/// Findings that are told of one image.
pub(super) const FINDINGS: usize = 200;
