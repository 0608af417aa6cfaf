//! One stretch of a round through all domains: pure.
//!
//! Records of audits come and go with their domains; a round mends what is otherwise all the same:
//! a store from before there were audits, a damaged record, a clock or a setting that has changed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::step::{Pace, spread};
use crate::audit::{Config, Kept, Mark, Standing};
use crate::clock::Timestamp;
use crate::domains::State;
use crate::store::{Change, Content, Due, Expected, Item, Kind, Lane, Page, Stored};

/// What a stretch comes to.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    /// The records that were passed, in the order of names.
    pub(super) passed: Vec<(String, BTreeSet<Mark>)>,
    /// What is to be mended.
    pub(super) changes: Vec<Change>,
    /// Up to which name both are known; `None` at the end.
    pub(super) reached: Option<String>,
}

/// Compares a page of domains with the page of audits behind the same name. `own` is the
/// platform's own name, which is not audited; `made` counts the records that this round has made
/// already.
pub(super) fn stretch(
    domains: &Page,
    audits: &Page,
    (config, own): (&Config, &str),
    made: &mut u64,
    now: Timestamp,
) -> Stretch {
    // Behind the shorter page nothing is known of the other's names.
    let ends = [domains, audits].into_iter().filter(|page| page.has_more);
    let reached = ends.filter_map(|page| page.items.last()).map(Item::name).min();
    let is_within = |item: &&Item| reached.is_none_or(|reached| item.name() <= reached);
    let mut stretch = Stretch { reached: reached.map(str::to_owned), ..Stretch::default() };
    let mut audits = audits.items.iter().filter(is_within).peekable();
    for domain in domains.items.iter().filter(is_within) {
        while let Some(orphan) = audits.next_if(|audit| audit.name() < domain.name()) {
            stretch.remove(orphan);
        }
        let audit = audits.next_if(|audit| audit.name() == domain.name());
        // Of a damaged domain it is not known whether it was removed.
        let Item::Record(domain) = domain else {
            stretch.pass(audit);
            continue;
        };
        if domain.content.state == State::Removed as u8 || domain.name == own {
            audit.into_iter().for_each(|audit| stretch.remove(audit));
            continue;
        }
        stretch.pass(audit);
        stretch.changes.extend(match audit {
            Some(Item::Record(audit)) => sooner(audit, domain, config, now),
            other => Some(anew(domain, other.is_some(), config, made, now)),
        });
    }
    audits.for_each(|orphan| stretch.remove(orphan));
    stretch
}

impl Stretch {
    fn pass(&mut self, audit: Option<&Item>) {
        if let Some(Item::Record(audit)) = audit {
            self.passed.push((audit.name.clone(), Kept::marks_in(&audit.content.bytes)));
        }
    }

    fn remove(&mut self, audit: &Item) {
        let expected = match audit {
            Item::Record(stored) => Expected::Version(stored.version),
            Item::Damaged(_) => Expected::Damaged,
        };
        // It counts until it is gone.
        self.pass(Some(audit));
        self.changes.push(change(audit.name(), expected, None));
    }
}

/// A record where there is none, or a damaged one; one after the other at the rate of audits.
fn anew(
    domain: &Stored,
    is_damaged: bool,
    config: &Config,
    made: &mut u64,
    now: Timestamp,
) -> Change {
    let each = 1_000_000 / u64::from(config.rate.max(1));
    let at = now.plus(Duration::from_micros(made.saturating_mul(each)));
    *made += 1;
    let due = Some(Due { at, lane: Lane::Patient });
    let content = Content { bytes: Vec::new().into(), state: Standing::Waiting as u8, due };
    let expected = if is_damaged { Expected::Damaged } else { Expected::Absent };
    change(&domain.name, expected, Some(content))
}

