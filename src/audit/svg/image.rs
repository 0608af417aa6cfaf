//! A file, read: unpacked, decoded, its document type taken out.

use std::io::Read;

use flate2::read::GzDecoder;
use roxmltree::{Document, Error, ParsingOptions};

use super::limits::{FILE, IMAGE, NODES};
use crate::audit::piece::Piece;
use crate::audit::rules::bimi;
use crate::audit::{Finding, Span};

/// An image as text, with what is wrong with its reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The text, which places in findings are counted in: unpacked when the file was packed.
    pub text: String,
    pub(super) findings: Vec<Finding>,
}

impl Image {
    /// Reads a file's bytes: SVG, or SVG packed with gzip.
    pub fn read(bytes: &[u8]) -> Self {
        let mut image = Self::default();
        let unpacked = if bytes.starts_with(&GZIP) { unpack(bytes) } else { Ok(bytes.to_vec()) };
        let bytes = match unpacked {
            Ok(bytes) if bytes.len() <= FILE => bytes,
            Ok(_) => {
                let found =
                    format!("an image of more than {FILE} bytes, of which nothing was read");
                image.findings.push(Finding::error(&bimi::B09, found).expected("at most 32 kB"));
                return image;
            }
            Err(error) => {
                let found = format!("gzip that cannot be unpacked: {error}");
                image
                    .findings
                    .push(Finding::error(&bimi::B10, found).expected("SVG, or SVG in gzip"));
                return image;
            }
        };
        if bytes.len() > IMAGE {
            let found = format!("an image of {} bytes", bytes.len());
            image.findings.push(Finding::weak(&bimi::B09, found).expected("at most 32 kB"));
        }
        image.decode(bytes);
        image
    }

    fn decode(&mut self, bytes: Vec<u8>) {
        match String::from_utf8(bytes) {
            Ok(text) => self.text = text,
            Err(error) => {
                let start = error.utf8_error().valid_up_to();
                self.text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                self.findings.push(
                    Finding::error(&bimi::B10, "bytes that are not UTF-8")
                        .at(Span { start, end: start + char::REPLACEMENT_CHARACTER.len_utf8() })
                        .expected("UTF-8"),
                );
            }
        }
    }

    /// The text without its document type, which leaves blanks so that places stay the same.
    pub(super) fn parsed_text(&mut self) -> String {
        let Some(doctype) = doctype(&self.text) else { return self.text.clone() };
        let shown = Span { start: doctype.start, end: doctype.end.min(doctype.start + SHOWN) };
        let shown = if self.text.is_char_boundary(shown.end) { shown } else { doctype };
        self.findings.push(
            Finding::error(&bimi::B10, "a DOCTYPE").at(shown).expected("no DOCTYPE, no entities"),
        );
        let whole = Piece::all(&self.text);
        let (before, rest) = whole.split_at(doctype.start);
        let (inside, after) = rest.split_at(doctype.end - doctype.start);
        let blanks = " ".repeat(inside.text().len());
        format!("{}{blanks}{}", before.text(), after.text())
    }
}

/// Parses a text, or tells why it is no XML.
pub(super) fn parse(text: &str) -> Result<Document<'_>, Box<Finding>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..Default::default() };
    Document::parse_with_options(text, options).map_err(|error| Box::new(malformed(text, &error)))
}

fn malformed(text: &str, error: &Error) -> Finding {
    let at = offset(text, error.pos().row, error.pos().col);
    let told = match error {
        Error::NodesLimitReached => format!("more than {NODES} elements and texts"),
        error => format!("XML that is not well-formed: {}", without_place(&error.to_string())),
    };
    let end = text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |c| at + c.len_utf8());
    Finding::error(&bimi::B10, told).at(Span { start: at, end }).expected("well-formed XML")
}

/// A parser's message without the place at its end, which is told otherwise.
fn without_place(told: &str) -> &str {
    told.rsplit_once(" at ").map_or(told, |(message, _)| message)
}

/// The byte at a row and a column of characters, both from 1.
fn offset(text: &str, row: u32, column: u32) -> usize {
    let (row, column) = (row.saturating_sub(1) as usize, column.saturating_sub(1) as usize);
    let line: usize = text.split_inclusive('\n').take(row).map(str::len).sum();
    let rest = text.get(line..).unwrap_or_default();
    let within = rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
    (line + within).min(text.len())
}

/// Where a document type declaration is, its internal subset included.
fn doctype(text: &str) -> Option<Span> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let start = from + rest.find("<!")?;
        if text.get(start..)?.starts_with("<!--") {
            from = start + text.get(start..)?.find("-->")?;
        } else if text.get(start..)?.starts_with("<!DOCTYPE") {
            return Some(Span { start, end: declaration_end(text, start) });
        } else {
            from = start + 2;
        }
    }
}

/// The end of a declaration: its closing bracket outside quotes and outside `[…]`.
fn declaration_end(text: &str, start: usize) -> usize {
    let (mut quote, mut is_inside) = (None, false);
    for (at, c) in text.get(start..).unwrap_or_default().char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => is_inside = true,
            (None, ']') => is_inside = false,
            (None, '>') if !is_inside => return start + at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A file's bytes without gzip; `None` when they cannot be unpacked, or are more than is read.
pub(in crate::audit) fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let unpacked = if bytes.starts_with(&GZIP) { unpack(bytes).ok()? } else { bytes.to_vec() };
    (unpacked.len() <= FILE).then_some(unpacked)
}

fn unpack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(FILE).unwrap_or(u64::MAX) + 1;
    GzDecoder::new(bytes).take(limit).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How much of a document type is shown.
const SHOWN: usize = 60;
