//! The networks that a domain's record lets send, whoever asks.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::judge::reached;
use super::limits::FOLLOWED;
use super::term::{Mechanism, Qualifier, TermKind};
use super::{lexer, networks, selection};
use crate::audit::answers::Found;
use crate::audit::{Answers, Unanswered, name};
use crate::dns::Failure;

/// The networks of a record and of all that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    /// The first and the last address of each.
    pub networks: Vec<(IpAddr, IpAddr)>,
    /// Why some of them are not known.
    pub failed: Option<Failure>,
    /// Whether the domain has a valid record at all.
    pub is_valid: bool,
}

/// The networks that pass by the record of `domain`, as far as it names them by address.
pub fn senders(domain: &str, answers: &Answers) -> Result<Senders, Unanswered> {
    let (mut senders, mut seen, mut missing) = (Senders::default(), HashSet::new(), Vec::new());
    let mut open = vec![name::normal(domain)];
    while let Some(domain) = open.pop() {
        if seen.len() > FOLLOWED || !seen.insert(domain.clone()) {
            continue;
        }
        let texts = match answers.texts(&domain) {
            Ok(Found::Some(texts)) => texts,
            Ok(Found::Nothing { .. }) => continue,
            Ok(Found::Failed(why)) => {
                senders.failed = Some(why);
                continue;
            }
            Err(unanswered) => {
                missing.extend(unanswered.0);
                continue;
            }
        };
        let mut ours = texts.iter().filter(|text| selection::is_record(text.text()));
        let (Some(text), None) = (ours.next(), ours.next()) else { continue };
        let record = lexer::read(text.text());
        if !record.faults.is_empty() {
            continue;
        }
        senders.is_valid |= seen.len() == 1;
        for term in reached(&record) {
            match &term.kind {
                TermKind::Redirect(spec) => open.extend(spec.literal().map(name::normal)),
                TermKind::Directive(directive) if directive.qualifier == Qualifier::Pass => {
                    match &directive.mechanism {
                        Mechanism::Include(spec) => open.extend(spec.literal().map(name::normal)),
                        mechanism => senders.networks.extend(network(mechanism)),
                    }
                }
                _ => {}
            }
        }
    }
    if missing.is_empty() { Ok(senders) } else { Err(Unanswered::new(missing)) }
}

/// The first and the last address of a network.
fn network(mechanism: &Mechanism) -> Option<(IpAddr, IpAddr)> {
    match mechanism {
        Mechanism::Ip4 { network, prefix } => {
            let first = networks::first_ip4(*network, *prefix);
            let rest = u32::MAX.checked_shr(u32::from(*prefix)).unwrap_or(0);
            Some((first.into(), Ipv4Addr::from_bits(first.to_bits() | rest).into()))
        }
        Mechanism::Ip6 { network, prefix } => {
            let first = networks::first_ip6(*network, *prefix);
            let rest = u128::MAX.checked_shr(u32::from(*prefix)).unwrap_or(0);
            Some((first.into(), Ipv6Addr::from_bits(first.to_bits() | rest).into()))
        }
        _ => None,
    }
}
