//! What a click, an open or a probe becomes: one CloudEvents 1.0 object in JSON, encoded once.
//!
//! `docs/events.md` tells each field to an analyst, `config/event.schema.json` holds them. Fields
//! are added, never renamed.

mod address;
mod config;
mod encoder;
mod envelope;
mod headers;
mod ids;
mod json;

pub use address::{AddressKey, AddressKeyError};
pub use config::{AddressForm, Config};
pub use encoder::{Encoder, Event, Kind, Link, type_of};
pub use envelope::envelope;
pub use headers::KEPT_HEADERS;
pub use ids::Ids;
