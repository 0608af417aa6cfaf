//! A report for people: record by record what was found, what is in force, and what to do.

use std::io::{self, Write};

use super::findings::counts;
use crate::audit::domain::{Asked, Report, Section};
use crate::audit::{Finding, Severity, visible};

/// How a sheet is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// Columns of the terminal, which prose is broken to; none elsewhere, where nothing is.
    pub(super) width: Option<usize>,
    /// Whether severities are coloured.
    pub(super) is_coloured: bool,
}

/// Writes a report.
pub(super) fn write(out: &mut dyn Write, report: &Report, form: Form) -> io::Result<()> {
    let findings: Vec<_> = report.findings().cloned().collect();
    let status = form.painted(report.worst(), &report.status());
    let gates: Vec<_> = report.findings().filter(|finding| finding.gates()).collect();
    writeln!(out, "{}: {status} ({})", report.domain, counts(&findings))?;
    match gates.as_slice() {
        [] => writeln!(out, "nothing stops the platform's mail and links")?,
        gates => {
            let ids: Vec<_> = gates.iter().map(|finding| finding.rule.id).collect();
            writeln!(out, "in the way of the platform's mail or links: {}", ids.join(", "))?;
        }
    }
    for section in &report.sections {
        write_section(out, section, form)?;
    }
    Ok(())
}

fn write_section(out: &mut dyn Write, section: &Section, form: Form) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "{}  {} {}", section.topic, section.name, section.kind.name())?;
    for text in &section.found {
        // A record is not broken: it may be copied.
        writeln!(out, "  found     {}", visible(text))?;
    }
    if section.found.is_empty() {
        writeln!(out, "  found     nothing")?;
    }
    told(out, "  in force  ", &section.says, form)?;
    for finding in &section.findings {
        let severity = form.painted(Some(finding.severity), &format!("{:<7}", finding.severity));
        let head = format!("  {severity} {}  ", finding.rule.id);
        told_after(out, &head, "                ", &finding.found, form)?;
        if !finding.expected.is_empty() {
            told(out, "          expected  ", &finding.expected, form)?;
        }
        let why = format!("{} ({})", finding.rule.why, finding.rule.source);
        told(out, "          why       ", &why, form)?;
        if finding.severity >= Severity::Weak {
            told(out, "          who acts  ", &finding.who().to_string(), form)?;
        }
        publish(out, section, finding)?;
    }
    Ok(())
}

fn publish(out: &mut dyn Write, section: &Section, finding: &Finding) -> io::Result<()> {
    let Some(record) = &finding.record else { return Ok(()) };
    let (name, kind) = match &finding.place {
        Some((name, kind)) => (name.as_str(), *kind),
        None => (section.name.as_str(), section.kind),
    };
    writeln!(out, "          publish   {name} {} {}", kind.name(), visible(record))
}

/// Writes what was asked, and what it cost.
pub(super) fn write_trace(out: &mut dyn Write, asked: &[Asked]) -> io::Result<()> {
    writeln!(out)?;
    for Asked { what, way, is_own, came, took } in asked {
        let shared = if *is_own { "" } else { "  (shared)" };
        let millis = took.as_secs_f64() * 1_000.0;
        writeln!(out, "  {millis:>7.1} ms  {way}: {}: {}{shared}", visible(what), visible(came))?;
    }
    writeln!(out, "{}", cost(asked))
}

/// What a report cost, in words.
pub(super) fn cost(asked: &[Asked]) -> String {
    let own = asked.iter().filter(|asked| asked.is_own).count();
    format!("questions: {own} of its own, {} that many domains share", asked.len() - own)
}

/// One line for a report among many.
pub(super) fn row(report: &Report) -> String {
    let ids = |severity| -> Vec<_> {
        let of = report.findings().filter(|finding| finding.severity == severity);
        let mut ids: Vec<_> = of.map(|finding| finding.rule.id).collect();
        ids.dedup();
        ids
    };
    let mut row = format!("{:<40}  {:<7}", report.domain, report.status());
    for severity in [Severity::Error, Severity::Unknown, Severity::Weak] {
        let ids = ids(severity);
        if !ids.is_empty() {
            row += &format!("  {severity}: {}", ids.join(" "));
        }
    }
    row.trim_end().to_owned()
}

fn told(out: &mut dyn Write, head: &str, text: &str, form: Form) -> io::Result<()> {
    told_after(out, head, &" ".repeat(head.len()), text, form)
}

/// Writes prose behind a head, broken to the terminal's width.
fn told_after(
    out: &mut dyn Write,
    head: &str,
    indent: &str,
    text: &str,
    form: Form,
) -> io::Result<()> {
    let text = visible(text);
    let room = form.width.map_or(usize::MAX, |width| width.saturating_sub(indent.len()).max(20));
    let mut line = String::new();
    let mut lead = head;
    for word in text.split(' ') {
        let length = line.chars().count();
        if length > 0 && length + 1 + word.chars().count() > room {
            writeln!(out, "{lead}{line}")?;
            lead = indent;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{lead}{line}")
}

impl Form {
    /// A word in the colour of a severity.
    fn painted(self, severity: Option<Severity>, word: &str) -> String {
        let colour = match severity {
            Some(Severity::Error) => "31",
            Some(Severity::Weak) => "33",
            Some(Severity::Unknown) => "35",
            Some(Severity::Note) => "36",
            None => "32",
        };
        if self.is_coloured { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audit::domain::Way;

    #[test]
    fn what_a_web_server_says_reaches_the_terminal_without_controls() {
        let hidden = "a\u{9b}31m\u{202e}b\u{1b}[2J";
        let asked = Asked {
            what: format!("https://l.example/{hidden}"),
            way: Way::Web,
            is_own: true,
            came: format!("not fetched: packed as {hidden}"),
            took: Duration::ZERO,
        };
        let mut out = Vec::new();
        write_trace(&mut out, &[asked]).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("packed as a\u{fffd}31m\u{fffd}b\u{241b}[2J"), "{out:?}");
        let odd = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!out.contains(odd), "{out:?}");
    }
}
