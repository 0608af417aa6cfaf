//! Where diagnostics go: standard error, as text or JSON lines.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use super::outlet::Outlet;
use crate::config::{Form, Level, Trace};

/// Tracing of the process. When it is dropped, what was traced is written out, for a moment.
#[derive(Debug)]
#[must_use = "what is traced last is lost when nobody waits for it"]
pub(super) struct Tracing(Outlet);

/// Starts tracing for the process; the error is that of starting a thread.
pub(super) fn begin(trace: &Trace) -> io::Result<Tracing> {
    let level = match trace.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let outlet = Outlet::start(io::stderr(), WAITING)?;
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(outlet.clone())
        .with_ansi(io::stderr().is_terminal());
    match trace.form {
        Form::Text => lines.init(),
        Form::Json => lines.json().init(),
    }
    Ok(Tracing(outlet))
}

impl Drop for Tracing {
    fn drop(&mut self) {
        self.0.flush(LAST_WORDS);
    }
}

/// Bytes of lines that may wait for standard error: some tens of thousands of lines.
const WAITING: usize = 8 << 20;
const LAST_WORDS: Duration = Duration::from_secs(1);
