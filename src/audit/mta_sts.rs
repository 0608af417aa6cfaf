//! Policies for TLS on the way in (RFC 8461 §3.2): read, and held against the mail exchangers.

use std::fmt;

use super::Finding;
use super::rules::extras::X07;

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What senders are to do.
    pub mode: Mode,
    /// How long it holds, in seconds.
    pub max_age: u64,
    /// The hosts that may take mail; `*.` stands for one label.
    pub hosts: Vec<String>,
}

/// What senders are to do with a host that fails the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not deliver to it.
    Enforce,
    /// Deliver, and report.
    Testing,
    /// As if there were no policy.
    None,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        })
    }
}

impl Policy {
    /// Whether a host may take mail (RFC 8461 §4.1).
    pub fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => {
                host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
            }
            None => host.eq_ignore_ascii_case(pattern),
        })
    }
}

/// Reads a policy; what is wrong with it, when it is none.
pub fn read(text: &str) -> Result<Policy, String> {
    let mut hosts = Vec::new();
    let (mut version, mut mode, mut max_age) = (None, None, None);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(format!("line {} is no name and value with a colon between", number + 1));
        };
        let value = value.trim();
        // Of several the first counts.
        match name.trim() {
            "version" => version = version.or(Some(value)),
            "mode" => mode = mode.or(Some(value)),
            "max_age" => max_age = max_age.or(Some(value)),
            "mx" if hosts.len() < HOSTS => hosts.push(host(value)?),
            _ => {}
        }
    }
    if version != Some("STSv1") {
        return Err(format!("version: {}", version.unwrap_or("none")));
    }
    let mode = match mode {
        Some("enforce") => Mode::Enforce,
        Some("testing") => Mode::Testing,
        Some("none") => Mode::None,
        other => return Err(format!("mode: {}", other.unwrap_or("none at all"))),
    };
    let max_age = match max_age.map(str::parse) {
        Some(Ok(seconds)) if seconds <= LONGEST => seconds,
        _ => return Err(format!("max_age: {}", max_age.unwrap_or("none"))),
    };
    if hosts.is_empty() && mode != Mode::None {
        return Err("no mx".to_owned());
    }
    Ok(Policy { mode, max_age, hosts })
}

/// Judges what was fetched as the policy of a domain with these mail exchangers.
pub fn judge(text: &str, exchangers: &[String]) -> (Option<Policy>, Vec<Finding>) {
    let policy = match read(text) {
        Ok(policy) => policy,
        Err(found) => {
            let finding = Finding::weak(&X07, format!("a policy that is none: {found}"));
            return (None, vec![finding.expected(lines(Mode::Testing, exchangers))]);
        }
    };
    let mut findings = Vec::new();
    let missing: Vec<_> = exchangers.iter().filter(|host| !policy.allows(host)).collect();
    if let Some(first) = missing.first()
        && policy.mode != Mode::None
    {
        let found = match missing.len() {
            1 => format!("the mail exchanger {first} is none of the policy's"),
            count => format!("{count} mail exchangers are none of the policy's, as {first}"),
        };
        let finding = match policy.mode {
            Mode::Enforce => Finding::error(&X07, found + ": senders do not deliver to it"),
            _ => Finding::weak(&X07, found),
        };
        findings.push(finding.expected(lines(policy.mode, exchangers)));
    }
    if policy.mode == Mode::Testing {
        let finding =
            Finding::note(&X07, "mode: testing: senders report, and deliver all the same");
        findings.push(finding.expected("mode: enforce, once the reports tell of no failure"));
    }
    if policy.mode != Mode::None && policy.max_age < SHORTEST {
        let found = format!("max_age: {}, less than a day", policy.max_age);
        findings.push(Finding::weak(&X07, found).expected(format!("weeks, such as {PROPOSED}")));
    }
    (Some(policy), findings)
}

/// The lines of a policy that lets these exchangers take mail.
fn lines(mode: Mode, exchangers: &[String]) -> String {
    let mut lines = vec!["version: STSv1".to_owned(), format!("mode: {mode}")];
    lines.extend(exchangers.iter().take(HOSTS).map(|host| format!("mx: {host}")));
    if exchangers.is_empty() {
        lines.push("mx: mail.example.com".to_owned());
    }
    lines.push(format!("max_age: {PROPOSED}"));
    format!("the lines {}", lines.join(" | "))
}

/// A host, or the hosts that are one label below a name.
fn host(value: &str) -> Result<String, String> {
    let bare = value.strip_prefix("*.").unwrap_or(value);
    if super::name::is_hostname(bare) {
        return Ok(value.to_ascii_lowercase());
    }
    Err(format!("mx: {value}"))
}

/// A year, as far as RFC 8461 §3.2 lets a policy hold.
const LONGEST: u64 = 31_557_600;
const SHORTEST: u64 = 86_400;
const PROPOSED: u64 = 1_209_600;
/// Hosts that are read of one policy.
const HOSTS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        let told = read(
            "version: STSv1\r\nmode: enforce\r\nmx: A.example.com\r\nmx: *.b.example\r\nmax_age: 86400\r\nmode: none\r\nx: y\r\n",
        );
        let hosts = vec!["a.example.com".to_owned(), "*.b.example".to_owned()];
        let policy = Policy { mode: Mode::Enforce, max_age: 86_400, hosts };
        assert_eq!(told, Ok(policy.clone()));
        for (host, is_allowed) in [
            ("a.example.com", true),
            ("A.EXAMPLE.COM.", true),
            ("x.a.example.com", false),
            ("mail.b.example", true),
            ("b.example", false),
            ("x.mail.b.example", false),
        ] {
            assert_eq!(policy.allows(host), is_allowed, "{host}");
        }
        assert!(read("version: STSv1\nmode: none\nmax_age: 1\n").is_ok());
        for wrong in [
            "",
            "mode: enforce\nmx: a.example\nmax_age: 1",
            "version: stsv1\nmode: enforce\nmx: a.example\nmax_age: 1",
            "version: STSv1\nmode: on\nmx: a.example\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 31557601",
            "version: STSv1\nmode: enforce\nmx: a.example",
            "version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1",
            "version: STSv1\nmode\n",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_proposed_in_place_of_a_policy_is_right() {
        let exchangers = ["mail.example.com".to_owned(), "mx.example.net".to_owned()];
        for hosts in [&exchangers[..], &[]] {
            let (_, findings) = judge("nothing", hosts);
            let lines = findings[0].expected.strip_prefix("the lines ").unwrap();
            let policy = read(&lines.replace(" | ", "\n")).unwrap();
            assert!(hosts.iter().all(|host| policy.allows(host)));
        }
    }
}
