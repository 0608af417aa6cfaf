//! An authority of our own for trying things out: nobody trusts it but who is told to.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Unusable;
use super::protocol::{Protocol, provider};
use super::verify::verify_der;
use crate::clock::Timestamp;
use crate::disk::Disk;
use crate::hostname::Hostname;

/// An authority kept in a folder (`ca.pem` and `ca.key`, P-256), which issues certificates for
/// its names when they are asked for.
pub struct ThrowawayAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    names: Vec<Hostname>,
    path: PathBuf,
}

/// Why there is no such authority, or no certificate of it.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A file cannot be read or written: the machine's fault, worth a retry.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file holds something else. Removing both files makes a new authority.
    #[error("{}: {reason}; remove ca.pem and ca.key to have new ones made", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate could not be made: our fault.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The certificate that was made cannot be served: our fault.
    #[error("the certificate that was made {0}")]
    Unusable(#[from] Unusable),
}

/// A certificate of ours, ready to be served.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) config: Arc<ServerConfig>,
    /// From when on another one is to be made.
    pub(super) renew_at: Timestamp,
}

impl ThrowawayAuthority {
    /// The authority in `folder`, made there if there is none or it is about to expire. Blocks.
    pub fn open(
        disk: &dyn Disk,
        folder: &Path,
        names: Vec<Hostname>,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let (path, key_path) = (folder.join("ca.pem"), folder.join("ca.key"));
        let (certificate, key) = (read(disk, &path)?, read(disk, &key_path)?);
        if let (Some(certificate), Some(key)) = (certificate, key) {
            let damaged =
                |path: &Path, reason| AuthorityError::Damaged { path: path.into(), reason };
            let key = std::str::from_utf8(&key)
                .map_err(|error| damaged(&key_path, error.to_string()))
                .and_then(|text| {
                    KeyPair::from_pem(text).map_err(|error| damaged(&key_path, error.to_string()))
                })?;
            let certificate = CertificateDer::from_pem_slice(&certificate)
                .map_err(|error| damaged(&path, error.to_string()))?;
            let not_after = check(&certificate, &key).map_err(|reason| damaged(&path, reason))?;
            if now.plus(LEAF_LIFE) < not_after {
                let issuer = Issuer::new(authority_params(now), key);
                return Ok(Self { issuer, certificate, names, path });
            }
        }
        Self::make(disk, folder, names, now)
    }

    /// The file with the authority's certificate, for `--cacert`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The authority's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Whether certificates for `host` are issued.
    pub fn serves(&self, host: &Hostname) -> bool {
        self.names.contains(host)
    }

    pub(super) fn issue(
        &self,
        host: &Hostname,
        protocol: &Protocol,
        now: Timestamp,
    ) -> Result<Issued, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![host.as_str().to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, host.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        lasting(&mut params, now, LEAF_LIFE);
        let leaf = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let verified = verify_der(chain, key, std::slice::from_ref(host), now, &provider())?;
        let config = protocol.serving(verified.key);
        Ok(Issued { config, renew_at: now.plus(LEAF_LIFE - RENEW_BEFORE) })
    }

    fn make(
        disk: &dyn Disk,
        folder: &Path,
        names: Vec<Hostname>,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = authority_params(now);
        let certificate = params.self_signed(&key)?;
        let (path, key_path) = (folder.join("ca.pem"), folder.join("ca.key"));
        let written = |path: &Path, done: io::Result<()>| {
            done.map_err(|error| AuthorityError::File { path: path.to_owned(), error })
        };
        written(folder, disk.create_directory(folder))?;
        // The certificate goes last: without it the pair is made anew.
        written(&path, absent(disk.remove(&path)))?;
        written(&key_path, disk.write_whole(&key_path, key.serialize_pem().as_bytes()))?;
        written(&path, disk.write_whole(&path, certificate.pem().as_bytes()))?;
        let certificate = certificate.der().clone();
        Ok(Self { issuer: Issuer::new(params, key), certificate, names, path })
    }
}

impl fmt::Debug for ThrowawayAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrowawayAuthority").field("names", &self.names).finish_non_exhaustive()
    }
}

fn authority_params(now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lasting(&mut params, now, AUTHORITY_LIFE);
    params
}

fn lasting(params: &mut CertificateParams, now: Timestamp, life: Duration) {
    let epoch = date_time_ymd(1970, 1, 1);
    // A client whose clock is a little behind ours must not refuse what was just made.
    let from = now.seconds().saturating_sub(CLOCK_SKEW.as_secs());
    params.not_before = epoch + Duration::from_secs(from);
    params.not_after = epoch + Duration::from_secs(now.plus(life).seconds());
}

/// Whether the certificate is this key's and bears our name, and when it ends.
fn check(certificate: &CertificateDer<'_>, key: &KeyPair) -> Result<Timestamp, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err("is not for the key in ca.key".to_owned());
    }
    let mut names = parsed.subject().iter_common_name();
    if names.next().and_then(|name| name.as_str().ok()) != Some(COMMON_NAME) {
        return Err(format!("expected the certificate of {COMMON_NAME:?}"));
    }
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default();
    Ok(Timestamp::from_seconds(seconds))
}

fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, AuthorityError> {
    match disk.read(path, LARGEST_FILE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AuthorityError::File { path: path.to_owned(), error }),
    }
}

fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

const COMMON_NAME: &str = "waypost throw-away authority";
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
const LEAF_LIFE: Duration = Duration::from_secs(30 * 86_400);
const RENEW_BEFORE: Duration = Duration::from_secs(10 * 86_400);
const CLOCK_SKEW: Duration = Duration::from_secs(3_600);
const LARGEST_FILE: u64 = 64 << 10;
