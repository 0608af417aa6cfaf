//! The one name and certificate that every server presents, and the destination of every answer.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;

/// The host that is asked for.
pub(crate) const HOST: &str = "trk.example.com";
/// Where every answer points.
pub(crate) const DESTINATION: &str =
    "https://www.example.com/spring/offer?utm_source=mail&utm_campaign=spring-2026";
/// The certificate's key, as rcgen makes it by default.
pub(crate) const KEY_KIND: &str = "ECDSA P-256";

/// A certificate in files, and the authority that signed it.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The leaf in PEM.
    pub(crate) chain: PathBuf,
    /// Its private key in PEM.
    pub(crate) key: PathBuf,
    /// What the client trusts.
    pub(crate) root: CertificateDer<'static>,
}

impl Identity {
    /// Makes a certificate for [`HOST`] and writes it into `folder`.
    pub(crate) fn make(folder: &Path) -> Result<Self, String> {
        let wrong = |error: rcgen::Error| format!("making a certificate: {error}");
        let root_key = KeyPair::generate().map_err(wrong)?;
        let mut root = CertificateParams::new(Vec::new()).map_err(wrong)?;
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_certificate = root.self_signed(&root_key).map_err(wrong)?;
        let issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate().map_err(wrong)?;
        let leaf = CertificateParams::new(vec![HOST.to_owned()])
            .and_then(|leaf| leaf.signed_by(&key, &issuer))
            .map_err(wrong)?;
        let (chain_file, key_file) = (folder.join("chain.pem"), folder.join("key.pem"));
        std::fs::write(&chain_file, leaf.pem()).map_err(|error| error.to_string())?;
        std::fs::write(&key_file, key.serialize_pem()).map_err(|error| error.to_string())?;
        Ok(Self { chain: chain_file, key: key_file, root: root_certificate.der().clone() })
    }
}
