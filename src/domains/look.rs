//! Asks the DNS about a name.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Config, Finding, ServerView, Sight};
use crate::dns::{
    Answer, CaaSet, Data, End, Failure, Issuer, Kind, Lookup, Name, Question, Record, Reply,
    ServerReply, Verdict, ZoneReply,
};
use crate::hostname::Hostname;

/// Looks at names. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Looker {
    lookup: Arc<dyn Lookup>,
    target: Name,
    authorities: Arc<[String]>,
}

/// Whom to ask for the name's own CNAME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The configured resolvers.
    Resolver,
    /// The zone's own servers.
    Zone,
}

impl Looker {
    /// Looks for the CNAME to the target of `config`; `None` when it has none.
    pub fn new(lookup: Arc<dyn Lookup>, config: &Config) -> Option<Self> {
        let target = Name::from(config.target.as_ref()?);
        Some(Self { lookup, target, authorities: config.authorities.clone().into() })
    }

    /// Forgets what was remembered of a name, so that the next look is a fresh one.
    pub fn forget(&self, name: &Hostname) {
        // Those above it too: they tell whose servers are asked, and which CAA records hold.
        let mut next = Some(Name::from(name));
        while let Some(name) = next {
            self.lookup.forget(&name);
            next = name.parent();
        }
        self.lookup.forget(&self.target);
    }

    /// What the zone's own servers say of a name, and CAA and addresses from the resolver.
    pub async fn look(&self, name: &Hostname) -> Sight {
        self.look_by(name, Way::Zone).await
    }

    pub(super) async fn look_by(&self, name: &Hostname, way: Way) -> Sight {
        let name = Name::from(name);
        // The target is where it leads to, whatever it is made of.
        if name == self.target {
            let finding = self.certifiable(&name).await;
            return Sight { finding, chain: vec![name], servers: Vec::new() };
        }
        let (first, servers) = match self.first(&name, way).await {
            Ok(first) => first,
            Err((finding, servers)) => {
                return Sight { finding, chain: vec![name], servers };
            }
        };
        let mut chain = vec![name.clone()];
        let finding = match self.end(&name, first, &mut chain).await {
            // Whether it may be certified is asked before it is, not for every visit.
            Ok(Finding::Target) if way == Way::Zone => self.certifiable(&name).await,
            Ok(finding) => finding,
            Err((name, failure)) => Finding::Failed(name, failure),
        };
        Sight { finding, chain, servers }
    }

    /// What was seen of a name that only a visit could bring in, with what is beside it: under a
    /// wildcard that leads to us nobody can tell which names are meant.
    pub(super) async fn beside(&self, name: &Hostname, sight: Sight) -> Sight {
        let leads_here = matches!(
            sight.finding,
            Finding::Target | Finding::Forbidden { .. } | Finding::Flattened(_)
        );
        let sibling = sibling(name, &unpublished());
        let (true, Some(sibling)) = (leads_here, sibling) else { return sight };
        let finding = match self.is_wild(&sibling, &sight.finding).await {
            Ok(false) => return sight,
            Ok(true) => Finding::Wildcard,
            Err(failure) => Finding::Failed(Name::from(&sibling), failure),
        };
        Sight { finding, ..sight }
    }

    /// Whether a name that nobody published leads somewhere too, as the one beside it does: then a
    /// wildcard does.
    pub(super) async fn is_wild(
        &self,
        sibling: &Hostname,
        beside: &Finding,
    ) -> Result<bool, Failure> {
        let sibling = Name::from(sibling);
        let reply = self.lookup.ask(&Question::new(&sibling, Kind::Cname)).await?;
        match reply.answer {
            Answer::NoName => Ok(false),
            Answer::Found(_) => Ok(true),
            // There is a wildcard, perhaps for mail only.
            Answer::NoData | Answer::Elsewhere => match beside {
                Finding::Flattened(addresses) => {
                    let is_four = addresses.iter().any(IpAddr::is_ipv4);
                    let kind = if is_four { Kind::A } else { Kind::Aaaa };
                    let reply = self.lookup.ask(&Question::new(&sibling, kind)).await?;
                    Ok(!reply.records().is_empty())
                }
                _ => Ok(false),
            },
        }
    }

