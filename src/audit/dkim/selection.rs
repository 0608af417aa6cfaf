//! Which of the TXT records at a selector's name is the key (RFC 6376 §3.6.2.2).

use crate::audit::answers::Found;
use crate::audit::rules::dkim;
use crate::audit::{Answers, Finding, Published, Unanswered, name};

/// The key record of a selector, and what is wrong with finding it.
///
/// A key is present when a TXT record stands at `<selector>._domainkey.<domain>` itself: that
/// `_domainkey.<domain>` exists says nothing.
pub fn select(
    selector: &str,
    domain: &str,
    answers: &Answers,
) -> Result<(Option<Published>, Vec<Finding>), Unanswered> {
    let name = format!("{selector}._domainkey.{}", name::bare(domain));
    Ok(match answers.texts(&name)? {
        Found::Some([text]) => (Some(text.clone()), Vec::new()),
        Found::Some(texts) => {
            let found = format!("{} TXT records at {name}", texts.len());
            (None, vec![Finding::error(&dkim::K01, found).expected("the key's record alone")])
        }
        Found::Nothing { .. } => {
            let found = format!("no TXT record at {name}");
            (None, vec![Finding::error(&dkim::K01, found).expected("the key's record")])
        }
        Found::Failed(why) => {
            let found = format!("the TXT records of {name} are not known: {why}");
            (None, vec![Finding::unknown(&dkim::K01, found)])
        }
    })
}
