//! One walk through a domain's records, with the answers that are known.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::expansion::Variables;
use super::limits::{LOOKUPS, STEPS, VOIDS};
use super::outcome::{Step, Verdict};
use super::term::{Directive, Mechanism, Term};
use super::{DomainSpec, Record, Request, lexer, networks, selection};
use crate::audit::answers::Found;
use crate::audit::{Answers, Unanswered, name};
use crate::dns::{Failure, Kind};

/// A domain's record, read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) domain: String,
    text: String,
    pub(super) record: Record,
}

/// Records by domain.
pub(super) type Sources = HashMap<String, Arc<Source>>;

/// The state of a walk.
pub(super) struct Pass<'a> {
    pub(super) request: &'a Request,
    pub(super) answers: &'a Answers,
    /// What has been read before, by domain.
    sources: &'a mut Sources,
    pub(super) lookups: usize,
    pub(super) voids: usize,
    pub(super) steps: Vec<Step>,
    pub(super) untold: usize,
    /// Whether the term at hand has counted as void already: terms count, not questions.
    is_void: bool,
}

/// Why a walk ended early.
pub(super) enum Stop {
    /// Something has to be asked first.
    Unanswered(Unanswered),
    /// temperror, and why.
    Temporary(String),
    /// permerror, and why.
    Permanent(String),
}

/// What a walk came to.
pub(super) struct Decided {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    /// On a fail, the record that it comes from: its `exp` explains (§6.2).
    pub(super) fails_by: Option<Arc<Source>>,
}

impl Decided {
    pub(super) fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), fails_by: None }
    }
}

