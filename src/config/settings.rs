//! All settings of a node, read and validated as a whole.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{self, Written};
use super::draft::Draft;
use super::problems::{Problem, Problems};
use super::reader::Finished;
use super::sections;
use crate::disk::{Access, Disk};
use crate::journal::Keep;
use crate::token::{Keyring, LinkForm, PageMint};
use crate::{
    acme, admin, audit, dns, domains, edge, event, journal, kafka, shipper, store, tls, token,
};

/// All settings of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The node itself.
    pub node: Node,
    /// The public door.
    pub edge: edge::Config,
    /// Certificates.
    pub tls: tls::Config,
    /// The journal.
    pub journal: journal::Config,
    /// The connection to Kafka.
    pub kafka: kafka::Config,
    /// How the journal is brought there.
    pub shipper: shipper::Config,
    /// Link keys and the form of printed links.
    pub links: token::Config,
    /// What events keep.
    pub events: event::Config,
    /// The customers' hostnames.
    pub domains: domains::Config,
    /// What domains are held to.
    pub audit: audit::Config,
    /// How the DNS is asked.
    pub dns: dns::Config,
    /// Certification authorities.
    pub acme: acme::Config,
    /// What is kept.
    pub store: store::Config,
    /// The operator's door.
    pub admin: admin::Config,
    /// Diagnostics.
    pub trace: Trace,
    /// How the node ends.
    pub shutdown: Shutdown,
}

/// The node itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in events.
    pub name: String,
    /// The folder of everything that it keeps.
    pub data: PathBuf,
    /// Threads that answer; 0 is one for each core.
    pub reactors: usize,
}

/// Diagnostics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What is told.
    pub level: Level,
    /// In what form.
    pub form: Form,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What needs somebody.
    Error,
    /// What may need somebody.
    Warn,
    /// What changed.
    Info,
    /// Each decision.
    Debug,
    /// Each step.
    Trace,
}

/// In what form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON lines.
    Json,
    /// Lines for people.
    Text,
}

/// How the node ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How long everything is answered on after `/readyz` has begun to say that the node ends.
    pub delay: Duration,
    /// How long connections may take to finish.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let data = PathBuf::from("/var/lib/waypost");
        let mut settings = Self {
            node: Node { name: "waypost".to_owned(), data, reactors: 0 },
            edge: edge::Config::default(),
            tls: tls::Config::default(),
            journal: journal::Config::default(),
            kafka: kafka::Config::default(),
            shipper: shipper::Config::default(),
            links: token::Config::default(),
            events: event::Config::default(),
            domains: domains::Config::default(),
            audit: audit::Config::default(),
            dns: dns::Config::default(),
            acme: acme::Config::default(),
            store: store::Config::default(),
            admin: admin::Config::default(),
            trace: Trace { level: Level::Info, form: Form::Text },
            shutdown: Shutdown { delay: Duration::ZERO, grace: Duration::from_secs(10) },
        };
        settings.place_under_data();
        settings.say_what_is_audited();
        settings
    }
}