    /// The answer about the name's own CNAME.
    async fn first(
        &self,
        name: &Name,
        way: Way,
    ) -> Result<(Reply, Vec<ServerView>), (Finding, Vec<ServerView>)> {
        let question = Question::new(name, Kind::Cname);
        let failed = |failure| (Finding::Failed(name.clone(), failure), Vec::new());
        if way == Way::Resolver {
            let reply = self.lookup.ask(&question).await.map_err(failed)?;
            return Ok((reply, Vec::new()));
        }
        let zone = self.lookup.ask_zone(&question).await.map_err(failed)?;
        let views = views(&zone);
        match zone.verdict() {
            Verdict::One(reply) => Ok((reply.clone(), views)),
            Verdict::Disagree => Err((Finding::Disagreement, views)),
            Verdict::Failed(failure) => Err((Finding::Failed(name.clone(), failure), views)),
        }
    }

    /// Follows the CNAMEs to their end.
    async fn end(
        &self,
        name: &Name,
        first: Reply,
        chain: &mut Vec<Name>,
    ) -> Result<Finding, (Name, Failure)> {
        let next = match first.answer {
            Answer::NoName => return Ok(Finding::NoName),
            Answer::NoData | Answer::Elsewhere => return self.unaliased(name).await,
            Answer::Found(records) => match records.as_slice() {
                [record] => match &record.data {
                    Data::Cname(next) => next.clone(),
                    _ => return Err((name.clone(), Failure::Malformed)),
                },
                _ => return Err((name.clone(), Failure::Malformed)),
            },
        };
        if next == *name {
            chain.push(next);
            return Ok(Finding::Loop);
        }
        let rest = self.lookup.chain(&next, &self.target).await;
        let rest = rest.map_err(|failure| (next.clone(), failure))?;
        let last = rest.last().cloned().unwrap_or(next);
        // A circle is told once around.
        let around = rest.names.iter().position(|at| at == name);
        chain.extend(rest.names.into_iter().take(around.map_or(usize::MAX, |at| at + 1)));
        Ok(match rest.end {
            _ if around.is_some() => Finding::Loop,
            End::Target => Finding::Target,
            End::Other => Finding::Elsewhere(last),
            End::NoName => Finding::Dangling(last),
            End::Loop => Finding::Loop,
            End::TooLong => Finding::TooLong,
        })
    }

    /// A name without a CNAME: compares its addresses with the target's. One that is not the
    /// target's says enough; that all are must be known of both kinds.
    async fn unaliased(&self, name: &Name) -> Result<Finding, (Name, Failure)> {
        let (mut own, mut failed, mut is_foreign) = (Vec::new(), None, false);
        for kind in [Kind::A, Kind::Aaaa] {
            let found = match self.addresses(name, kind).await {
                Ok(found) if found.is_empty() => continue,
                Ok(found) => found,
                Err(failure) => {
                    failed.get_or_insert_with(|| (name.clone(), failure));
                    continue;
                }
            };
            match self.addresses(&self.target, kind).await {
                Ok(targets) => is_foreign |= found.iter().any(|one| !targets.contains(one)),
                Err(failure) => {
                    failed.get_or_insert_with(|| (self.target.clone(), failure));
                }
            }
            own.extend(found);
        }
        match failed {
            _ if is_foreign => Ok(Finding::Addresses(own)),
            Some(failed) => Err(failed),
            None if own.is_empty() => Ok(Finding::NoCname),
            None => Ok(Finding::Flattened(own)),
        }
    }

