//! All settings of a node, read and validated as a whole.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document;
use super::problems::{Problem, Problems};
use super::reader::Finished;
use super::sections;
use crate::disk::{Access, Disk};
use crate::journal::Keep;
use crate::kafka::Password;
use crate::token::LinkForm;
use crate::{admin, edge, event, journal, kafka, shipper, store, tls, token};

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
    /// What is kept sealed.
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
            store: store::Config::default(),
            admin: admin::Config::default(),
            trace: Trace { level: Level::Info, form: Form::Text },
            shutdown: Shutdown { delay: Duration::ZERO, grace: Duration::from_secs(10) },
        };
        settings.place_under_data();
        settings
    }
}

impl Settings {
    /// Reads the text of a file; `file` names it in problems, and its folder is where relative
    /// paths begin.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Problems> {
        let (mut document, mut problems) = document::read(text);
        let mut settings = Self {
            // Relative to the data folder, which the file may name.
            journal: journal::Config::default(),
            links: token::Config::default(),
            store: store::Config::default(),
            ..Self::default()
        };
        let base = file.parent().unwrap_or_else(|| Path::new(""));
        let Finished { problems: found, .. } = sections::read(&mut settings, &mut document, base);
        problems.extend(found);
        settings.place_under_data();
        settings.keep_what_is_needed();
        if problems.is_empty() {
            return Ok(settings);
        }
        problems.sort();
        Err(Problems { file: file.to_owned(), problems })
    }

    /// Reads a file, and looks whether the files that it names can be read.
    pub fn load(disk: &dyn Disk, file: &Path) -> io::Result<Result<Self, Problems>> {
        let bytes = disk.read(file, MAX_FILE)?;
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => return Ok(Err(Problems::not_utf8(file, &bytes, error.valid_up_to()))),
        };
        let mut settings = match Self::parse(text, file) {
            Ok(settings) => settings,
            Err(problems) => return Ok(Err(problems)),
        };
        if settings.node.name == DEFAULT_NAME {
            settings.node.name = machine_name(disk);
        }
        let problems = settings.missing_files(disk);
        if problems.is_empty() {
            return Ok(Ok(settings));
        }
        Ok(Err(Problems { file: file.to_owned(), problems }))
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
            click_prefix: self.edge.click_prefix.clone(),
            open_prefix: self.edge.open_prefix.clone(),
        }
    }

    /// Every key that a file can hold, with its section.
    pub fn keys() -> Vec<String> {
        let base = Path::new("");
        sections::read(&mut Self::default(), &mut document::read(ONE_CERTIFICATE).0, base).keys
    }

    /// With Kafka behind it, the journal deletes nothing that is not acknowledged there.
    fn keep_what_is_needed(&mut self) {
        if self.kafka.is_configured() {
            self.journal.keep = Keep::Unacknowledged;
        }
    }

    fn place_under_data(&mut self) {
        let data = &self.node.data;
        self.journal.directory = data.join(&self.journal.directory);
        self.links.keys = data.join(&self.links.keys);
        self.store.seal_key_file = data.join(&self.store.seal_key_file);
    }

    fn missing_files(&self, disk: &dyn Disk) -> Vec<Problem> {
        let password = match &self.kafka.password {
            Some(Password::File(file)) => Some(file.clone()),
            _ => None,
        };
        let named = [
            ("admin.token_file", &self.admin.token_file),
            ("admin.chain", &self.admin.chain),
            ("admin.key", &self.admin.key),
            ("events.address_key_file", &self.events.address_key_file),
            ("kafka.ca", &self.kafka.ca),
            ("kafka.certificate", &self.kafka.certificate),
            ("kafka.key", &self.kafka.key),
            ("kafka.password_file", &password),
        ];
        let named = named.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?)));
        let certificates = self.tls.certificates.iter().flat_map(|files| {
            [("tls.certificate.chain", &files.chain), ("tls.certificate.key", &files.key)]
        });
        named
            .chain(certificates)
            .filter_map(|(key, file)| {
                let error = disk.open(file, Access::Read).err()?;
                let value = format!("\"{}\"", file.display());
                let reason = format!("cannot be read: {error}");
                Some(Problem { line: 0, key: key.to_owned(), value, reason })
            })
            .collect()
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
const MAX_FILE: u64 = 16 << 20;
/// A document in which the keys of a certificate are asked for.
const ONE_CERTIFICATE: &str = "[[tls.certificate]]\n";
