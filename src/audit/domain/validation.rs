//! What fails because signatures do not validate.
//!
//! A resolver says SERVFAIL of signatures that do not validate, and of much else: of a server of
//! the zone that did not answer it in time, say. So it is asked once without validation, and, when
//! it answers that, once more with it. Only what is refused again, in a zone that is signed, is
//! bogus.

use super::evidence::Needs;
use super::examine::View;
use super::report::Section;
use crate::audit::rules::tracking::T06;
use crate::audit::{Answer, Finding, Unanswered, Who};
use crate::dns::{Failure, Kind, Name, Question};

/// Judges what ended as SERVFAIL.
pub(super) fn judge(view: &View<'_>, zone: &mut Section, needs: &mut Needs) {
    for (question, top) in refused(view) {
        let evidence = view.evidence;
        let finding = match (evidence.unchecked.get(question), evidence.again.get(question)) {
            (None, _) => {
                needs.unchecked.push(question.clone());
                continue;
            }
            (Some(Answer::Failed(_)), _) => unknown(question),
            (Some(_), None) => {
                needs.again.push(question.clone());
                needs.take(signed(view, &top));
                continue;
            }
            (Some(_), Some(Answer::Failed(Failure::ServerFailure))) => {
                match needs.take(signed(view, &top)) {
                    Some(true) => bogus(question),
                    Some(false) => unknown(question),
                    None => continue,
                }
            }
            (Some(_), Some(Answer::Failed(_))) => unknown(question),
            // It had passed.
            (Some(_), Some(_)) => continue,
        };
        zone.findings.push(finding);
    }
}

/// The questions about the domain and its tracking name that ended as SERVFAIL, some of each, and
/// with each the name at or above which their zone begins.
fn refused<'a>(view: &View<'a>) -> impl Iterator<Item = (&'a Question, Name)> {
    let domain = Name::parse(view.domain()).ok();
    let tracking = Name::parse(&view.subject.tracking).ok();
    let within =
        |name: &Name, top: &Option<Name>| top.as_ref().is_some_and(|top| name.is_within(top));
    let (mut own, mut elsewhere) = (Vec::new(), Vec::new());
    for (question, failure) in view.evidence.answers.failed() {
        // DS records stand in the zone above.
        if failure != Failure::ServerFailure || question.kind == Kind::Ds {
            continue;
        }
        if within(&question.name, &domain) {
            own.push(question);
        } else if within(&question.name, &tracking) {
            elsewhere.push(question);
        }
    }
    let above = tracking.as_ref().and_then(Name::parent);
    let own = own.into_iter().take(TRIED).zip(std::iter::repeat(domain));
    let elsewhere = elsewhere.into_iter().take(TRIED).zip(std::iter::repeat(above));
    own.chain(elsewhere).filter_map(|(question, top)| Some((question, top?)))
}

/// Whether the zone that holds `top` is signed, as far as DNS says: by the DS record of the first
/// name that answers, from `top` upwards. In a bogus zone the names below its own do not.
fn signed(view: &View<'_>, top: &Name) -> Result<bool, Unanswered> {
    let mut names = vec![top.clone()];
    while let Some(parent) = names.last().and_then(Name::parent)
        && parent.parent().is_some_and(|above| !above.is_root())
    {
        names.push(parent);
    }
    let answers = view.answers();
    answers.need(names.iter().map(|name| Question::new(name, Kind::Ds)))?;
    for name in names {
        if let Some(is_signed) = answers.has(name.as_str(), Kind::Ds)? {
            return Ok(is_signed);
        }
    }
    Ok(false)
}

fn bogus(question: &Question) -> Finding {
    let found = format!("{question} is answered only where signatures are not checked");
    Finding::error(&T06, found)
        .expected("signatures that validate, or no DS record at the parent")
        .by(Who::Customer)
}

fn unknown(question: &Question) -> Finding {
    Finding::unknown(&T06, format!("whether signatures of {question} validate is not known"))
}

/// Questions that are asked again: one bogus zone shows in each of them.
const TRIED: usize = 2;
