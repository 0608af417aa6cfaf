//! BIMI: the records that name a domain's logo (draft-brand-indicators-for-message-identification).
//!
//! The image itself is judged by [`super::svg`].

mod discovery;
mod record;

pub use discovery::{Discovery, discover, enforcement};
pub use record::{Indicator, is_record, judge, read};
