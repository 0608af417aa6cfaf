//! A certificate authority of the test's own.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;

/// An authority that lives as long as the test.
pub struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate in files.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The chain in PEM, leaf first.
    pub chain: PathBuf,
    /// The private key in PEM.
    pub key: PathBuf,
}

impl Authority {
    /// A new authority.
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params, key) }
    }

    /// A certificate for one name, written into `folder`.
    pub fn issue(&self, host: &str, folder: &Path) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let files = CertificateFiles {
            chain: folder.join(format!("{host}.chain.pem")),
            key: folder.join(format!("{host}.key.pem")),
        };
        fs::write(&files.chain, leaf.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    /// What a client is to trust.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }
}
