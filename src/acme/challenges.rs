//! The answers to the authorities' challenges on port 80 (RFC 8555 §8.3).
//!
//! The driver of an order puts the answer here before it tells the authority to come and look.
//! Any other token is answered only for a name that is being ordered, with the account of the
//! first authority: then another node has the order, and the answer is the same everywhere.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use dashmap::DashMap;
use tokio::sync::Notify;

use crate::hostname::Hostname;

/// The answers that are there now. Cloning shares them.
#[derive(Clone, Default)]
pub struct Challenges {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    answers: DashMap<String, Answer>,
    /// Names with an order in progress, by how often somebody says so.
    ordered: DashMap<Hostname, u32>,
    /// The thumbprint of our account at the first authority.
    primary: ArcSwapOption<String>,
}

struct Answer {
    host: Hostname,
    text: String,
    asked: Arc<Notify>,
}

/// Held while an answer is there.
pub(super) struct Told {
    inner: Arc<Inner>,
    token: String,
    /// Told when the answer was asked for.
    pub(super) asked: Arc<Notify>,
}

/// Held while a name is being ordered.
pub(super) struct Ordered {
    inner: Arc<Inner>,
    host: Hostname,
}

impl Challenges {
    /// The answer for a token of checked syntax, on a name. Never waits.
    pub fn answer(&self, host: &Hostname, token: &str) -> Option<String> {
        if let Some(answer) = self.inner.answers.get(token) {
            if answer.host != *host {
                return None;
            }
            answer.asked.notify_one();
            return Some(answer.text.clone());
        }
        if !self.inner.ordered.contains_key(host) {
            return None;
        }
        let primary = self.inner.primary.load();
        primary.as_ref().map(|thumbprint| format!("{token}.{thumbprint}"))
    }

    /// Answers a token until what is returned is dropped.
    pub(super) fn tell(&self, host: &Hostname, token: &str, text: String) -> Told {
        let asked = Arc::new(Notify::new());
        let answer = Answer { host: host.clone(), text, asked: Arc::clone(&asked) };
        self.inner.answers.insert(token.to_owned(), answer);
        Told { inner: Arc::clone(&self.inner), token: token.to_owned(), asked }
    }

    /// Says that a name is being ordered until what is returned is dropped.
    pub(super) fn ordering(&self, host: &Hostname) -> Ordered {
        *self.inner.ordered.entry(host.clone()).or_default() += 1;
        Ordered { inner: Arc::clone(&self.inner), host: host.clone() }
    }

    /// Sets the account that answers for tokens that other nodes know.
    pub(super) fn set_primary(&self, thumbprint: &str) {
        self.inner.primary.store(Some(Arc::new(thumbprint.to_owned())));
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.inner.answers.remove(&self.token);
    }
}

impl Drop for Ordered {
    fn drop(&mut self) {
        self.inner.ordered.remove_if_mut(&self.host, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").field("answers", &self.inner.answers.len()).finish()
    }
}

/// Whether an authority's token may be put on port 80 (RFC 8555 §8.3, with the lengths in use).
pub(super) fn is_token(token: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (16..=128).contains(&token.len()) && token.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_told_is_answered_and_others_only_while_there_is_an_order() {
        let challenges = Challenges::default();
        let host = |name| Hostname::parse(name).unwrap();
        let (ours, other) = (host("trk.example.com"), host("other.example.com"));
        challenges.set_primary("thumb");
        let token = "abcdefghijklmnop";
        assert_eq!(challenges.answer(&ours, token), None);
        let told = challenges.tell(&ours, token, "text".to_owned());
        assert_eq!(challenges.answer(&ours, token).as_deref(), Some("text"));
        assert_eq!(challenges.answer(&other, token), None, "a token of another name's");
        drop(told);
        let ordered = challenges.ordering(&other);
        drop(challenges.ordering(&other));
        assert_eq!(challenges.answer(&other, token).as_deref(), Some("abcdefghijklmnop.thumb"));
        assert_eq!(challenges.answer(&ours, token), None);
        drop(ordered);
        assert_eq!(challenges.answer(&other, token), None);
        assert!(challenges.inner.answers.is_empty() && challenges.inner.ordered.is_empty());
    }

    #[test]
    fn a_token_is_base64url_of_a_sane_length() {
        for (token, is_fine) in [
            ("abcdefghijklmno_", true),
            ("abcdefghijklmno", false),
            ("abcdefghijklmno/", false),
            ("../../../../../../x", false),
            ("", false),
        ] {
            assert_eq!(is_token(token), is_fine, "{token}");
        }
        assert!(is_token(&"a".repeat(128)) && !is_token(&"a".repeat(129)));
    }
}
