//! DMARC (RFC 9989, reports RFC 9990): policy records, where they are found, whom they report to.
//!
//! What is in force is told by RFC 9989; where receivers of RFC 7489 do otherwise, the finding
//! says so.

mod discovery;
mod judge;
mod mend;
mod policy;
mod record;
mod reports;
mod uri;
mod walk;

pub use discovery::{Discovery, Visit, discover};
pub use judge::judge;
pub use policy::{Alignment, Policy, PublicSuffix};
pub use record::{Older, PolicyRecord, is_record, read};
pub use reports::{Destination, reports};
pub use uri::ReportUri;
pub use walk::organization;
