//! Where diagnostics go: standard error, as text or JSON lines.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;

use crate::config::{Form, Level, Trace};

/// Starts tracing for the process.
pub(super) fn begin(trace: &Trace) {
    let level = match trace.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match trace.form {
        Form::Text => lines.init(),
        Form::Json => lines.json().init(),
    }
}
