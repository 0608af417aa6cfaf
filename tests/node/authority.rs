//! A certificate authority of the test's own.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;

/// An authority that lives as long as the test.
pub struct Authority {
    root: CertificateDer<'static>,
    root_pem: String,
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
        // A leaf whose issuer has the leaf's own name would be taken for self-signed.
        params.distinguished_name.push(DnType::CommonName, "the test's authority");
        let certificate = params.self_signed(&key).unwrap();
        let (root, root_pem) = (certificate.der().clone(), certificate.pem());
        Self { root, root_pem, issuer: Issuer::new(params, key) }
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

    /// A file in `folder` with what a client is to trust.
    pub fn file(&self, folder: &Path) -> PathBuf {
        let path = folder.join("root.pem");
        fs::write(&path, &self.root_pem).unwrap();
        path
    }

    /// What a client is to trust.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }
}
