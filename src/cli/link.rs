//! `waypost link`: mints links, and shows what one says.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use thiserror::Error;
use url::Url;

use super::place::{Place, PlaceArgs, PlaceError};
use super::time::{TimeError, moment};
use crate::clock::{Clock, Timestamp};
use crate::disk::Disk;
use crate::hostname::{Hostname, HostnameError};
use crate::token::{Action, Claims, Keyring, KeyringError, OpenError, SealError};

/// Mints links and pixels, and shows what a link says.
#[derive(Args, Debug)]
pub(super) struct LinkArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mint a link that leads to a destination.
    Click {
        /// Where the link leads: an http or https URL.
        #[arg(long, value_name = "URL")]
        to: String,
        #[command(flatten)]
        what: Fields,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Mint the address of an open pixel.
    Open {
        #[command(flatten)]
        what: Fields,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Show what a link or token says, as JSON.
    Show {
        /// A link, or a token alone (then --host is needed).
        #[arg(value_name = "LINK")]
        link: String,
        /// The tracking host that the token was minted for.
        #[arg(long)]
        host: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// What a sender knows of a link; all of it comes out in the event.
#[derive(Args, Debug)]
struct Fields {
    /// The tracking host that the link is on, such as trk.example.com.
    #[arg(long)]
    host: String,
    /// The message: one mail to one recipient.
    #[arg(long)]
    message: Option<String>,
    /// The recipient, an opaque id.
    #[arg(long)]
    recipient: Option<String>,
    /// The campaign.
    #[arg(long)]
    campaign: Option<String>,
    /// The link's id.
    #[arg(long)]
    link: Option<String>,
    /// The sender's account.
    #[arg(long)]
    account: Option<String>,
    /// The template or variant.
    #[arg(long)]
    template: Option<String>,
    /// The list or segment.
    #[arg(long)]
    list: Option<String>,
    /// The link's name.
    #[arg(long)]
    link_name: Option<String>,
    /// The link's place in the mail, a whole number.
    #[arg(long, value_name = "N")]
    position: Option<u32>,
    /// When the mail was sent, such as 2026-11-23T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    sent_at: Option<String>,
    /// A further pair; may be given several times.
    #[arg(long, value_name = "K=V")]
    meta: Vec<String>,
}

/// Why a link command ended.
#[derive(Debug, Error)]
pub(super) enum LinkError {
    /// `--host` is no hostname.
    #[error("--host \"{0}\" {1}")]
    Host(String, HostnameError),
    /// The keys could not be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// `--meta` is not of its form.
    #[error("--meta \"{0}\" expected KEY=VALUE")]
    Meta(String),
    /// A token alone does not say its host.
    #[error("a token alone does not say its host: give the whole link, or --host")]
    NeedsHost,
    /// The token opens nothing.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The place could not be found out.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The link cannot be minted.
    #[error("{0}")]
    Seal(SealError),
    /// `--sent-at` is no time.
    #[error("--sent-at: {0}")]
    SentAt(#[from] TimeError),
    /// `--to` is refused.
    #[error("--to \"{0}\": {1}")]
    To(String, SealError),
}

impl LinkArgs {
    /// Runs the command.
    pub(super) fn run(self, disk: &Arc<dyn Disk>, clock: &dyn Clock) -> Result<(), LinkError> {
        let now = clock.wall();
        match self.command {
            Command::Click { to, what, place } => {
                let wrong = |error| match error {
                    SealError::Destination(_) => LinkError::To(to.clone(), error),
                    error => LinkError::Seal(error),
                };
                let place = place.resolve(disk)?;
                let (host, token) =
                    what.mint(Action::Click { url: &to }, disk, &place, now, wrong)?;
                let prefix = &place.click_prefix;
                println!("{}/{prefix}/{token}", place.base.replace("{host}", host.as_str()));
            }
            Command::Open { what, place } => {
                let place = place.resolve(disk)?;
                let (host, token) = what.mint(Action::Open, disk, &place, now, LinkError::Seal)?;
                let prefix = &place.open_prefix;
                println!("{}/{prefix}/{token}.gif", place.base.replace("{host}", host.as_str()));
            }
            Command::Show { link, host, place } => {
                let (host, token) = parts(&link, host)?;
                let keyring = Keyring::load(Arc::clone(disk), &place.resolve(disk)?.keys)?;
                let mut buffer = Vec::new();
                let claims = keyring.open(&token, &host, now, &mut buffer)?;
                println!("{:#}", object(&claims, &host));
            }
        }
        Ok(())
    }
}

impl Fields {
    fn mint(
        &self,
        action: Action<'_>,
        disk: &Arc<dyn Disk>,
        place: &Place,
        now: Timestamp,
        wrong: impl FnOnce(SealError) -> LinkError,
    ) -> Result<(Hostname, String), LinkError> {
        let host = hostname(&self.host)?;
        let pair = |pair: &'_ String| -> Result<(String, String), LinkError> {
            let split = pair.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = split.ok_or_else(|| LinkError::Meta(pair.clone()))?;
            Ok((key.to_owned(), value.to_owned()))
        };
        let meta = self.meta.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let claims = Claims {
            action,
            account: self.account.as_deref(),
            campaign: self.campaign.as_deref(),
            message: self.message.as_deref(),
            template: self.template.as_deref(),
            list: self.list.as_deref(),
            recipient: self.recipient.as_deref(),
            link: self.link.as_deref(),
            link_name: self.link_name.as_deref(),
            link_position: self.position,
            sent_at: self.sent_at.as_deref().map(moment).transpose()?,
            meta: meta.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        };
        let keyring = Keyring::load(Arc::clone(disk), &place.keys)?;
        let token = keyring.seal(&claims, &host, now).map_err(wrong)?;
        Ok((host, token))
    }
}

fn hostname(text: &str) -> Result<Hostname, LinkError> {
    Hostname::parse(text).map_err(|error| LinkError::Host(text.to_owned(), error))
}

/// The host and the token of a link; a host that is given goes before the link's own.
fn parts(link: &str, host: Option<String>) -> Result<(Hostname, String), LinkError> {
    let url = Url::parse(link).ok();
    let path = url.as_ref().map_or(link, |url| url.path());
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let token = last.strip_suffix(".gif").unwrap_or(last).to_owned();
    let own = url.as_ref().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.or(own).ok_or(LinkError::NeedsHost)?;
    Ok((hostname(&host)?, token))
}

fn object(claims: &Claims<'_>, host: &Hostname) -> Value {
    let mut object = Map::new();
    object.insert("host".to_owned(), json!(host.as_str()));
    let (kind, url) = match claims.action {
        Action::Click { url } => ("click", Some(url)),
        Action::Open => ("open", None),
    };
    object.insert("kind".to_owned(), json!(kind));
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
            object.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(position) = claims.link_position {
        object.insert("link_position".to_owned(), json!(position));
    }
    if let Some(sent_at) = claims.sent_at {
        object.insert("sent_at".to_owned(), json!(sent_at.to_string()));
    }
    if !claims.meta.is_empty() {
        let meta = claims.meta.iter().map(|(key, value)| ((*key).to_owned(), json!(value)));
        object.insert("meta".to_owned(), Value::Object(meta.collect()));
    }
    Value::Object(object)
}
