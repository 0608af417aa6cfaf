//! A TOML document whose values know their lines.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::Problem;

/// A value with its line and its text as written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) value: Value,
}

/// What was written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    List(Vec<Written>),
    Table(BTreeMap<String, Written>),
    /// A boolean, a float or a date: no key takes one.
    Other,
}

/// Reads a document, with all that its syntax has wrong.
pub(super) fn read(text: &str) -> (BTreeMap<String, Written>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let problems = errors.iter().map(|error| Problem {
        line: error.span().map_or(1, |span| line(text, span.start)),
        key: String::new(),
        value: String::new(),
        reason: format!("this is no TOML: {}", error.message()),
    });
    let problems = problems.collect();
    (entries(text, table.get_ref()), problems)
}

fn entries(text: &str, table: &DeTable<'_>) -> BTreeMap<String, Written> {
    table
        .iter()
        .map(|(key, value)| {
            let mut written = written(text, value);
            written.line = line(text, key.span().start);
            (key.get_ref().to_string(), written)
        })
        .collect()
}

fn written(text: &str, value: &Spanned<DeValue<'_>>) -> Written {
    let span = value.span();
    let inner = match value.get_ref() {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Value::Other, Value::Integer),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| written(text, item)).collect())
        }
        DeValue::Table(table) => Value::Table(entries(text, table)),
        _ => Value::Other,
    };
    Written { line: line(text, span.start), text: shown(text, span), value: inner }
}

/// A value as written, on one line, and not longer than a line.
fn shown(text: &str, span: Range<usize>) -> String {
    let value = text.get(span).unwrap_or_default();
    let one_line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", one_line.get(..end).unwrap_or_default()),
        None => one_line,
    }
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

const SHOWN: usize = 60;
