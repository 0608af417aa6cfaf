//! `check_host()` (RFC 7208 §4) as a function of what DNS has answered so far.

use std::net::IpAddr;

use super::expansion;
use super::limits::EXPLANATION;
use super::outcome::{Outcome, Verdict};
use super::pass::{Decided, Pass, Sources, Stop};
use super::{domain_spec, fault};
use crate::audit::answers::Found;
use crate::audit::piece::Piece;
use crate::audit::{Answers, Unanswered, name};
use crate::clock::Timestamp;

/// Who sends what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's address; IPv4 in IPv6 is taken for IPv4 (§5).
    pub ip: IpAddr,
    /// The local part of the sender: `postmaster` where it has none (§4.3).
    pub local: String,
    /// The domain that is checked: the sender's.
    pub domain: String,
    /// The name that the client gave itself.
    pub helo: String,
    /// When the check is made.
    pub now: Timestamp,
}

impl Request {
    /// A check of the MAIL FROM identity. An empty `mail_from` (or `<>`) is the null reverse-path
    /// of a bounce, whose identity is postmaster at `helo` (§2.4); one without `@` is a domain.
    pub fn new(ip: IpAddr, mail_from: &str, helo: &str, now: Timestamp) -> Self {
        let bare = mail_from.trim();
        let bare = bare.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(bare);
        let (local, domain) = match bare.rsplit_once('@') {
            Some((local, domain)) => (local, domain),
            None => ("", if bare.is_empty() { helo } else { bare }),
        };
        let local = if local.is_empty() { POSTMASTER } else { local };
        Self {
            ip: ip.to_canonical(),
            local: local.to_owned(),
            domain: a_labels(name::bare(domain)),
            helo: helo.to_owned(),
            now,
        }
    }
}

/// One check that is under way.
#[derive(Debug)]
pub struct Evaluation {
    request: Request,
    sources: Sources,
    questions: usize,
}

impl Evaluation {
    /// Begins a check.
    pub fn new(request: Request) -> Self {
        Self { request, sources: Sources::new(), questions: 0 }
    }

    /// Makes the check with the answers that are known, or says which ones it needs first.
    ///
    /// However a zone is made, a check ends after at most ten terms that cause lookups and some
    /// 130 questions, is never more than eleven records deep, and calls itself no deeper.
    pub fn check(&mut self, answers: &Answers) -> Result<Outcome, Unanswered> {
        let mut pass = Pass::new(&self.request, answers, &mut self.sources);
        let checked = pass.check_host(&self.request.domain, 0);
        let decided = match checked {
            Ok(decided) => decided,
            Err(Stop::Permanent(reason)) => Decided::new(Verdict::PermError, reason),
            Err(Stop::Temporary(reason)) => Decided::new(Verdict::TempError, reason),
            Err(Stop::Unanswered(unanswered)) => return self.needs(unanswered),
        };
        let explanation = match explanation(&mut pass, &decided) {
            Ok(explanation) => explanation,
            Err(unanswered) => return self.needs(unanswered),
        };
        let Decided { verdict, reason, .. } = decided;
        let Pass { lookups, voids, steps, untold, .. } = pass;
        let questions = self.questions;
        Ok(Outcome { verdict, explanation, reason, steps, untold, lookups, voids, questions })
    }

    fn needs(&mut self, unanswered: Unanswered) -> Result<Outcome, Unanswered> {
        self.questions += unanswered.0.len();
        Err(unanswered)
    }
}

/// The domain's own words for a fail; none when anything is wrong with them (§6.2).
fn explanation(pass: &mut Pass<'_>, decided: &Decided) -> Result<Option<String>, Unanswered> {
    let Some(source) = &decided.fails_by else { return Ok(None) };
    let domain = source.domain.as_str();
    let Some(spec) = source.record.explanation() else { return Ok(None) };
    let unanswered = |stop| match stop {
        Stop::Unanswered(unanswered) => Err(unanswered),
        _ => Ok(None),
    };
    let target = match pass.target(spec, domain) {
        Ok(target) => target,
        Err(stop) => return unanswered(stop),
    };
    if !name::is_askable(&target) {
        return Ok(None);
    }
    let Found::Some([text]) = pass.answers.texts(&target)? else { return Ok(None) };
    let text = text.text();
    let is_visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if text.is_empty() || !text.bytes().all(is_visible) {
        return Ok(None);
    }
    let mut faults = fault::Faults::default();
    let spec = domain_spec::text(Piece::all(text), &mut faults);
    if faults.len() > 0 {
        return Ok(None);
    }
    let validated = match pass.validated_for(&spec, domain) {
        Ok(validated) => validated,
        Err(stop) => return unanswered(stop),
    };
    let variables = pass.variables(domain, validated.as_deref());
    Ok(expansion::text(&spec, &variables, EXPLANATION))
}

/// The domain in A-labels; as it is when it has none (§2.3 wants the conversion before a check).
fn a_labels(domain: &str) -> String {
    if domain.is_ascii() {
        return domain.to_owned();
    }
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(ascii)) => ascii,
        _ => domain.to_owned(),
    }
}

/// Who sends when nobody is named (§2.4, §4.3).
const POSTMASTER: &str = "postmaster";
