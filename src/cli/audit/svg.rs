//! `waypost audit svg`: images for BIMI, before they are published.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::command::{AuditError, exit_code};
use super::{findings, source};
use crate::audit::{Finding, escaped, status, svg, visible, worst_first};
use crate::disk::Disk;

/// Judges images.
#[derive(Args, Debug)]
pub(super) struct SvgArgs {
    /// SVG files, packed with gzip or not; - reads standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON object; docs/audit.md tells its fields.
    #[arg(long)]
    json: bool,
}

struct Judged {
    file: String,
    text: String,
    findings: Vec<Finding>,
}

impl SvgArgs {
    pub(super) fn run(self, disk: &dyn Disk, out: &mut dyn Write) -> Result<u8, AuditError> {
        let mut images = Vec::new();
        for file in self.files {
            let bytes = source::bytes(disk, &file, LARGEST)?;
            let (image, mut findings) = svg::judge(svg::Image::read(&bytes));
            worst_first(&mut findings);
            let file = file.display().to_string();
            images.push(Judged { file, text: image.text, findings });
        }
        if self.json {
            let objects: Vec<_> = images.iter().map(Judged::json).collect();
            writeln!(out, "{}", escaped(&format!("{:#}", json!({ "images": objects }))))?;
        } else {
            for image in &images {
                writeln!(out, "{}:", visible(&image.file))?;
                findings::write(out, &image.text, &image.findings)?;
                findings::write_counts(out, &image.findings)?;
            }
        }
        Ok(exit_code(images.iter().flat_map(|image| &image.findings)))
    }
}

impl Judged {
    fn json(&self) -> Value {
        json!({
            "file": self.file,
            "status": status(&self.findings),
            "findings": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
        })
    }
}

/// What is read of a file; what is judged of it is less.
const LARGEST: u64 = 8 << 20;
