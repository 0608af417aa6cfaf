//! What an authority signs, rightly and wrongly.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

/// A root, and an intermediate that signs.
pub struct Signing {
    root_pem: String,
    intermediate_pem: String,
    intermediate: Issuer<'static, KeyPair>,
}

/// What is signed in place of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// What was asked for.
    Right,
    /// One that was valid in another century.
    Expired,
    /// One that will be valid in another century.
    Future,
    /// One for another name.
    OtherName,
    /// One for the name and another one.
    TwoNames,
    /// One for another key.
    OtherKey,
    /// The right one without who signed it.
    Alone,
    /// The right one with another signer.
    OtherChain,
    /// The right one, cut in the middle.
    Cut,
    /// A page in HTML.
    Page,
    /// Nothing.
    Nothing,
}

impl Leaf {
    /// All that may never be served.
    pub const WRONG: [Self; 10] = [
        Self::Expired,
        Self::Future,
        Self::OtherName,
        Self::TwoNames,
        Self::OtherKey,
        Self::Alone,
        Self::OtherChain,
        Self::Cut,
        Self::Page,
        Self::Nothing,
    ];
}

/// The public key of a request.
struct Asked(Vec<u8>);

impl PublicKeyData for Asked {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl Signing {
    pub fn new() -> Self {
        let root_key = KeyPair::generate().unwrap();
        let root = authority("the cruel root");
        let root_certificate = root.self_signed(&root_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let parameters = authority("the cruel intermediate");
        let signer = Issuer::new(root, root_key);
        let intermediate = parameters.signed_by(&key, &signer).unwrap();
        Self {
            root_pem: root_certificate.pem(),
            intermediate_pem: intermediate.pem(),
            intermediate: Issuer::new(parameters, key),
        }
    }

    /// What a client is to trust.
    pub fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.root_pem.as_bytes()).unwrap()
    }

    /// The chain for a request (RFC 2986) of a name.
    pub fn sign(&self, request: &[u8], name: &str, leaf: Leaf) -> String {
        let (_, parsed) = X509CertificationRequest::from_der(request).unwrap();
        let key = parsed.certification_request_info.subject_pki.subject_public_key.data.to_vec();
        let names = match leaf {
            Leaf::OtherName => vec!["other.example.test".to_owned()],
            Leaf::TwoNames => vec![name.to_owned(), "other.example.test".to_owned()],
            _ => vec![name.to_owned()],
        };
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.use_authority_key_identifier_extension = true;
        parameters.serial_number =
            Some(SerialNumber::from(uuid::Uuid::new_v4().into_bytes().to_vec()));
        // As real authorities do: whole years, so that clocks need not agree.
        (parameters.not_before, parameters.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
        match leaf {
            Leaf::Expired => parameters.not_after = date_time_ymd(2020, 2, 1),
            Leaf::Future => parameters.not_before = date_time_ymd(2089, 1, 1),
            _ => {}
        }
        let other = KeyPair::generate().unwrap();
        let signed = match leaf {
            Leaf::OtherKey => parameters.signed_by(&other, &self.intermediate),
            _ => parameters.signed_by(&Asked(key), &self.intermediate),
        };
        let signed = signed.unwrap().pem();
        match leaf {
            Leaf::Alone => signed,
            Leaf::OtherChain => format!("{signed}{}", Self::new().intermediate_pem),
            Leaf::Cut => signed.chars().take(signed.len() / 2).collect(),
            Leaf::Page => "<html><body>503 Service Unavailable</body></html>".to_owned(),
            Leaf::Nothing => String::new(),
            _ => format!("{signed}{}", self.intermediate_pem),
        }
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}
