//! `waypost dev`: everything on this machine, nothing outside the process.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use thiserror::Error;

use super::output;
use super::place::DEV_FOLDER;
use super::{topics, trace};
use crate::admin::{self, Label, Sample};
use crate::clock::{Clock, Timestamp};
use crate::config::Settings;
use crate::disk::{Disk, DiskLock};
use crate::edge::BindError;
use crate::hostname::{Hostname, HostnameError};
use crate::kafka::topics::TopicsError;
use crate::server::{self, EachEvent, Extras, Running, ServeError, World};
use crate::token::{Action, Claims, Keyring, KeyringError, SealError};

/// Runs a node on loopback with a throw-away CA, and prints links to click.
#[derive(Args, Debug)]
pub(super) struct DevArgs {
    /// Where HTTPS is answered; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443", value_parser = loopback)]
    https: SocketAddr,
    /// Where plain HTTP is answered; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = loopback)]
    http: SocketAddr,
    /// Where the operator's door is; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9180", value_parser = loopback)]
    admin: SocketAddr,
    /// The folder for keys and events, made if missing.
    #[arg(long, value_name = "DIR", default_value = DEV_FOLDER)]
    data: PathBuf,
    /// A Kafka broker on this machine or near it, to bring events to; topics are made if missing.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Do not print a line for each event.
    #[arg(long)]
    quiet: bool,
}

