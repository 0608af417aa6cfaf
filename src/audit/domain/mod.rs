//! A whole domain, judged as the platform needs it.
//!
//! [`examine`] is a function of what is known so far, [`Evidence`]: it returns a [`Report`], or
//! what has to be asked first, [`Needs`], all of one round together. [`Auditor`] asks.
//!
//! A report has a section for each record that the platform asks for. What a section proposes to
//! publish was put in place of what was found, and judged again: it has no error, and the finding
//! that it stands at is gone. For SPF it holds what was there, and what was missing.

mod anew;
mod auditor;
mod bimi;
mod dkim;
mod dmarc;
mod evidence;
mod examine;
mod extras;
mod issuance;
mod merge;
mod report;
mod servers;
mod spf;
mod subject;
mod tracking;
mod validation;

pub use auditor::Auditor;
pub use evidence::{
    Asked, Document, Evidence, Fetching, File, Files, Needs, Unfetched, Wanted, Way,
};
pub use examine::examine;
pub use report::{Report, Section, Topic};
pub use subject::{Depth, OwnKey, Subject, SubjectError};
