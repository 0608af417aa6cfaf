//! One certificate for one listener, as the operator's door has it.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;

use super::Version;
use super::files::FilesError;
use super::protocol::{Protocol, provider};
use super::verify::{Unusable, verify};
use crate::clock::Timestamp;
use crate::disk::Disk;

/// A configuration that serves the certificate in two PEM files, for HTTP/1.1. Blocks.
pub fn single(
    disk: &dyn Disk,
    chain: &Path,
    key: &Path,
    now: Timestamp,
) -> Result<Arc<ServerConfig>, FilesError> {
    let read = |path: &Path| {
        disk.read(path, LARGEST_FILE)
            .map_err(|error| FilesError::Read { path: path.to_owned(), error: Arc::new(error) })
    };
    let unusable = |error| FilesError::Unusable { path: chain.to_owned(), error };
    let (chain_pem, key_pem) = (read(chain)?, read(key)?);
    let verified = verify(&chain_pem, &key_pem, &[], now, &provider()).map_err(unusable)?;
    let protocol = Protocol::new(Version::Tls12, None)
        .map_err(|error| unusable(Unusable::Key(error.to_string())))?;
    let mut config = ServerConfig::clone(&protocol.serving(verified.key));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

const LARGEST_FILE: u64 = 1 << 20;
