//! What an operator may set of the audit.

use std::path::PathBuf;
use std::time::Duration;

use super::{Draft, DraftKind, Published, dkim, name, spf};

/// The settings of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether what stands at addresses that records name is fetched.
    pub fetch: bool,
    /// PEM files of the authorities whose mark certificates are trusted; empty when trust is not
    /// judged.
    pub mark_roots: Vec<PathBuf>,
    /// From one audit of an active domain to the next.
    pub active_every: Duration,
    /// The same for all other domains.
    pub other_every: Duration,
    /// From the first look that differs from what was known to the second.
    pub second_look: Duration,
    /// Audits begun in a second, in all; 0 when domains are audited only when somebody asks.
    pub rate: u32,
    /// Audits at the same time.
    pub at_once: usize,
    /// What the platform asks its customers to publish.
    pub expect: Expect,
}

/// What the platform asks its customers to publish. `{sending_domain}` stands for the domain whose
/// mail it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The name whose SPF record holds the platform's senders.
    pub spf_include: String,
    /// The SPF record of a domain that has none.
    pub spf: String,
    /// The selector of the platform's DKIM signatures.
    pub selector: String,
    /// The key record of domains that have no key of their own.
    pub dkim: String,
    /// Key records that went before it: the platform signs with none of them any longer.
    pub former_dkim: Vec<String>,
    /// The DMARC record of a domain that has none.
    pub dmarc: String,
    /// The selector of BIMI.
    pub bimi_selector: String,
    /// The BIMI record of a domain that has a faulty one.
    pub bimi: String,
    /// The tracking name of a domain, unless it is told.
    pub tracking: String,
    /// The domain of the return path.
    pub mail_from: String,
    /// The domain that signatures name.
    pub dkim_d: String,
    /// The URL of our account at the authorities, for CAA records that name one; empty for none.
    pub acme_account: String,
}

/// What the audit has to know of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// What it asks its customers to publish.
    pub expect: Expect,
    /// The name that tracking names lead to.
    pub target: String,
    /// The authorities that may certify, as CAA records name them.
    pub authorities: Vec<String>,
    /// The authorities whose mark certificates are trusted, in DER; empty when trust is not
    /// judged.
    pub mark_roots: Vec<Vec<u8>>,
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for (key, wait) in [
            ("active_every", self.active_every),
            ("other_every", self.other_every),
            ("second_look", self.second_look),
        ] {
            if !(Duration::from_secs(1)..=LONGEST_WAIT).contains(&wait) {
                problems.push((key, "expected 1s to 366d".to_owned()));
            }
        }
        if self.rate > 10_000 {
            problems.push(("rate", "expected at most 10000".to_owned()));
        }
        if !(1..=4_096).contains(&self.at_once) {
            problems.push(("at_once", "expected 1 to 4096".to_owned()));
        }
        problems
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            fetch: true,
            mark_roots: Vec::new(),
            active_every: DAY,
            other_every: 7 * DAY,
            second_look: Duration::from_secs(900),
            rate: 15,
            at_once: 32,
            expect: Expect::default(),
        }
    }
}

impl Expect {
    /// What a text is for one domain.
    pub fn filled(text: &str, sending_domain: &str) -> String {
        text.replace(PLACE, sending_domain)
    }

    /// The key of domains that have none of their own.
    pub fn key(&self) -> Option<dkim::PublicKey> {
        dkim::read(&self.dkim).key
    }

    /// The keys that the platform signed with before.
    pub fn former_keys(&self) -> Vec<dkim::PublicKey> {
        self.former_dkim.iter().filter_map(|text| dkim::read(text).key).collect()
    }

    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for (key, text) in [
            ("spf_include", &self.spf_include),
            ("tracking", &self.tracking),
            ("mail_from", &self.mail_from),
            ("dkim_d", &self.dkim_d),
        ] {
            if !name::is_hostname(&Self::filled(text, EXAMPLE)) {
                problems.push((key, format!("expected a name; {PLACE} stands for the domain")));
            }
        }
        for (key, text) in [("selector", &self.selector), ("bimi_selector", &self.bimi_selector)] {
            if text.is_empty() || !name::is_hostname(&format!("{text}.{EXAMPLE}")) {
                problems.push((key, "expected one or more labels of a name".to_owned()));
            }
        }
        for (key, text, kind) in [
            ("spf", &self.spf, DraftKind::Spf),
            ("dkim", &self.dkim, DraftKind::Dkim),
            ("dmarc", &self.dmarc, DraftKind::Dmarc),
            ("bimi", &self.bimi, DraftKind::Bimi),
        ] {
            if let Some(reason) = fault(&Self::filled(text, EXAMPLE), kind) {
                problems.push((key, reason));
            }
        }
        if self.former_dkim.iter().any(|text| dkim::read(text).key.is_none()) {
            problems.push(("former_dkim", "expected key records, such as v=DKIM1; p=…".to_owned()));
        }
        let include = format!("include:{}", self.spf_include);
        if !self.spf.split(' ').any(|word| word.eq_ignore_ascii_case(&include)) {
            problems.push(("spf", format!("expected {include} among its terms")));
        }
        if !self.acme_account.is_empty() && url::Url::parse(&self.acme_account).is_err() {
            problems.push(("acme_account", "expected the URL of an account, or \"\"".to_owned()));
        }
        problems
    }
}

impl Platform {
    /// What a domain's SPF record is to be when it has none.
    pub(super) fn spf(&self, sending_domain: &str) -> String {
        Expect::filled(&self.expect.spf, sending_domain)
    }
}

/// What our own audit finds wrong in a record that customers would be told to publish.
fn fault(text: &str, kind: DraftKind) -> Option<String> {
    if kind == DraftKind::Spf && !spf::is_record(text) {
        return Some("expected a record that begins with v=spf1".to_owned());
    }
    let published = Published::of_strings([text]);
    let draft = Draft::judge(published.text(), Some(kind)).ok()?;
    let error = draft.findings.iter().find(|finding| finding.is_error())?;
    Some(format!("expected a record without an error; the audit finds {}", error.found))
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            spf_include: "spf.aksend.net".to_owned(),
            spf: "v=spf1 include:spf.aksend.net -all".to_owned(),
            selector: "ak".to_owned(),
            dkim: format!("v=DKIM1; k=rsa; p={SHARED_KEY}"),
            former_dkim: Vec::new(),
            dmarc: format!("v=DMARC1; p=reject; sp=reject; rua=mailto:report@{PLACE}"),
            bimi_selector: "default".to_owned(),
            bimi: format!("v=BIMI1; l=https://{PLACE}/bimi/bimi.svg"),
            tracking: format!("trk.{PLACE}"),
            mail_from: PLACE.to_owned(),
            dkim_d: PLACE.to_owned(),
            acme_account: String::new(),
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 86_400);
/// What stands for the domain in texts.
const PLACE: &str = "{sending_domain}";
/// A domain to try texts on.
const EXAMPLE: &str = "example.com";
/// The platform's public key for domains that have none of their own.
const SHARED_KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCldFYh3Rfrmeov+WqYYpwfW2bVUzxXPy9dSVoUCGLK\
Cn+vgY/pdKIIBFitkvZJXGLnHqreqwGzoriEWf9ZRd+cL2LdA4UrDKheMeorBd2NSIqihkTaKz8PA+SIBFxFGm2Z0Krh5ZDF2NtFVh\
tD4YvqmrFqk2muzZ0tFEko8zP30wIDAQAB";
