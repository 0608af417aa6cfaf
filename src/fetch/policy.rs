//! What a client may do, for one purpose.

use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

use super::Reach;

/// What a client may do.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Which addresses it dials.
    pub reach: Reach,
    /// Whom it trusts.
    pub roots: Roots,
    /// Whether it also asks without TLS.
    pub is_plain_allowed: bool,
    /// Which ports it dials.
    pub ports: Ports,
    /// Which redirects it follows.
    pub redirects: Redirects,
    /// How content may be packed on its way.
    pub codings: Codings,
    /// Bytes of content that it takes, packed and unpacked.
    pub content: usize,
    /// Connections to one host that are kept for the next request.
    pub idle: usize,
    /// For a connection: the name, TCP and TLS.
    pub connect: Duration,
    /// For the header of an answer, and between two pieces of its content.
    pub step: Duration,
    /// For everything, redirects included.
    pub total: Duration,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// None: they are answers.
    None,
    /// At most this many, of GET and HEAD, each checked as a request of its own.
    AtMost(usize),
}

/// Which ports are dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// The one that a URL names, else its scheme's.
    Any,
    /// This one; a URL that names another than 443 is refused. 443, where nothing stands in its
    /// place.
    Https(u16),
}

/// How content may be packed (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codings {
    /// Not at all.
    Identity,
    /// With gzip; it is unpacked no further than content may go.
    Gzip,
}

/// Whom a client trusts.
#[derive(Clone, Debug)]
pub enum Roots {
    /// The authorities that Mozilla's programme includes, as of this release.
    Public,
    /// These only.
    Own(Vec<CertificateDer<'static>>),
}

/// Why roots cannot be used: the fault of whoever wrote the file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RootsError {
    /// There is none.
    #[error("holds no certificate in PEM")]
    None,
    /// One of them is no certificate.
    #[error("holds what is no certificate: {0}")]
    Malformed(String),
}

impl Roots {
    /// The certificates of a PEM file.
    pub fn parse(pem: &[u8]) -> Result<Self, RootsError> {
        let malformed = |error: &dyn std::fmt::Display| RootsError::Malformed(error.to_string());
        let certificates = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| malformed(&error))?;
        if certificates.is_empty() {
            return Err(RootsError::None);
        }
        let roots = Self::Own(certificates);
        roots.store().map(|_| roots.clone())
    }

    pub(super) fn store(&self) -> Result<RootCertStore, RootsError> {
        let mut store = RootCertStore::empty();
        match self {
            Self::Public => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Self::Own(certificates) => {
                for certificate in certificates {
                    let added = store.add(certificate.clone());
                    added.map_err(|error| RootsError::Malformed(error.to_string()))?;
                }
            }
        }
        Ok(store)
    }
}
