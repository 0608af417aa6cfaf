//! The one place where these tests call the library instead of the process.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use waypost::clock::{Clock, SystemClock};
use waypost::config::Settings;
use waypost::disk::{Disk, SystemDisk};
use waypost::hostname::Hostname;
use waypost::journal::{self, Reader, Stream};
use waypost::server::{Extras, World, serve};
use waypost::token::{Action, Claims, Keyring};

use super::click::{Click, Kind};

/// Mints tokens with the keys of a folder. Cloning is cheap.
#[derive(Clone)]
pub struct Mint {
    keyring: Keyring,
}

impl Mint {
    /// Reads the keys of `folder`; makes one when there is none.
    pub fn new(folder: &Path) -> Self {
        let keyring = Keyring::load(Arc::new(SystemDisk), folder).unwrap();
        let now = SystemClock.wall();
        if keyring.sealing_key(now).is_none() {
            keyring.create(now).unwrap();
        }
        Self { keyring }
    }

    /// The token of a link that says nothing but where to.
    pub fn token_without_message(&self, host: &str, url: &str) -> String {
        let host = Hostname::parse(host).unwrap();
        self.keyring.seal(&Claims::new(Action::Click { url }), &host, SystemClock.wall()).unwrap()
    }

    /// Reads the keys of a folder that a node uses. The error says what is wrong with it.
    pub fn of(folder: &Path) -> Result<Self, String> {
        let keyring =
            Keyring::load(Arc::new(SystemDisk), folder).map_err(|error| error.to_string())?;
        match keyring.sealing_key(SystemClock.wall()) {
            Some(_) => Ok(Self { keyring }),
            None => Err("no key in it seals links now".to_owned()),
        }
    }

    /// What the token of a link says, as the row that it was minted of.
    pub fn says(&self, link: &str) -> Value {
        let (host, path) = link.split_once("://").unwrap().1.split_once('/').unwrap();
        let token = path.rsplit('/').next().unwrap();
        let token = token.strip_suffix(".gif").unwrap_or(token);
        let (host, mut buffer) = (Hostname::from_authority(host).unwrap(), Vec::new());
        let claims = self.keyring.open(token, &host, SystemClock.wall(), &mut buffer).unwrap();
        let mut row = json!({ "host": host.as_str() });
        let (kind, url) = match claims.action {
            Action::Click { url } => ("click", Some(url)),
            Action::Open => ("open", None),
        };
        row["kind"] = kind.into();
        for (name, text) in [
            ("url", url),
            ("account", claims.account),
            ("campaign", claims.campaign),
            ("message", claims.message),
            ("template", claims.template),
            ("list", claims.list),
            ("recipient", claims.recipient),
            ("link", claims.link),
            ("link_name", claims.link_name),
        ] {
            if let Some(text) = text {
                row[name] = text.into();
            }
        }
        if let Some(position) = claims.link_position {
            row["link_position"] = position.into();
        }
        if let Some(sent_at) = claims.sent_at {
            row["sent_at"] = sent_at.to_string().into();
        }
        for (key, value) in claims.meta {
            row["meta"][key] = value.into();
        }
        row
    }

    /// The token of a click's link.
    pub fn token(&self, click: &Click) -> String {
        let link = &click.link;
        let url = link.url.as_str();
        let action = if click.kind == Kind::Open { Action::Open } else { Action::Click { url } };
        let claims = Claims {
            action,
            account: link.account.as_deref(),
            campaign: link.campaign.as_deref(),
            message: Some(&link.message),
            template: link.template.as_deref(),
            list: link.list.as_deref(),
            recipient: link.recipient.as_deref(),
            link: link.link.as_deref(),
            link_name: link.link_name.as_deref(),
            link_position: link.link_position,
            sent_at: link.sent_at,
            meta: link.meta.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        };
        let host = Hostname::parse(&click.host).unwrap();
        self.keyring.seal(&claims, &host, SystemClock.wall()).unwrap()
    }
}

/// Tells of everything recorded in a journal's folder, event by event. A node may write there.
pub fn each_recorded(folder: &Path, each: &mut dyn FnMut(&str)) -> Result<(), String> {
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
    let directories = journal::directories(&*disk, folder).map_err(|error| error.to_string())?;
    for (id, path) in directories {
        let mut reader = Reader::outside(Arc::clone(&disk), id, &path, 1);
        while let Some(stored) = reader.read().map_err(|error| error.to_string())? {
            if stored.frame.stream == Stream::Events {
                each(&String::from_utf8_lossy(stored.frame.body));
            }
        }
    }
    Ok(())
}

/// Runs a node in this process, on a disk of the test's own, until it is asked to end.
pub fn serve_on(disk: Arc<dyn Disk>, configuration: &Path) {
    serve_in(World { disk, clock: Arc::new(SystemClock) }, configuration);
}

/// The same, in a world of the test's own.
pub fn serve_in(world: World, configuration: &Path) {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let settings = Settings::load(&*world.disk, configuration).unwrap().unwrap();
    serve(&settings, world, Extras::default(), |_| ()).unwrap();
}
