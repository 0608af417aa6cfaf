//! The event of a click, an open or a probe.

mod config;

pub use config::{AddressForm, Config};
