//! The process: parts put together.
