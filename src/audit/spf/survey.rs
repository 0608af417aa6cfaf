//! All that a record includes, whoever sends: the worst case of what an evaluation can meet.
//!
//! [`super::Evaluation`] follows one sender until a term matches. A survey follows every term,
//! counts what the whole tree costs, and says what is wrong anywhere in it, at the term of the
//! domain's own record that leads there.

use super::judge::{NEAR, reached, wide};
use super::limits::{ADDRESSES, FOLLOWED, LOOKUPS, VOIDS};
use super::term::{Mechanism, Qualifier, Record, Term, TermKind};
use super::{DomainSpec, lexer, selection};
use crate::audit::answers::Found;
use crate::audit::rules::spf;
use crate::audit::{Answers, Finding, Rule, Span, Unanswered, name};
use crate::dns::{Failure, Kind, Question};

/// What a domain's record comes to with all that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many of the ten lookups an evaluation takes when no term matches before the end.
    /// Terms whose domain depends on the sender count, but what they lead to is not known.
    pub lookups: usize,
    /// How many terms ask for something that does not exist.
    pub voids: usize,
    /// Every record that was read.
    pub records: Vec<Visited>,
    /// What is wrong in the tree, at terms of the domain's own record.
    pub findings: Vec<Finding>,
}

/// A record of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visited {
    /// Its domain.
    pub domain: String,
    /// How many records it is in.
    pub depth: usize,
    /// Whether a pass of it is a pass of the domain: every term on the way says so.
    pub is_pass: bool,
}

/// Walks the tree of the record of `domain`, or says what has to be asked first. What the record
/// itself shows is for [`super::judge`] and [`super::select`] to tell.
pub fn survey(domain: &str, answers: &Answers) -> Result<Survey, Unanswered> {
    let mut walk = Walk { answers, survey: Survey::default(), missing: Vec::new() };
    // Why there is no record is for others to tell.
    if let Ok(Some(record)) = walk.read(domain) {
        let path = vec![name::normal(domain)];
        walk.record(&record, &Place { path, origin: None, is_pass: true, is_last: true });
    }
    if !walk.missing.is_empty() {
        return Err(Unanswered::new(walk.missing));
    }
    let mut survey = walk.survey;
    limits(&mut survey);
    Ok(survey)
}

struct Walk<'a> {
    answers: &'a Answers,
    survey: Survey,
    missing: Vec<Question>,
}

/// Where in the tree a record is.
struct Place {
    /// The domains from the first record to this one.
    path: Vec<String>,
    /// The term of the first record that leads here; none in the first record itself.
    origin: Option<Span>,
    is_pass: bool,
    /// Whether what this record says of all other senders is what the domain says.
    is_last: bool,
}

/// Why there is no record to walk.
enum Unread {
    Unanswered,
    Failed(Failure),
    Wrong(String),
}

