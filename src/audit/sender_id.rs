//! Sender ID records (RFC 4406 §3.1), which are obsolete and still asked of customers.

use super::piece::Piece;
use super::rules::spf;
use super::{Finding, spf as spf_record};

/// Whether a text is a Sender ID record: `spf2.`, a minor version, a slash and scopes.
pub fn is_record(text: &str) -> bool {
    scopes(text).is_some()
}

/// What is to be said of a record: that it is one.
///
/// Its terms are those of SPF; a fault among them harms nobody any more, and is told with it.
pub fn judge(text: &str) -> Vec<Finding> {
    let Some(scopes) = scopes(text) else { return Vec::new() };
    let found = format!("a Sender ID record for {}", scopes.text().replace(',', " and "));
    let mut finding = Finding::note(&spf::I01, found)
        .at(Piece::all(text).part(0, scopes.span().end).span())
        .expected("no such record: it can be removed");
    if let Some(fault) = spf_record::read(text).faults.first() {
        finding.found = format!("{}; moreover {fault}", finding.found);
    }
    vec![finding]
}

/// The scopes of a record, such as `pra` or `mfrom,pra`.
fn scopes(text: &str) -> Option<Piece<'_>> {
    let word = Piece::all(text).split(' ').next()?;
    let (version, scopes) = word.split_once('/')?;
    let minor = version.text().get(PREFIX.len()..)?;
    let is_version = version.text().get(..PREFIX.len())?.eq_ignore_ascii_case(PREFIX)
        && !minor.is_empty()
        && minor.bytes().all(|byte| byte.is_ascii_digit());
    let is_scope = |scope: &str| {
        scope.starts_with(|c: char| c.is_ascii_alphabetic())
            && scope.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    (is_version && scopes.text().split(',').all(is_scope)).then_some(scopes)
}

const PREFIX: &str = "spf2.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_form_is_recognised_and_look_alikes_are_not() {
        for text in [
            "spf2.0/pra include:spf.aksend.net -all",
            "spf2.0/mfrom,pra +mx -all",
            "SPF2.0/PRA",
            "spf2.10/pra ?all",
        ] {
            assert!(is_record(text), "{text}");
        }
        for text in ["v=spf2.0/pra -all", "spf2.0 -all", "spf2./pra", "spf2.0/", " spf2.0/pra", ""]
        {
            assert!(!is_record(text), "{text}");
        }
    }
}
