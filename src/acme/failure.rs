//! Why an order came to nothing: whose fault it is, and when it is worth another try.

use std::fmt;
use std::time::Duration;

use instant_acme::{Error, Problem};
use thiserror::Error;

use super::transport::Rebuff;
use crate::domains::Reason;
use crate::fetch::FetchError;
use crate::hostname::Hostname;

/// Why an order came to nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{detail}")]
pub struct Failure {
    /// What kind it is.
    pub kind: FailureKind,
    /// What was said, the authority's own words where it said something.
    pub detail: String,
    /// How long the authority wants not to be asked.
    pub retry_after: Option<Duration>,
    /// Whether the name itself failed, and not an authority for all names alike: only that makes
    /// its next wait longer.
    pub(super) is_of_name: bool,
    /// Whether the authority was asked at all.
    pub(super) was_asked: bool,
    /// Whether the authority says that it does not know our account.
    pub(super) is_unknown_account: bool,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The authority does not know our account, or does not take it.
    Account,
    /// A budget of ours is used up.
    Budget,
    /// CAA records forbid it.
    Caa,
    /// The authority could not find our address in the DNS.
    ChallengeDns,
    /// The authority did not find the answer to its challenge at our address.
    Challenge,
    /// The authority allows no more now.
    Limited,
    /// What the authority said is not understood.
    Malformed,
    /// Our own store failed.
    Node,
    /// The name does not lead to us.
    NotPointed,
    /// The authority does not certify this name.
    Rejected,
    /// It took too long.
    TimedOut,
    /// Where the name leads could not be found out.
    Unseen,
    /// The authority does not answer, or says that it cannot.
    Unavailable,
    /// Our own look at our port 80 did not find us.
    Unreachable,
    /// The certificate that came may not be served.
    Unusable,
    /// The order is no longer there.
    Vanished,
}

/// Whom a limit of the authority's holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// This name.
    Name,
    /// All that we ask.
    Issuer,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, detail: impl fmt::Display) -> Self {
        use FailureKind::{Account, Budget, Node, Unavailable, Unseen};
        let is_of_name = !matches!(kind, Account | Budget | Node | Unavailable | Unseen);
        Self {
            kind,
            detail: detail.to_string(),
            retry_after: None,
            is_of_name,
            was_asked: true,
            is_unknown_account: false,
        }
    }

    /// What an error of the library comes to; `retry_after` is what the last answer asked for.
    pub(super) fn of(error: &Error, retry_after: Option<Duration>) -> Self {
        let (kind, detail) = match error {
            Error::Api(problem) => return Self::of_problem(problem).waiting(retry_after),
            Error::Timeout(_) => (FailureKind::TimedOut, error.to_string()),
            Error::Json(_) | Error::Str(_) | Error::InvalidUri(_) => {
                (FailureKind::Malformed, error.to_string())
            }
            Error::Other(cause) => match (cause.downcast_ref(), cause.downcast_ref()) {
                (Some(rebuff), _) => of_rebuff(rebuff),
                (_, Some(fetch)) => of_fetch(fetch),
                _ => (FailureKind::Malformed, error.to_string()),
            },
            _ => (FailureKind::Malformed, error.to_string()),
        };
        Self::new(kind, detail).waiting(retry_after)
    }

    /// With how long the authority asked to be left alone, where that is what it said.
    fn waiting(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after: retry_after.filter(|_| self.is_to_wait()), ..self }
    }

    /// What is wrong with a name, in the authority's words.
    pub(super) fn of_problem(problem: &Problem) -> Self {
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let is_unknown_account = kind.ends_with(":accountDoesNotExist");
        Self { is_unknown_account, ..Self::new(of_problem(problem), words(problem)) }
    }

    /// Whether another authority may do what this one did not.
    pub(super) fn is_worth_another_issuer(&self) -> bool {
        use FailureKind::{Challenge, ChallengeDns, Node, NotPointed, Unreachable, Unseen};
        !matches!(self.kind, Challenge | ChallengeDns | Node | NotPointed | Unreachable | Unseen)
    }

    /// The same failure of a request that is about our account and no name yet: whatever the
    /// authority objects to then, it is our account that it does not take.
    pub(super) fn of_account(self) -> Self {
        match self.kind {
            FailureKind::Malformed | FailureKind::Challenge => {
                Self { kind: FailureKind::Account, ..self }
            }
            _ => self,
        }
    }

    /// Whether an order that came to this may go on where it is the next time.
    pub(super) fn is_to_go_on(&self) -> bool {
        use FailureKind::{Account, Budget, Limited, Node, TimedOut, Unavailable};
        matches!(self.kind, Account | Budget | Limited | Node | TimedOut | Unavailable)
    }

    /// Whether it may be the authority's own trouble, though it came with one name: then a name's
    /// wait grows, and not to a day.
    pub(super) fn may_be_of_issuer(&self) -> bool {
        use FailureKind::{Malformed, TimedOut, Vanished};
        matches!(self.kind, Malformed | TimedOut | Vanished)
    }

    /// Whether the authority wants to be asked later, so that nothing is known.
    pub(super) fn is_to_wait(&self) -> bool {
        matches!(self.kind, FailureKind::Limited | FailureKind::Unavailable)
    }

    /// Whom the authority's wish to be left alone holds for.
    pub(super) fn scope(&self, name: &Hostname, registrable: &str) -> Option<Scope> {
        match self.kind {
            FailureKind::Limited => {
                let is_of_name =
                    names(&self.detail, name.as_str()) || names(&self.detail, registrable);
                Some(if is_of_name { Scope::Name } else { Scope::Issuer })
            }
            FailureKind::Unavailable => Some(Scope::Issuer),
            _ => None,
        }
    }

    /// Why the domain is where it is, in words for people.
    pub(super) fn reason(&self) -> Reason {
        match self.kind {
            FailureKind::Account => Reason::CaAccount,
            FailureKind::Budget => Reason::Budget,
            FailureKind::Caa => Reason::CaCaa,
            FailureKind::ChallengeDns => Reason::ChallengeDns,
            FailureKind::Challenge => Reason::Challenge,
            FailureKind::Limited => Reason::CaLimits,
            FailureKind::Node | FailureKind::NotPointed | FailureKind::Unseen => Reason::Node,
            FailureKind::Rejected => Reason::CaRejects,
            FailureKind::Unreachable => Reason::Unreachable,
            FailureKind::Unusable => Reason::Unusable,
            FailureKind::Malformed
            | FailureKind::TimedOut
            | FailureKind::Unavailable
            | FailureKind::Vanished => Reason::CaUnavailable,
        }
    }
}

