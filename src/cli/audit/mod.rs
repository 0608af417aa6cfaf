//! `waypost audit`: what a domain publishes about its mail, judged.

mod command;
mod findings;
mod record;
mod source;
mod spf_check;
mod svg;

pub(super) use command::AuditArgs;
