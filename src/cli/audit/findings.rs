//! Findings as people read them: the fault, the place underlined, what to do.

use std::io::{self, Write};

use crate::audit::{Finding, Severity, shown, visible};

/// Writes findings with the places in `text` that they are about.
pub(super) fn write(out: &mut dyn Write, text: &str, findings: &[Finding]) -> io::Result<()> {
    let has_lines = text.trim_end().contains('\n');
    for finding in findings {
        writeln!(out, "{:<7} {}  {}", finding.severity, finding.rule.id, visible(&finding.found))?;
        if let Some(span) = finding.at {
            let shown = shown(text, span, WIDTH);
            if has_lines {
                writeln!(out, "{INDENT}line {}, column {}", shown.row, shown.column)?;
            }
            writeln!(out, "{INDENT}  {}", shown.line)?;
            writeln!(out, "{INDENT}  {}", shown.marks)?;
        }
        if !finding.expected.is_empty() {
            told(out, "expected", &finding.expected)?;
        }
        told(out, "why", &format!("{} ({})", finding.rule.why, finding.rule.source))?;
        if let Some(record) = &finding.record {
            told(out, "publish", record)?;
        }
    }
    Ok(())
}

/// Writes how many findings there are of each severity.
pub(super) fn write_counts(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    writeln!(out, "{}", counts(findings))
}

/// How many findings there are of each severity, in words.
pub(super) fn counts(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|own| own.severity == severity).count();
    let counts = [
        (count(Severity::Error), "error", "errors"),
        (count(Severity::Weak), "weakness", "weaknesses"),
        (count(Severity::Unknown), "unknown", "unknown"),
        (count(Severity::Note), "note", "notes"),
    ];
    let told: Vec<_> = counts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    if told.is_empty() { "clean".to_owned() } else { told.join(", ") }
}

fn told(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{INDENT}{name:<8} {}", visible(text))
}

const INDENT: &str = "             ";
/// Columns of a record's line, so that it fits a terminal of 80 beside its indent.
const WIDTH: usize = 64;