impl FailureKind {
    /// A short stable word, for metrics and reports.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Budget => "budget",
            Self::Caa => "caa",
            Self::ChallengeDns => "challenge_dns",
            Self::Challenge => "challenge",
            Self::Limited => "limited",
            Self::Malformed => "malformed",
            Self::Node => "node",
            Self::NotPointed => "not_pointed",
            Self::Rejected => "rejected",
            Self::TimedOut => "timed_out",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::Unseen => "unseen",
            Self::Unusable => "unusable",
            Self::Vanished => "vanished",
        }
    }
}

/// The kinds of problems (RFC 8555 §6.7).
fn of_problem(problem: &Problem) -> FailureKind {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    match kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind) {
        "accountDoesNotExist"
        | "externalAccountRequired"
        | "unsupportedContact"
        | "invalidContact"
        | "userActionRequired"
        | "badPublicKey" => FailureKind::Account,
        "caa" => FailureKind::Caa,
        "dns" => FailureKind::ChallengeDns,
        "connection" | "incorrectResponse" | "tls" | "unauthorized" => FailureKind::Challenge,
        "rateLimited" => FailureKind::Limited,
        "rejectedIdentifier" | "unsupportedIdentifier" => FailureKind::Rejected,
        "serverInternal" => FailureKind::Unavailable,
        _ => match problem.status {
            Some(429) => FailureKind::Limited,
            Some(404) => FailureKind::Vanished,
            Some(status) if status >= 500 => FailureKind::Unavailable,
            _ => FailureKind::Malformed,
        },
    }
}

fn of_rebuff(rebuff: &Rebuff) -> (FailureKind, String) {
    let kind = match rebuff.status {
        429 => FailureKind::Limited,
        404 => FailureKind::Vanished,
        _ => FailureKind::Unavailable,
    };
    (kind, rebuff.to_string())
}

fn of_fetch(error: &FetchError) -> (FailureKind, String) {
    let kind = match error {
        FetchError::TooLarge(_) | FetchError::Encoded(_) => FailureKind::Malformed,
        _ => FailureKind::Unavailable,
    };
    (kind, error.to_string())
}

/// Whether a text has a name in it that is not part of a longer one.
fn names(text: &str, name: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + name.len()..));
        let mut after = after.unwrap_or_default().chars();
        // A point ends a sentence as well as a label.
        let goes_on = match after.next() {
            Some('.') => after.next().is_some_and(is_of_name),
            next => next.is_some_and(is_of_name),
        };
        !goes_on && !before.unwrap_or_default().chars().next_back().is_some_and(is_of_name)
    })
}

/// What the authority says, bounded: it is kept, traced and shown.
fn words(problem: &Problem) -> String {
    let mut words = problem.detail.clone().unwrap_or_default();
    for sub in problem.subproblems.iter().take(3) {
        words.push_str("; ");
        words.push_str(sub.detail.as_deref().unwrap_or_default());
    }
    if let Some(kind) = &problem.r#type {
        let kind = kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind);
        words = format!("{words} ({kind})");
    }
    bounded(words.trim_start_matches("; ").trim())
}

/// At most [`MOST_WORDS`] characters, none of them a control.
pub(super) fn bounded(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_WORDS).collect()
}

const MOST_WORDS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_of_a_name_where_its_words_name_it_and_not_a_part_of_another() {
        for (words, domain, is_of_name) in [
            ("too many certificates (5) already issued for \"example.com\"", "example.com", true),
            ("too many certificates for trk.example.com. Retry later", "example.com", true),
            ("too many orders: see https://letsencrypt.org/docs/", "crypt.org", false),
            ("too many orders: see https://example.com.evil.test/", "example.com", false),
            ("too many orders for my-example.com", "example.com", false),
            ("too many orders", "example.com", false),
        ] {
            let name = Hostname::parse(&format!("trk.{domain}")).unwrap();
            let failure = Failure::new(FailureKind::Limited, words);
            let scope = if is_of_name { Scope::Name } else { Scope::Issuer };
            assert_eq!(failure.scope(&name, domain), Some(scope), "{words}");
        }
    }
}
