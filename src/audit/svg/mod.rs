//! The profile of SVG that BIMI images are of (SVG Tiny PS), judged with the place of each fault.
//!
//! A file is read up to a size, an element count and a depth; entities are never resolved. A
//! DOCTYPE is told and passed over, so that what is behind it is judged too.

mod content;
mod image;
mod judge;
mod limits;
mod picture;
mod profile;

pub use image::Image;
pub(super) use image::unpacked;
pub use judge::judge;