/// Why `dev` could not run.
#[derive(Debug, Error)]
pub(super) enum DevError {
    /// The folder could not be used.
    #[error("--data {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An address is taken.
    #[error("--{flag} {address} is in use: name another port, or 0 for a free one")]
    AddressInUse {
        /// The flag that names it.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Our own name is refused: our fault.
    #[error("{HOST} {0}")]
    Host(#[from] HostnameError),
    /// Another one runs here.
    #[error("another `waypost dev` runs on {}: end it, or name another folder with --data", .0.display())]
    InUse(PathBuf),
    /// The broker's address is none.
    #[error("--kafka {0}: {1}")]
    Kafka(String, String),
    /// The first key could not be made.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The topics could not be made.
    #[error("--kafka: {0}")]
    Topics(#[from] TopicsError),
    /// The node could not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl DevArgs {
    /// Runs the node until Ctrl-C.
    pub(super) fn run(self, disk: &Arc<dyn Disk>, clock: &Arc<dyn Clock>) -> Result<(), DevError> {
        let host = Hostname::parse(HOST)?;
        let _lock = self.take_folder(disk)?;
        let mut settings = Settings::dev(&self.data);
        settings.edge.https = vec![self.https];
        settings.edge.http = vec![self.http];
        settings.admin.listen = self.admin;
        settings.links.base = format!("http://{{host}}:{}", self.http.port());
        if let Some(broker) = &self.kafka {
            ship_to(&mut settings, broker, disk)?;
        }
        let now = clock.wall();
        let keyring = Keyring::load(Arc::clone(disk), &settings.links.keys)?;
        if keyring.sealing_key(now).is_none() {
            keyring.create(now)?;
        }
        let _tracing = trace::begin(&settings.trace).map_err(ServeError::Thread)?;
        let world = World { disk: Arc::clone(disk), clock: Arc::clone(clock) };
        let links = Arc::new(Samples { host, keyring, now });
        let (for_page, data) = (Arc::clone(&links), self.data.clone());
        let extras = Extras {
            throwaway: vec![links.host.clone()],
            sample: Some(Box::new(move |running| for_page.page(running, &data))),
            each_event: Some(if self.quiet { Box::new(|_, _| ()) } else { each_event() }),
        };
        let data = self.data.clone();
        let ended = server::serve(&settings, world, extras, |running| {
            links.tell(running, &data);
        });
        let kept = ended.map_err(|error| self.explained(error))?.counts.journalled;
        let kept = output::counted(kept, "event");
        print(&format!("{kept} kept in {}\n", self.data.display()));
        Ok(())
    }

    /// Says which flag it is that names an address in use.
    fn explained(&self, error: ServeError) -> DevError {
        let taken = match &error {
            ServeError::Bind(BindError { address, error }) => Some((*address, error.kind())),
            ServeError::Admin(admin::BindError::Address { address, source }) => {
                Some((*address, source.kind()))
            }
            _ => None,
        };
        let Some((address, io::ErrorKind::AddrInUse)) = taken else { return error.into() };
        let flags = [("admin", self.admin), ("http", self.http), ("https", self.https)];
        match flags.into_iter().find(|(_, own)| *own == address) {
            Some((flag, _)) => DevError::AddressInUse { flag, address },
            None => error.into(),
        }
    }

    fn take_folder(&self, disk: &Arc<dyn Disk>) -> Result<DiskLock, DevError> {
        let wrong = |source| DevError::Folder { folder: self.data.clone(), source };
        disk.create_directory(&self.data).map_err(wrong)?;
        let lock = disk.lock(&self.data.join("dev.lock")).map_err(wrong)?;
        lock.ok_or_else(|| DevError::InUse(self.data.clone()))
    }
}

/// Has events brought to a broker, with topics of their own.
fn ship_to(settings: &mut Settings, broker: &str, disk: &Arc<dyn Disk>) -> Result<(), DevError> {
    settings.ship_to(broker);
    if let Some((_, reason)) = settings.kafka.problems().into_iter().next() {
        return Err(DevError::Kafka(broker.to_owned(), reason));
    }
    for topic in topics::create(settings, disk)? {
        print(&format!("topic: {topic} made\n"));
    }
    Ok(())
}

/// Mints the links that `dev` shows.
struct Samples {
    host: Hostname,
    keyring: Keyring,
    now: Timestamp,
}

impl Samples {
    fn seal(&self, action: Action<'_>, name: &str, position: u32) -> Result<String, SealError> {
        let claims = Claims {
            account: Some("dev"),
            campaign: Some("welcome"),
            message: Some("message-1"),
            recipient: Some("recipient-1"),
            link: Some(name),
            link_name: Some(name),
            link_position: Some(position),
            sent_at: Some(self.now),
            ..Claims::new(action)
        };
        self.keyring.seal(&claims, &self.host, self.now)
    }

    fn click(&self, base: &str, url: &str, name: &str, position: u32) -> String {
        match self.seal(Action::Click { url }, name, position) {
            Ok(token) => format!("{base}/c/{token}"),
            Err(error) => format!("({error})"),
        }
    }

    fn pixel(&self, base: &str) -> String {
        match self.seal(Action::Open, "pixel", 0) {
            Ok(token) => format!("{base}/o/{token}.gif"),
            Err(error) => format!("({error})"),
        }
    }

    fn base(scheme: &str, addresses: &[SocketAddr]) -> String {
        let port = addresses.first().map_or(0, SocketAddr::port);
        format!("{scheme}://{HOST}:{port}")
    }

    fn tell(&self, running: &Running, data: &Path) {
        let (plain, secure) =
            (Self::base("http", &running.http), Self::base("https", &running.https));
        let destination = format!("{plain}/?after=the-click");
        let click = self.click(&plain, &destination, "first", 1);
        let secure = self.click(&secure, &destination, "secure", 2);
        let authority = running.authority_file.clone().unwrap_or_default();
        let lines = [
            format!("click: {click}"),
            format!("open: {}", self.pixel(&plain)),
            format!("click https: {secure}"),
            format!("ca: {}", authority.display()),
            format!("admin: http://{}/", running.admin),
            format!("data: {}", data.display()),
            format!("events: {} journal cat --data {}", program(), quoted(data)),
            String::new(),
            format!("try: curl -i '{click}'"),
            format!("try: curl -i --cacert {} '{secure}'", quoted(&authority)),
            format!("try: {}", mint_command(data)),
            format!("try: open http://{}/ in a browser: a sample mail to click", running.admin),
            String::new(),
            String::new(),
        ];
        print(&lines.join("\n"));
    }

    fn page(&self, running: &Running, data: &Path) -> Sample {
        let (plain, secure) =
            (Self::base("http", &running.http), Self::base("https", &running.https));
        let destination = |page: &str| format!("{plain}/?page={page}");
        let link = |text: &str, name: &str, position| Label {
            text: text.to_owned(),
            url: self.click(&plain, &destination(name), name, position),
        };
        let authority = running.authority_file.clone().unwrap_or_default();
        let click = self.click(&secure, &destination("secure"), "secure", 4);
        Sample {
            links: vec![
                link("See the new collection", "collection", 1),
                link("Your order", "order", 2),
                link("Unsubscribe", "unsubscribe", 3),
            ],
            pixel: self.pixel(&plain),
            secure: click.clone(),
            curl: format!("curl -i --cacert {} '{click}'", quoted(&authority)),
            authority: authority.display().to_string(),
            mint: mint_command(data),
            terminal: format!("{} journal cat --data {}", program(), quoted(data)),
        }
    }
}

/// Reads an address of this machine.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: Option<SocketAddr> = text.parse().ok();
    address.filter(|address| address.ip().is_loopback()).ok_or_else(|| {
        "expected an IP address of this machine and a port, such as 127.0.0.1:8080".to_owned()
    })
}

/// The command that mints a link for this node.
fn mint_command(data: &Path) -> String {
    let link = format!("{} link click --host {HOST} --to https://example.com/", program());
    if data == Path::new(DEV_FOLDER) { link } else { format!("{link} --data {}", quoted(data)) }
}

/// This program as it was called: who tries it out may not have installed it.
fn program() -> String {
    let called = std::env::args_os().next().map_or_else(|| "waypost".into(), PathBuf::from);
    quoted(&called)
}

/// A path as a shell reads it (POSIX shell command language §2.2.2).
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'-' | b'_');
    if path.bytes().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// Prints one short line for each event: what, when, which link, where to.
fn each_event() -> EachEvent {
    let mut is_first = true;
    Box::new(move |position, body| {
        let event: Value = serde_json::from_slice(body).unwrap_or_default();
        // What a sender or a visitor wrote must not move a terminal's cursor.
        let text = |pointer: &str| {
            let text = event.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
            text.escape_debug().to_string()
        };
        let kind = text("/type").rsplit('.').next().unwrap_or("-").to_owned();
        if std::mem::take(&mut is_first) {
            print("position  type  time  message  link  destination\n");
        }
        print(&format!(
            "{position}  {kind}  {}  {}  {}  {}\n",
            text("/time"),
            text("/data/message"),
            text("/data/link"),
            text("/data/url"),
        ));
    })
}

/// Prints at once; whoever closed our output only stops the printing.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        tracing::debug!("standard output is closed");
    }
}

/// Browsers and curl know that every name under `localhost` is this machine (RFC 6761 §6.3).
const HOST: &str = "trk.localhost";