/// Brings a record nearer that is due later than it would be after an audit now.
fn sooner(audit: &Stored, domain: &Stored, config: &Config, now: Timestamp) -> Option<Change> {
    let is_active = domain.content.state == State::Active as u8;
    let pace = Pace::new(config, is_active, spread(&audit.name, now));
    let due = audit.content.due;
    if due.is_some_and(|due| due.at <= now.plus(pace.longest())) {
        return None;
    }
    let at = now.plus(pace.interval.mul_f64(pace.spread));
    let content = Content { due: Some(Due { at, lane: Lane::Patient }), ..audit.content.clone() };
    Some(change(&audit.name, Expected::Version(audit.version), Some(content)))
}

fn change(name: &str, expected: Expected, content: Option<Content>) -> Change {
    Change { kind: Kind::Audit, name: name.to_owned(), expected, content, event: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn record(name: &str, state: u8, due: Option<u64>) -> Item {
        let due = due.map(|hours| NOW.plus(Duration::from_secs(hours * 3_600)));
        let due = due.map(|at| Due { at, lane: Lane::Patient });
        let content = Content { bytes: Vec::new().into(), state, due };
        Item::Record(Stored { name: name.to_owned(), version: 7, content })
    }

    fn domain(name: &str, state: State) -> Item {
        record(name, state as u8, None)
    }

    fn audit(name: &str, hours: u64) -> Item {
        record(name, Standing::Clean as u8, Some(hours))
    }

    fn page(items: Vec<Item>, has_more: bool) -> Page {
        Page { items, has_more }
    }

    fn compared(domains: Page, audits: Page) -> Stretch {
        stretch(&domains, &audits, (&Config::default(), "own"), &mut 0, NOW)
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        let domains = vec![domain("a", State::Active), domain("b", State::New)];
        let stretch =
            compared(page(domains, false), page(vec![audit("a", 26), audit("b", 184)], false));
        assert_eq!((stretch.changes, stretch.reached), (vec![], None));
        let passed: Vec<_> = stretch.passed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(passed, ["a", "b"]);
    }

    #[test]
    fn records_are_made_removed_and_mended_and_one_that_is_due_too_late_comes_sooner() {
        let domains = vec![
            domain("a", State::Active),
            domain("b", State::Removed),
            domain("c", State::New),
            domain("d", State::Active),
            domain("e", State::New),
            Item::Damaged("g".to_owned()),
            domain("h", State::New),
            domain("own", State::Active),
        ];
        let audits = vec![
            audit("b", 1),
            Item::Damaged("c".to_owned()),
            audit("d", 27),
            audit("e", 27),
            audit("f", 1),
            audit("g", 1),
            record("h", Standing::Clean as u8, None),
        ];
        let stretch = compared(page(domains, false), page(audits, false));
        let told = stretch.changes.iter().map(|change| {
            let due = change.content.as_ref().and_then(|content| content.due);
            (change.name.as_str(), change.expected, due.map(|due| due.at))
        });
        let told: Vec<_> = told.collect();
        let version = Expected::Version(7);
        let second = NOW.plus(Duration::from_micros(1_000_000 / 15));
        assert_eq!(
            told[..3],
            [
                ("a", Expected::Absent, Some(NOW)),
                ("b", version, None),
                ("c", Expected::Damaged, Some(second)),
            ]
        );
        assert_eq!((told[3].0, told[3].1), ("d", version));
        assert!(told[3].2.unwrap() <= NOW.plus(Config::default().active_every));
        assert_eq!(told[4], ("f", version, None));
        assert_eq!((told[5].0, told[5].1, told.len()), ("h", version, 6));
    }

    #[test]
    fn behind_the_shorter_page_nothing_is_concluded() {
        let domains =
            vec![domain("a", State::New), domain("b", State::New), domain("c", State::New)];
        let cut = page(vec![audit("a", 1), audit("b", 1)], true);
        let stretch = compared(page(domains, false), cut);
        assert_eq!((stretch.changes, stretch.reached.as_deref()), (vec![], Some("b")));
        let audits = vec![audit("a", 1), audit("b", 1), audit("c", 1)];
        let stretch = compared(page(vec![domain("a", State::New)], true), page(audits, true));
        assert_eq!((stretch.changes, stretch.reached.as_deref()), (vec![], Some("a")));
    }
}
