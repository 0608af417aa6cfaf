//! Configuration files: the only place that knows TOML.
//!
//! A file is read in two steps. The [`reader`] takes each key out of the document with its line,
//! and remembers everything that is wrong; [`settings`] puts the parts' own `Config` values
//! together and asks each what it cannot serve. All problems are told at once.

mod document;
mod draft;
mod problems;
mod reader;
mod sections;
mod settings;
mod suggest;
mod units;

pub use draft::Draft;
pub use problems::{Problem, Problems};
pub use settings::{Form, Level, Node, Settings, Shutdown, Trace};
