//! Mark certificates, made for the tests: right ones, and ones that are wrong in one way.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// What a certificate says.
pub(crate) struct Mark {
    pub(crate) names: Vec<String>,
    pub(crate) usages: Vec<Vec<u64>>,
    pub(crate) from: (i32, u8, u8),
    pub(crate) to: (i32, u8, u8),
    pub(crate) fields: Vec<(Vec<u64>, String)>,
    pub(crate) logotype: Option<Vec<u8>>,
    pub(crate) is_authority: bool,
    /// Further extensions: identifier, value, whether it is critical.
    pub(crate) extensions: Vec<(Vec<u64>, Vec<u8>, bool)>,
    /// What the issuer may issue, where it says so.
    pub(crate) issuer_usages: Vec<Vec<u64>>,
    pub(crate) is_issuer_authority: bool,
    pub(crate) issuer_to: (i32, u8, u8),
    pub(crate) issuer_keys: Vec<KeyUsagePurpose>,
    /// How many authorities the root lets stand below it, where it says so.
    pub(crate) below_root: Option<u8>,
}

/// A certificate with those of its issuers, in PEM and DER.
pub(crate) struct Made {
    pub(crate) leaf: String,
    pub(crate) issuer: String,
    pub(crate) root: String,
    pub(crate) root_der: Vec<u8>,
}

impl Made {
    /// The file as it is published.
    pub(crate) fn file(&self) -> Vec<u8> {
        format!("{}{}", self.leaf, self.issuer).into_bytes()
    }
}

impl Mark {
    /// A certificate without a fault, for a domain and an image.
    pub(crate) fn of(domain: &str, image: &[u8]) -> Self {
        let field = |id: &[u64], value: &str| (id.to_vec(), value.to_owned());
        Self {
            names: vec![domain.to_owned()],
            usages: vec![MARKS.to_vec()],
            from: (2025, 6, 1),
            to: (2099, 6, 1),
            fields: vec![
                field(MARK_TYPE, "Registered Mark"),
                field(&[2, 5, 4, 10], "Example Ltd."),
                field(&[2, 5, 4, 9], "1 Example Street"),
                field(&[2, 5, 4, 7], "London"),
                field(&[2, 5, 4, 6], "GB"),
                field(&[2, 5, 4, 15], "Private Organization"),
                field(&[2, 5, 4, 5], "12345678"),
                field(&[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3], "GB"),
                field(&[1, 3, 6, 1, 4, 1, 53087, 1, 3], "GB"),
                field(&[1, 3, 6, 1, 4, 1, 53087, 1, 4], "UK00000000001"),
            ],
            logotype: Some(logotype("image/svg+xml", &packed(image), None)),
            is_authority: false,
            extensions: Vec::new(),
            issuer_usages: vec![MARKS.to_vec()],
            is_issuer_authority: true,
            issuer_to: (2099, 6, 1),
            issuer_keys: vec![KeyUsagePurpose::KeyCertSign],
            below_root: None,
        }
    }

    /// Another value of a field, or none.
    pub(crate) fn field(&mut self, id: &[u64], value: Option<&str>) {
        self.fields.retain(|(held, _)| held != id);
        self.fields.extend(value.map(|value| (id.to_vec(), value.to_owned())));
    }

    /// The certificate, signed by an issuer that a root signed.
    pub(crate) fn make(&self) -> Made {
        let root_key = KeyPair::generate().unwrap();
        let mut root = authority("Root", &[]);
        if let Some(most) = self.below_root {
            root.is_ca = IsCa::Ca(BasicConstraints::Constrained(most));
        }
        let root_certificate = root.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate().unwrap();
        let mut issuer = authority("Issuer", &self.issuer_usages);
        issuer.key_usages.clone_from(&self.issuer_keys);
        if !self.is_issuer_authority {
            issuer.is_ca = IsCa::ExplicitNoCa;
        }
        let (year, month, day) = self.issuer_to;
        issuer.not_after = date_time_ymd(year, month, day);
        let issuer_certificate = issuer.signed_by(&key, &root_issuer).unwrap();
        let issuer = Issuer::new(issuer, key);
        let leaf = self.parameters().signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        Made {
            leaf: leaf.pem(),
            issuer: issuer_certificate.pem(),
            root: root_certificate.pem(),
            root_der: root_certificate.der().to_vec(),
        }
    }

    fn parameters(&self) -> CertificateParams {
        let mut parameters = CertificateParams::new(self.names.clone()).unwrap();
        parameters.distinguished_name = DistinguishedName::new();
        for (id, value) in &self.fields {
            let kind = DnType::CustomDnType(id.clone());
            parameters.distinguished_name.push(kind, value.as_str());
        }
        let ((year, month, day), to) = (self.from, self.to);
        parameters.not_before = date_time_ymd(year, month, day);
        parameters.not_after = date_time_ymd(to.0, to.1, to.2);
        parameters.extended_key_usages = purposes(&self.usages);
        if self.is_authority {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        if let Some(logotype) = &self.logotype {
            let extension = CustomExtension::from_oid_content(LOGOTYPE, logotype.clone());
            parameters.custom_extensions.push(extension);
        }
        for (id, value, is_critical) in &self.extensions {
            let mut extension = CustomExtension::from_oid_content(id, value.clone());
            extension.set_criticality(*is_critical);
            parameters.custom_extensions.push(extension);
        }
        parameters
    }
}

fn authority(name: &str, usages: &[Vec<u64>]) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, format!("{name} for Marks"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.extended_key_usages = purposes(usages);
    parameters
}

fn purposes(usages: &[Vec<u64>]) -> Vec<ExtendedKeyUsagePurpose> {
    usages.iter().map(|id| ExtendedKeyUsagePurpose::Other(id.clone())).collect()
}

/// An image in gzip.
pub(crate) fn packed(image: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(image).unwrap();
    gzip.finish().unwrap()
}

/// The extension's value for an image in a data URI, with a hash that is right unless one is
/// given.
pub(crate) fn logotype(media_type: &str, packed: &[u8], hash: Option<&[u8]>) -> Vec<u8> {
    let uri = format!("data:{media_type};base64,{}", BASE64_STANDARD.encode(packed));
    let right = digest(&SHA256, packed);
    logotype_at(media_type, &uri, hash.unwrap_or_else(|| right.as_ref()))
}

/// The extension's value for an image at an address.
pub(crate) fn logotype_at(media_type: &str, uri: &str, hash: &[u8]) -> Vec<u8> {
    let sha256 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    let hash = [der(0x30, &der(0x06, &sha256)), der(0x04, hash)].concat();
    let details = [
        der(0x16, media_type.as_bytes()),
        der(0x30, &der(0x30, &hash)),
        der(0x30, &der(0x16, uri.as_bytes())),
    ];
    let image = der(0x30, &der(0x30, &details.concat()));
    let direct = der(0xa0, &der(0x30, &image));
    der(0x30, &der(0xa2, &direct))
}

/// One value of DER.
pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        0..128 => bytes.push(length as u8),
        _ => {
            let all = (length as u32).to_be_bytes();
            let told = &all[all.iter().position(|byte| *byte != 0).unwrap()..];
            bytes.push(0x80 | told.len() as u8);
            bytes.extend_from_slice(told);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

pub(crate) const MARKS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 31];
pub(crate) const MARK_TYPE: &[u64] = &[1, 3, 6, 1, 4, 1, 53087, 1, 13];
pub(crate) const PILOT: &[u64] = &[1, 3, 6, 1, 4, 1, 53087, 4, 1];
const LOGOTYPE: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 12];