impl Settings {
    /// Reads the text of a file; `file` names it in problems, and its folder is where relative
    /// paths begin.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Problems> {
        Draft::parse(text, file).finish()
    }

    /// Reads a file, and looks whether the files that a start needs can be read. Certificates are
    /// not among them: a node leaves out those that it cannot serve.
    pub fn load(disk: &dyn Disk, file: &Path) -> io::Result<Result<Self, Problems>> {
        let mut draft = Draft::read(disk, file)?;
        draft.object_to_missing_files(disk);
        Ok(draft.finish().map(|mut settings| {
            if settings.node.name == DEFAULT_NAME {
                settings.node.name = machine_name(disk);
            }
            settings
        }))
    }

    /// The settings of `waypost dev`, with everything kept under `data`.
    pub fn dev(data: &Path) -> Self {
        // A test parses the same text, so this never takes the default.
        let mut settings =
            Self::parse(DEV, Path::new("dev.toml")).unwrap_or_else(|_| Self::default());
        settings.node.data = data.to_owned();
        settings.journal.directory = PathBuf::from("journal");
        settings.links.keys = PathBuf::from("keys");
        settings.store = store::Config::default();
        settings.place_under_data();
        settings
    }

    /// Sends events to one broker without protection, as `waypost dev` does.
    pub fn ship_to(&mut self, broker: &str) {
        self.kafka.brokers = vec![broker.to_owned()];
        self.keep_what_is_needed();
    }

    /// What printed links look like.
    pub fn link_form(&self) -> LinkForm {
        LinkForm {
            base: self.links.base.clone(),
            click_prefix: self.edge.minted_click_prefix().to_owned(),
            open_prefix: self.edge.minted_open_prefix().to_owned(),
        }
    }

    /// What makes links to customers' pages, when the platform has a host of its own; `base` is the
    /// form of links.
    pub fn page_mint(&self, keyring: Keyring, base: &str) -> Option<PageMint> {
        let host = self.domains.target.clone()?;
        Some(PageMint::new(keyring, host, base, self.edge.minted_page_prefix()))
    }

    /// What an audit has to know of the platform, without what stands in files.
    pub fn platform(&self) -> audit::Platform {
        audit::Platform {
            expect: self.audit.expect.clone(),
            target: self.domains.target.as_ref().map(ToString::to_string).unwrap_or_default(),
            authorities: self.domains.authorities.clone(),
            mark_roots: Vec::new(),
        }
    }

    /// Every key that a file can hold, with its section.
    pub fn keys() -> Vec<String> {
        let base = Path::new("");
        sections::read(&mut Self::default(), &mut document::read(ONE_OF_EACH).0, base).keys
    }

    /// With Kafka behind it, the journal deletes nothing that is not acknowledged there.
    fn keep_what_is_needed(&mut self) {
        if self.kafka.is_configured() {
            self.journal.keep = Keep::Unacknowledged;
        }
    }

    /// Without a name that tracking names lead to, nothing is asked about them.
    fn say_what_is_audited(&mut self) {
        let is_asking = self.domains.target.is_some();
        self.domains.audit_rate = if is_asking { self.audit.rate } else { 0 };
    }

    fn place_under_data(&mut self) {
        let data = &self.node.data;
        self.journal.directory = data.join(&self.journal.directory);
        self.links.keys = data.join(&self.links.keys);
        self.store.file = data.join(&self.store.file);
        self.store.seal_key_file = data.join(&self.store.seal_key_file);
    }

    /// The settings of a document, and all that is wrong with it.
    pub(super) fn of(
        document: &mut BTreeMap<String, Written>,
        base: &Path,
    ) -> (Self, Vec<Problem>) {
        let mut settings = Self {
            // Relative to the data folder, which the file may name.
            journal: journal::Config::default(),
            links: token::Config::default(),
            store: store::Config::default(),
            ..Self::default()
        };
        let Finished { problems, .. } = sections::read(&mut settings, document, base);
        settings.place_under_data();
        settings.keep_what_is_needed();
        settings.say_what_is_audited();
        (settings, problems)
    }
}

fn machine_name(disk: &dyn Disk) -> String {
    // A file of the kernel's says that it is empty, so it is read by a fixed length.
    let mut name = [0; 64];
    let read = disk
        .open(Path::new("/proc/sys/kernel/hostname"), Access::Read)
        .and_then(|file| file.read_at(&mut name, 0));
    let name = String::from_utf8_lossy(&name[..read.unwrap_or(0)]).trim().to_owned();
    if name.is_empty() { DEFAULT_NAME.to_owned() } else { name }
}

const DEFAULT_NAME: &str = "waypost";
const DEV: &str = include_str!("../../config/dev.toml");
/// A document in which the keys of arrays of tables are asked for.
const ONE_OF_EACH: &str = "[[tls.certificate]]\n[[acme.issuer]]\n";
