//! Certificates that are being ordered and not counted yet, by registrable domain: what is left of a
//! budget is theirs first.

use std::sync::Arc;

use dashmap::DashMap;

/// The orders that are underway. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Underway {
    domains: Arc<DashMap<String, u32>>,
}

/// Held while an order is underway.
#[derive(Debug)]
pub(super) struct Share {
    underway: Underway,
    domain: String,
    /// How many of the same domain were underway before.
    pub(super) others: u32,
}

impl Underway {
    /// One more order of a domain.
    pub(super) fn enter(&self, domain: &str) -> Share {
        let mut count = self.domains.entry(domain.to_owned()).or_default();
        let others = *count;
        *count += 1;
        Share { underway: self.clone(), domain: domain.to_owned(), others }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.underway.domains.remove_if_mut(&self.domain, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_later_knows_of_those_before_and_nothing_is_left_behind() {
        let underway = Underway::default();
        let (first, second) = (underway.enter("a.example"), underway.enter("a.example"));
        assert_eq!((first.others, second.others), (0, 1));
        assert_eq!(underway.enter("b.example").others, 0);
        drop(first);
        assert_eq!(underway.enter("a.example").others, 1);
        drop(second);
        assert!(underway.domains.is_empty());
    }
}