impl Walk<'_> {
    fn record(&mut self, record: &Record, place: &Place) {
        let domain = place.path.last().cloned().unwrap_or_default();
        let depth = place.path.len() - 1;
        self.survey.records.push(Visited { domain: domain.clone(), depth, is_pass: place.is_pass });
        if depth > 0 && place.is_pass {
            self.widths(record, &domain, place);
        }
        if depth > 0 && place.is_last {
            self.everybody_else(record, &domain, place);
        }
        for term in reached(record) {
            self.survey.lookups += usize::from(term.kind.is_lookup());
            if self.survey.lookups > FOLLOWED || depth > LOOKUPS {
                continue;
            }
            let at = place.origin.unwrap_or(term.span);
            match &term.kind {
                TermKind::Redirect(spec) => {
                    self.follow(spec, place, at, (place.is_pass, place.is_last));
                }
                TermKind::Directive(directive) => match &directive.mechanism {
                    Mechanism::Include(spec) => {
                        let is_pass = place.is_pass && directive.qualifier == Qualifier::Pass;
                        self.follow(spec, place, at, (is_pass, false));
                    }
                    mechanism => self.lookup(mechanism, &domain, at),
                },
                TermKind::Explanation(_) | TermKind::Unknown { .. } => {}
            }
        }
    }

    /// Goes into an included or redirected record.
    fn follow(
        &mut self,
        spec: &DomainSpec,
        place: &Place,
        at: Span,
        (is_pass, is_last): (bool, bool),
    ) {
        let Some(target) = spec.literal().map(name::normal) else { return };
        let mut path = place.path.clone();
        let is_loop = path.contains(&target);
        path.push(target.clone());
        let way = path.get(1..).unwrap_or_default().join(" → ");
        if is_loop {
            let found = format!("a loop: {}", path.join(" → "));
            self.tell(Finding::error(&spf::S12, found).at(at).expected("no way back"));
            return;
        }
        match self.read(&target) {
            Ok(Some(record)) => {
                self.record(&record, &Place { path, origin: Some(at), is_pass, is_last });
            }
            Ok(None) => self.missing_record(&target, &way, at),
            Err(Unread::Wrong(why)) => self.tell(invalid(&way, &why, at)),
            Err(Unread::Failed(why)) => {
                let found = format!("the record of {way} is not known: {why}");
                self.tell(Finding::unknown(&spf::S11, found).at(at));
            }
            Err(Unread::Unanswered) => {}
        }
    }

    fn missing_record(&mut self, target: &str, way: &str, at: Span) {
        self.tell(invalid(way, "there is none", at));
        let exists = !matches!(self.answers.texts(target), Ok(Found::Nothing { exists: false }));
        if !exists {
            let found =
                format!("{target} does not exist: whoever registers it decides who may send");
            self.tell(Finding::weak(&spf::S25, found).at(at).expected("no such term"));
        }
    }

    /// The record of a name, when it has one that is valid.
    fn read(&mut self, domain: &str) -> Result<Option<Record>, Unread> {
        if !name::is_askable(domain) || !domain.contains('.') {
            return Err(Unread::Wrong("it is no domain of several labels".to_owned()));
        }
        let texts = match self.answers.texts(domain) {
            Ok(Found::Some(texts)) => texts,
            Ok(Found::Nothing { .. }) => return Ok(None),
            Ok(Found::Failed(why)) => return Err(Unread::Failed(why)),
            Err(unanswered) => {
                self.missing.extend(unanswered.0);
                return Err(Unread::Unanswered);
            }
        };
        let mut ours = texts.iter().filter(|text| selection::is_record(text.text()));
        let (first, second) = (ours.next(), ours.next());
        if second.is_some() {
            return Err(Unread::Wrong("there are several".to_owned()));
        }
        let Some(text) = first else { return Ok(None) };
        let record = lexer::read(text.text());
        match record.faults.first() {
            Some(fault) => Err(Unread::Wrong(fault.to_string())),
            None => Ok(Some(record)),
        }
    }

    /// Records whose pass is everybody's.
    fn widths(&mut self, record: &Record, domain: &str, place: &Place) {
        let Some(at) = place.origin else { return };
        for term in reached(record) {
            let mut findings = Vec::new();
            wide(term, &mut findings);
            if is_pass_all(term) {
                let found = "all with pass: every address may send".to_owned();
                findings.push(Finding::error(&spf::S13, found).expected("another include"));
            }
            for finding in findings {
                let found = format!("in {domain}: {}", finding.found);
                self.tell(Finding { found, at: Some(at), ..finding });
            }
        }
    }

    /// What a record that the domain redirects to says of all other senders.
    fn everybody_else(&mut self, record: &Record, domain: &str, place: &Place) {
        let said = match record.all() {
            Some((_, Qualifier::Neutral)) => "?all",
            None if record.redirect().is_none() => "neither all nor redirect",
            _ => return,
        };
        let found = format!("in {domain}: {said}: other senders get neutral");
        let finding = Finding::weak(&spf::S14, found).expected("-all or ~all");
        self.tell(Finding { at: place.origin, ..finding });
    }

    /// Looks up what a term of a fixed name asks for.
    fn lookup(&mut self, mechanism: &Mechanism, domain: &str, at: Span) {
        let (spec, kind) = match mechanism {
            Mechanism::A { domain, .. } => (domain.as_ref(), Kind::A),
            Mechanism::Mx { domain, .. } => (domain.as_ref(), Kind::Mx),
            Mechanism::Exists(domain) => (Some(domain), Kind::A),
            _ => return,
        };
        let target = match spec {
            Some(spec) => match spec.literal() {
                Some(target) => target,
                None => return,
            },
            None => domain,
        };
        if !name::is_askable(target) || self.survey.lookups > LOOKUPS {
            return;
        }
        let (nothing, failed) = if kind == Kind::Mx {
            match self.answers.exchanges(target) {
                Ok(Found::Some(hosts)) if hosts.len() > ADDRESSES => {
                    let found = format!("{target} has {} mail exchangers", hosts.len());
                    self.tell(Finding::error(&spf::S10, found).at(at).expected("at most ten"));
                    (false, None)
                }
                Ok(found) => state(&found),
                Err(unanswered) => return self.missing.extend(unanswered.0),
            }
        } else {
            match self.answers.addresses(target, kind) {
                Ok(found) => state(&found),
                Err(unanswered) => return self.missing.extend(unanswered.0),
            }
        };
        if let Some(why) = failed {
            let found = format!("{} of {target} is not known: {why}", kind.name());
            self.tell(Finding::unknown(&spf::S09, found).at(at));
        } else if nothing {
            self.survey.voids += 1;
            let found =
                format!("{target} has no {} record: the term asks for nothing", kind.name());
            self.tell(Finding::weak(&spf::S25, found).at(at).expected("a name that has one"));
        }
    }

    /// One finding of a kind at a term is enough: trees repeat themselves.
    fn tell(&mut self, finding: Finding) {
        if !self.survey.findings.contains(&finding) {
            self.survey.findings.push(finding);
        }
    }
}

/// What the whole tree costs.
fn limits(survey: &mut Survey) {
    let mut tell = |rule: &'static Rule, is_error: bool, found: String, expected: String| {
        let finding =
            if is_error { Finding::error(rule, found) } else { Finding::weak(rule, found) };
        survey.findings.push(finding.expected(expected));
    };
    let lookups = survey.lookups;
    let found = format!("{lookups} lookups, with all that is included");
    if lookups > LOOKUPS {
        tell(&spf::S07, true, found, format!("at most {LOOKUPS}"));
    } else if lookups >= NEAR {
        tell(&spf::S08, false, found, format!("a margin below {LOOKUPS}"));
    }
    if survey.voids > VOIDS {
        let found = format!("{} terms ask for what does not exist", survey.voids);
        tell(&spf::S09, true, found, format!("at most {VOIDS}"));
    }
}

fn invalid(way: &str, why: &str, at: Span) -> Finding {
    Finding::error(&spf::S11, format!("the record of {way} is not valid: {why}"))
        .at(at)
        .expected("a name with one valid SPF record")
}

fn is_pass_all(term: &Term) -> bool {
    matches!(&term.kind, TermKind::Directive(directive)
        if directive.mechanism == Mechanism::All && directive.qualifier == Qualifier::Pass)
}

/// Whether nothing was found, and why nothing is known.
fn state<T>(found: &Found<'_, T>) -> (bool, Option<Failure>) {
    match found {
        Found::Some(_) => (false, None),
        Found::Nothing { .. } => (true, None),
        Found::Failed(why) => (false, Some(*why)),
    }
}
