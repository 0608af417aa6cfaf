//! Certificates.

mod config;

pub use config::{CertificateFiles, Config, Version};
