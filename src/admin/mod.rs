//! The operator's door: metrics, health, the ledger, and what may be changed while running.
//!
//! It answers on a TCP address and on a Unix socket. Who may do what is in [`access`]; nothing
//! here ever names a customer's hostname in a metric.

mod access;
mod config;
mod domains;
mod door;
mod minting;
mod node_file;
mod page;
mod readiness;
mod reading;
mod recent;
mod routes;
mod secure;

pub use config::Config;
pub use door::{BindError, Door, Parts, ReloadKeys};
pub use node_file::NodeFile;
pub use page::{Label, Sample};
pub use readiness::Readiness;
pub use recent::Recent;
