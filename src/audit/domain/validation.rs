//! What fails because signatures do not validate.

use super::evidence::Needs;
use super::examine::View;
use super::report::Section;
use crate::audit::rules::tracking::T06;
use crate::audit::{Answer, Finding, Who};
use crate::dns::{Failure, Name, Question};

/// Asks what ended as SERVFAIL once more without validation; what is answered then is bogus.
pub(super) fn judge(view: &View<'_>, zone: &mut Section, needs: &mut Needs) {
    let domain = Name::parse(view.domain()).ok();
    let is_own = |name: &Name| domain.as_ref().is_some_and(|domain| name.is_within(domain));
    let failed = view.answers().failed();
    let refused = failed
        .into_iter()
        .filter(|(question, failure)| *failure == Failure::ServerFailure && is_own(&question.name))
        .take(TRIED);
    for (question, _) in refused {
        match view.evidence.unchecked.get(question) {
            None => needs.unchecked.push(question.clone()),
            Some(Answer::Failed(_)) => {}
            Some(_) => zone.findings.push(finding(question)),
        }
    }
}

fn finding(question: &Question) -> Finding {
    let found = format!("{question} is answered only where signatures are not checked");
    Finding::error(&T06, found)
        .expected("signatures that validate, or no DS record at the parent")
        .by(Who::Customer)
}

/// Questions that are asked again: one bogus zone shows in each of them.
const TRIED: usize = 2;