    async fn addresses(&self, name: &Name, kind: Kind) -> Result<Vec<IpAddr>, Failure> {
        let reply = self.lookup.ask(&Question::new(name, kind)).await?;
        let address = |record: &Record| match record.data {
            Data::A(address) => Some(IpAddr::from(address)),
            Data::Aaaa(address) => Some(IpAddr::from(address)),
            _ => None,
        };
        Ok(reply.records().iter().filter_map(address).collect())
    }

    /// Whether the authorities may certify a name that leads to the target.
    async fn certifiable(&self, name: &Name) -> Finding {
        if self.authorities.is_empty() {
            return Finding::Target;
        }
        match self.lookup.caa(name).await {
            Ok(None) => Finding::Target,
            Ok(Some(set)) => self.permitted(&set),
            Err((at, failure)) => Finding::Failed(at, failure),
        }
    }

    fn permitted(&self, set: &CaaSet) -> Finding {
        let issuer = |domain| Issuer { domain, account: None, method: METHOD };
        let mut told = None;
        for domain in self.authorities.iter() {
            match set.permits(&issuer(domain)) {
                Ok(()) => return Finding::Target,
                Err(forbidden) => {
                    told.get_or_insert(forbidden);
                }
            }
        }
        let at = set.holder();
        let record = told.map(|told| format!("{at} {told}")).unwrap_or_default();
        // What the target is an alias of is the platform's choice as well.
        let is_ours = at.is_within(&self.target) || set.aliases.contains(&self.target);
        let admission = self.authorities.first().and_then(|ca| set.admission(&issuer(ca)));
        Finding::Forbidden { record, is_ours, issue_at: admission.map(|_| at.clone()) }
    }
}

fn views(zone: &ZoneReply) -> Vec<ServerView> {
    let view = |server: &ServerReply| {
        let said = match &server.result {
            Err(failure) => failure.to_string(),
            Ok(reply) => match &reply.answer {
                Answer::NoName => "no such name (NXDOMAIN)".to_owned(),
                Answer::NoData | Answer::Elsewhere => "no CNAME".to_owned(),
                Answer::Found(records) => {
                    let targets = records.iter().map(|record| match &record.data {
                        Data::Cname(target) => format!("CNAME {target}"),
                        _ => "another record".to_owned(),
                    });
                    targets.collect::<Vec<_>>().join(", ")
                }
            },
        };
        ServerView { server: server.server.clone(), address: server.address, said }
    };
    zone.servers.iter().map(view).collect()
}

/// The registrable domain of a name (the public suffix list), and how many labels are below it.
/// A name that is a public suffix itself is its own.
pub fn registrable(name: &Hostname) -> (&str, usize) {
    let text = name.as_str();
    let domain = psl::domain_str(text).unwrap_or(text);
    let below = text.len().saturating_sub(domain.len());
    let labels = text.get(..below).unwrap_or_default().split('.').filter(|l| !l.is_empty()).count();
    (domain, labels)
}

/// A label that nobody published.
pub(super) fn unpublished() -> String {
    format!("waypost-{}", uuid::Uuid::new_v4().simple())
}

/// The name beside another with a label of its own; `None` when it would be too long, or none.
pub(super) fn sibling(name: &Hostname, label: &str) -> Option<Hostname> {
    let (_, parent) = name.as_str().split_once('.')?;
    Hostname::parse(&format!("{label}.{parent}")).ok()
}

/// How names are proven, as CAA records call it (RFC 8657 §4).
const METHOD: &str = "http-01";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrable_domains_are_those_of_the_public_suffix_list() {
        for (name, expected) in [
            ("trk.example.com", ("example.com", 1)),
            ("a.b.trk.example.co.uk", ("example.co.uk", 3)),
            ("example.com", ("example.com", 0)),
            ("com", ("com", 0)),
            ("trk.example.test", ("example.test", 1)),
        ] {
            assert_eq!(registrable(&Hostname::parse(name).unwrap()), expected, "{name}");
        }
    }
}
