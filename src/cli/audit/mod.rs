//! `waypost audit`: what a domain publishes about its mail, judged.

mod bulk;
mod command;
mod domains;
mod findings;
mod known;
mod page;
mod record;
mod sheet;
mod source;
mod spf_check;
mod svg;

pub(super) use command::AuditArgs;
