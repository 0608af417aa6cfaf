//! A node that audits, and the records of its customers.

use std::fs;

use serde_json::Value;

use crate::customers::{Customers, TARGET};
use crate::dns::{DnsServer, a, cname, txt};
use crate::node::{Node, Setup};

/// A node that audits, with the DNS that it asks.
pub(crate) struct House {
    pub(crate) customers: Customers,
    audit: String,
}

impl House {
    /// With lines for the section `[audit]`.
    pub(crate) fn start(audit: &str) -> Self {
        Self::start_with(audit, "server_rate = 10000\n", &[])
    }

    /// With lines for `[dns]` too, and certificates for these names.
    pub(crate) fn start_with(audit: &str, dns_lines: &str, hosts: &[&str]) -> Self {
        let dns = DnsServer::start(2);
        for zone in ["aksend.test", "example.test"] {
            dns.zone(zone, 0);
        }
        // Nothing is remembered, so that what changes is seen.
        dns.change(|records| records.ttl = 0);
        dns.add(TARGET, a([192, 0, 2, 10]));
        dns.add("spf.aksend.test", txt(&["v=spf1 ip4:198.51.100.0/24 -all"]));
        let (resolver, port) = (dns.resolver(), dns.port());
        let more = format!(
            "[dns]\nservers = [\"{resolver}\"]\ntimeout = \"400ms\"\nzone_port = {port}\n{dns_lines}\n\
             [domains]\nadmission = \"registered\"\ntarget = \"{TARGET}\"\npoll_rate = 0\n\
             authorities = [\"ca.test\"]\n\n[audit]\n{audit}\n[audit.expect]\n\
             spf_include = \"spf.aksend.test\"\nspf = \"v=spf1 include:spf.aksend.test -all\"\n"
        );
        let node = Node::start(&Setup { more, ..Setup::of(hosts) });
        Self { customers: Customers { dns, node }, audit: audit.to_owned() }
    }

    /// Publishes what the platform asks for.
    pub(crate) fn publish(&self, domain: &str) {
        let dns = &self.customers.dns;
        dns.add(domain, txt(&["v=spf1 include:spf.aksend.test -all"]));
        dns.add(&format!("_dmarc.{domain}"), txt(&[DMARC]));
        dns.add(&format!("trk.{domain}"), cname(TARGET));
    }

    /// Adds tracking names, each of a sending domain of its own, all at once.
    pub(crate) fn add(&self, names: impl Iterator<Item = String>) {
        let lines: Vec<_> = names.map(|name| format!("{{\"domain\":\"{name}\"}}\n")).collect();
        for lines in lines.chunks(5_000) {
            let (status, answer) = self.customers.ask("POST", "/v1/domains", &lines.concat());
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// The last audit of a name; null when there was none.
    pub(crate) fn audit(&self, name: &str) -> Value {
        let (status, mut answer) =
            self.customers.ask("GET", &format!("/v1/domains/{name}/audit"), "");
        assert_eq!(status, 200, "{answer}");
        answer["audit"].take()
    }

    /// The events of audits that the journal holds.
    pub(crate) fn events(&self) -> Vec<Value> {
        let (code, out, err) =
            self.customers.node.command(&["journal", "cat", "--stream", "audits"]);
        assert_eq!(code, 0, "{err}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many audits were made by this process.
    pub(crate) fn made(&self) -> u64 {
        self.sum("waypost_audit_made_total{")
    }

    /// The sum of all metrics that begin so.
    pub(crate) fn sum(&self, begin: &str) -> u64 {
        let (_, text) = self.customers.node.ask_admin("/metrics");
        let lines = text.lines().filter(|line| line.starts_with(begin));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Changes the lines of `[audit]`, for the next start.
    pub(crate) fn set(&mut self, audit: &str) {
        let file = self.customers.node.configuration();
        let text = fs::read_to_string(&file).unwrap();
        let (old, new) = (format!("[audit]\n{}\n", self.audit), format!("[audit]\n{audit}\n"));
        assert!(text.contains(&old));
        fs::write(&file, text.replace(&old, &new)).unwrap();
        audit.clone_into(&mut self.audit);
    }

    /// What the store holds of audits: names, and whether there is a result.
    pub(crate) fn stored(&self) -> Vec<(String, bool)> {
        let (code, out, err) = self.customers.node.command(&["store", "export"]);
        assert_eq!(code, 0, "{err}");
        let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let audits = lines.filter(|line| line["kind"] == "audit");
        let audits =
            audits.map(|line| (line["name"].as_str().unwrap().to_owned(), line["state"] != 1));
        audits.collect()
    }
}

/// Whether a result has a finding of this rule.
pub(crate) fn has(audit: &Value, rule: &str) -> bool {
    let sections = audit["report"]["sections"].as_array().unwrap().iter();
    let mut findings = sections.flat_map(|section| section["findings"].as_array().unwrap());
    findings.any(|finding| finding["rule"] == rule)
}

pub(crate) const DMARC: &str = "v=DMARC1; p=reject; rua=mailto:report@example.test";
