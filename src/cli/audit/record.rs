//! `waypost audit record`: one record, before it is published.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::command::{AuditError, exit_code};
use super::{findings, source};
use crate::audit::{Draft, DraftKind, escaped};

/// Judges one record.
#[derive(Args, Debug)]
pub(super) struct RecordArgs {
    /// The record's text, or its quoted strings as in a zone file; - reads standard input.
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    text: String,
    /// What the record is of; without it, what the text looks like.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Print one JSON object; docs/audit.md tells its fields.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// SPF, or Sender ID.
    Spf,
    /// A DKIM key, or a policy of DomainKeys or ADSP.
    Dkim,
    /// DMARC.
    Dmarc,
    /// BIMI.
    Bimi,
    /// CAA, as flags, tag and value.
    Caa,
}

impl RecordArgs {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<u8, AuditError> {
        let text = source::text(&self.text, LONGEST)?;
        let draft = Draft::judge(&text, self.kind.map(DraftKind::from))?;
        if self.json {
            writeln!(out, "{}", escaped(&format!("{:#}", draft.json())))?;
        } else {
            writeln!(out, "{}: {}", draft.kind, crate::audit::visible(&draft.says))?;
            findings::write(out, &draft.text, &draft.findings)?;
            findings::write_counts(out, &draft.findings)?;
        }
        Ok(exit_code(&draft.findings))
    }
}

impl From<Kind> for DraftKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Spf => Self::Spf,
            Kind::Dkim => Self::Dkim,
            Kind::Dmarc => Self::Dmarc,
            Kind::Bimi => Self::Bimi,
            Kind::Caa => Self::Caa,
        }
    }
}

/// The bytes of a record's data in DNS are fewer (RFC 1035 §3.2.1).
const LONGEST: u64 = 65_535;
