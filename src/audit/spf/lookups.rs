//! The mechanisms that ask DNS (RFC 7208 §5.3 to §5.7), and validated names (§5.5).

use std::net::IpAddr;

use super::limits::ADDRESSES;
use super::pass::{Pass, Stop, failed};
use super::{DomainSpec, Prefixes, expansion, networks};
use crate::audit::answers::Found;
use crate::audit::name;
use crate::dns::{Kind, Name, Question};

impl Pass<'_> {
    /// An address of the name is near enough (§5.3).
    pub(super) fn a(
        &mut self,
        target: &str,
        prefixes: Prefixes,
        step: Option<usize>,
    ) -> Result<bool, Stop> {
        if !name::is_askable(target) {
            return Ok(false);
        }
        match self.answers.addresses(target, self.family())? {
            Found::Some(addresses) => Ok(self.is_near_any(addresses, prefixes)),
            Found::Nothing { .. } => self.void(step).map(|()| false),
            Found::Failed(why) => Err(failed(target, self.family(), why)),
        }
    }

    /// An address of one of the name's mail exchangers is near enough (§5.4). They are looked at
    /// in the order of preference; needing an eleventh is an error (§4.6.4).
    pub(super) fn mx(
        &mut self,
        target: &str,
        prefixes: Prefixes,
        step: Option<usize>,
    ) -> Result<bool, Stop> {
        if !name::is_askable(target) {
            return Ok(false);
        }
        let exchanges = match self.answers.exchanges(target)? {
            Found::Some(exchanges) => exchanges,
            Found::Nothing { .. } => return self.void(step).map(|()| false),
            Found::Failed(why) => return Err(failed(target, Kind::Mx, why)),
        };
        // A null MX (RFC 7505) names the root, which is no host.
        let hosts: Vec<_> = exchanges.iter().filter(|host| !host.is_root()).collect();
        let family = self.family();
        let questions = hosts.iter().take(ADDRESSES).map(|host| Question::new(host, family));
        self.answers.need(questions)?;
        for (count, host) in hosts.into_iter().enumerate() {
            if count == ADDRESSES {
                let reason = format!("{target} has more than ten mail exchangers");
                return Err(Stop::Permanent(reason));
            }
            match self.answers.addresses(host.as_str(), family)? {
                Found::Some(addresses) if self.is_near_any(addresses, prefixes) => {
                    return Ok(true);
                }
                Found::Some(_) => {}
                Found::Nothing { .. } => self.void(step)?,
                Found::Failed(why) => return Err(failed(host.as_str(), family, why)),
            }
        }
        Ok(false)
    }

    /// A validated name of the client lies in the domain (§5.5). A lookup that fails is no error
    /// here: the name is passed over.
    pub(super) fn ptr(&mut self, target: &str, step: Option<usize>) -> Result<bool, Stop> {
        let Ok(target) = Name::parse(target) else { return Ok(false) };
        let mut names = self.pointers(step)?;
        names.retain(|host| host.is_within(&target));
        Ok(self.first_validated(&names)?.is_some())
    }

    /// The name has an IPv4 address, whatever the client's family is (§5.7).
    pub(super) fn exists(&mut self, target: &str, step: Option<usize>) -> Result<bool, Stop> {
        if !name::is_askable(target) {
            return Ok(false);
        }
        match self.answers.addresses(target, Kind::A)? {
            Found::Some(_) => Ok(true),
            Found::Nothing { .. } => self.void(step).map(|()| false),
            Found::Failed(why) => Err(failed(target, Kind::A, why)),
        }
    }

    /// The name that a domain of a term stands for.
    pub(super) fn target(&mut self, spec: &DomainSpec, domain: &str) -> Result<String, Stop> {
        let validated = self.validated_for(spec, domain)?;
        Ok(expansion::target(spec, &self.variables(domain, validated.as_deref())))
    }

    /// What the macro p stands for, where it is used: the domain itself when it is a validated
    /// name, else one below it, else any (§7.3).
    pub(super) fn validated_for(
        &mut self,
        spec: &DomainSpec,
        domain: &str,
    ) -> Result<Option<String>, Stop> {
        if !spec.uses(b'p') {
            return Ok(None);
        }
        let mut names = self.pointers(None)?;
        if let Ok(domain) = Name::parse(domain) {
            names.sort_by_key(|host| (*host != domain, !host.is_within(&domain)));
        }
        Ok(self.first_validated(&names)?.map(|host| host.to_string()))
    }

    /// The first ten names of the client's address; none when the lookup fails.
    fn pointers(&mut self, step: Option<usize>) -> Result<Vec<Name>, Stop> {
        let names = match self.answers.names(self.request.ip)? {
            Found::Some(names) => names,
            Found::Nothing { .. } => {
                if step.is_some() {
                    self.void(step)?;
                }
                &[]
            }
            Found::Failed(_) => &[],
        };
        Ok(names.iter().take(ADDRESSES).cloned().collect())
    }

    /// The first of the names that has the client's address.
    fn first_validated(&mut self, names: &[Name]) -> Result<Option<Name>, Stop> {
        let (ip, family) = (self.request.ip, self.family());
        self.answers.need(names.iter().map(|host| Question::new(host, family)))?;
        for host in names {
            if let Found::Some(addresses) = self.answers.addresses(host.as_str(), family)?
                && addresses.contains(&ip)
            {
                return Ok(Some(host.clone()));
            }
        }
        Ok(None)
    }

    fn is_near_any(&self, addresses: &[IpAddr], prefixes: Prefixes) -> bool {
        addresses.iter().any(|address| networks::is_near(*address, prefixes, self.request.ip))
    }

    /// The type of address that is compared with the client's.
    fn family(&self) -> Kind {
        if self.request.ip.is_ipv4() { Kind::A } else { Kind::Aaaa }
    }
}