impl From<Unanswered> for Stop {
    fn from(unanswered: Unanswered) -> Self {
        Self::Unanswered(unanswered)
    }
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        request: &'a Request,
        answers: &'a Answers,
        sources: &'a mut Sources,
    ) -> Self {
        let (steps, untold) = (Vec::new(), 0);
        Self { request, answers, sources, lookups: 0, voids: 0, steps, untold, is_void: false }
    }

    /// `check_host()` for one domain (§4). The ten lookups bound how deep it calls itself.
    pub(super) fn check_host(&mut self, domain: &str, depth: usize) -> Result<Decided, Stop> {
        // The root's dot is none of the domain's parts, which macros count.
        let domain = name::bare(domain);
        if !is_checkable(domain) {
            let reason = format!("\"{domain}\" is no domain of several labels");
            return Ok(Decided::new(Verdict::None, reason));
        }
        let Some(source) = self.source(domain)? else {
            return Ok(Decided::new(Verdict::None, format!("{domain} has no SPF record")));
        };
        if let Some(fault) = source.record.faults.first() {
            return Err(Stop::Permanent(format!("the record of {domain} is not valid: {fault}")));
        }
        for (term, directive) in source.record.directives() {
            if self.directive(&source, term, directive, depth)? {
                let verdict = Verdict::from(directive.qualifier);
                let reason = format!("{} of {domain} matches", source.word(term));
                let fails_by = (verdict == Verdict::Fail).then(|| Arc::clone(&source));
                return Ok(Decided { verdict, reason, fails_by });
            }
        }
        match source.record.redirect().filter(|_| source.record.all().is_none()) {
            Some((term, spec)) => self.redirect(&source, term, spec, depth),
            None => Ok(Decided::new(Verdict::Neutral, format!("no term of {domain} matches"))),
        }
    }

    /// The domain's record, when it has exactly one (§4.4, §4.5).
    fn source(&mut self, domain: &str) -> Result<Option<Arc<Source>>, Stop> {
        if let Some(source) = self.sources.get(domain) {
            return Ok(Some(Arc::clone(source)));
        }
        let texts = match self.answers.texts(domain)? {
            Found::Some(texts) => texts,
            Found::Nothing { .. } => return Ok(None),
            Found::Failed(why) => return Err(failed(domain, Kind::Txt, why)),
        };
        let mut ours = texts.iter().filter(|text| selection::is_record(text.text()));
        let (first, second) = (ours.next(), ours.next());
        if second.is_some() {
            return Err(Stop::Permanent(format!("{domain} has several SPF records")));
        }
        let Some(text) = first else { return Ok(None) };
        let (text, record) = (text.text().to_owned(), lexer::read(text.text()));
        let source = Arc::new(Source { domain: domain.to_owned(), text, record });
        self.sources.insert(domain.to_owned(), Arc::clone(&source));
        Ok(Some(source))
    }

    /// Evaluates one directive: whether it matches.
    fn directive(
        &mut self,
        source: &Source,
        term: &Term,
        directive: &Directive,
        depth: usize,
    ) -> Result<bool, Stop> {
        let step = self.begin(source, term, depth)?;
        let matched = self.matches(directive, &source.domain, depth, step);
        let came = match &matched {
            Ok(true) => format!("match: {}", Verdict::from(directive.qualifier)).into(),
            Ok(false) => Cow::Borrowed("no match"),
            Err(Stop::Permanent(why)) => format!("permerror: {why}").into(),
            Err(Stop::Temporary(why)) => format!("temperror: {why}").into(),
            Err(Stop::Unanswered(_)) => Cow::Borrowed(""),
        };
        self.came(step, came);
        matched
    }

    fn matches(
        &mut self,
        directive: &Directive,
        domain: &str,
        depth: usize,
        step: Option<usize>,
    ) -> Result<bool, Stop> {
        let ip = self.request.ip;
        match &directive.mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4 { network, prefix } => Ok(match ip {
                IpAddr::V4(ip) => networks::holds_ip4(*network, *prefix, ip),
                IpAddr::V6(_) => false,
            }),
            Mechanism::Ip6 { network, prefix } => Ok(match ip {
                IpAddr::V6(ip) => networks::holds_ip6(*network, *prefix, ip),
                IpAddr::V4(_) => false,
            }),
            Mechanism::Include(spec) => {
                let target = self.told_target(Some(spec), domain, step)?;
                self.include(&target, depth)
            }
            Mechanism::A { domain: spec, prefixes } => {
                let target = self.told_target(spec.as_ref(), domain, step)?;
                self.a(&target, *prefixes, step)
            }
            Mechanism::Mx { domain: spec, prefixes } => {
                let target = self.told_target(spec.as_ref(), domain, step)?;
                self.mx(&target, *prefixes, step)
            }
            Mechanism::Ptr { domain: spec } => {
                let target = self.told_target(spec.as_ref(), domain, step)?;
                self.ptr(&target, step)
            }
            Mechanism::Exists(spec) => {
                let target = self.told_target(Some(spec), domain, step)?;
                self.exists(&target, step)
            }
        }
    }

    /// Passes exactly if the included record does; an included name without a record is an error
    /// of this record (§5.2).
    fn include(&mut self, target: &str, depth: usize) -> Result<bool, Stop> {
        let decided = self.check_host(target, depth + 1)?;
        match decided.verdict {
            Verdict::Pass => Ok(true),
            Verdict::None => Err(Stop::Permanent(format!("included {}", decided.reason))),
            _ => Ok(false),
        }
    }

    fn redirect(
        &mut self,
        source: &Source,
        term: &Term,
        spec: &DomainSpec,
        depth: usize,
    ) -> Result<Decided, Stop> {
        let step = self.begin(source, term, depth)?;
        let target = self.told_target(Some(spec), &source.domain, step)?;
        self.came(step, Cow::Borrowed("followed"));
        let decided = self.check_host(&target, depth + 1)?;
        if decided.verdict == Verdict::None {
            return Err(Stop::Permanent(format!("redirected: {}", decided.reason)));
        }
        Ok(decided)
    }

    /// Counts a term, and tells of it.
    fn begin(&mut self, source: &Source, term: &Term, depth: usize) -> Result<Option<usize>, Stop> {
        let cost = usize::from(term.kind.is_lookup());
        self.is_void = false;
        if self.lookups + cost > LOOKUPS {
            let (word, domain) = (source.word(term), &source.domain);
            let reason = format!("{word} of {domain} is an eleventh term that causes lookups");
            return Err(Stop::Permanent(reason));
        }
        self.lookups += cost;
        if self.steps.len() == STEPS {
            self.untold += 1;
            return Ok(None);
        }
        self.steps.push(Step {
            depth,
            domain: source.domain.clone(),
            term: source.word(term).to_owned(),
            target: None,
            cost,
            is_void: false,
            came: Cow::Borrowed(""),
        });
        Ok(Some(self.steps.len() - 1))
    }

    fn came(&mut self, step: Option<usize>, came: Cow<'static, str>) {
        if let Some(step) = step.and_then(|step| self.steps.get_mut(step)) {
            step.came = came;
        }
    }

    /// Counts the term at hand as one that asked for something that does not exist.
    pub(super) fn void(&mut self, step: Option<usize>) -> Result<(), Stop> {
        if std::mem::replace(&mut self.is_void, true) {
            return Ok(());
        }
        if let Some(step) = step.and_then(|step| self.steps.get_mut(step)) {
            step.is_void = true;
        }
        self.voids += 1;
        if self.voids > VOIDS {
            return Err(Stop::Permanent("a third term asks for what does not exist".to_owned()));
        }
        Ok(())
    }

    fn told_target(
        &mut self,
        spec: Option<&DomainSpec>,
        domain: &str,
        step: Option<usize>,
    ) -> Result<String, Stop> {
        let Some(spec) = spec else { return Ok(domain.to_owned()) };
        let target = self.target(spec, domain)?;
        if spec.literal().is_none()
            && let Some(step) = step.and_then(|step| self.steps.get_mut(step))
        {
            step.target = Some(target.clone());
        }
        Ok(target)
    }

    pub(super) fn variables<'v>(
        &'v self,
        domain: &'v str,
        validated: Option<&'v str>,
    ) -> Variables<'v> {
        let Request { ip, local, domain: sender_domain, helo, now } = self.request;
        Variables { local, sender_domain, domain, ip: *ip, helo, validated, now: *now }
    }
}

impl Source {
    /// A term as it is written.
    fn word(&self, term: &Term) -> &str {
        term.span.of(&self.text)
    }
}

/// temperror for a lookup that failed.
pub(super) fn failed(name: &str, kind: Kind, why: Failure) -> Stop {
    Stop::Temporary(format!("{} of {name}: {why}", kind.name()))
}

/// Whether a domain can have a record: a name of several labels, not an address (§4.3).
fn is_checkable(domain: &str) -> bool {
    name::is_askable(domain) && name::bare(domain).contains('.') && !domain.starts_with('[')
}
