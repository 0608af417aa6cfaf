//! `waypost link`: mints links, and shows what one says.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use thiserror::Error;
use url::Url;

use super::bulk::{BulkArgs, BulkError};
use super::output::{self, OutputError};
use super::place::{PlaceArgs, PlaceError};
use crate::clock::{Clock, TimestampError};
use crate::disk::Disk;
use crate::hostname::{Hostname, HostnameError};
use crate::token::{
    Action, Claims, Excerpt, Keyring, KeyringError, LinkKind, Mint, OpenError, Row, RowError,
};

/// Mints links and pixels, and shows what a link says.
#[derive(Args, Debug)]
pub(super) struct LinkArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mint a link that leads to a destination, or many with --file.
    #[command(after_long_help = ROWS)]
    Click {
        /// Where the link leads: an http or https URL.
        #[arg(long, value_name = "URL", required_unless_present = "file")]
        to: Option<String>,
        #[command(flatten)]
        what: Fields,
        #[command(flatten)]
        bulk: BulkArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Mint the address of an open pixel, or many with --file.
    #[command(after_long_help = ROWS)]
    Open {
        #[command(flatten)]
        what: Fields,
        #[command(flatten)]
        bulk: BulkArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Show what a link or token says, as JSON: a row that --file takes.
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
    #[arg(long, required_unless_present = "file")]
    host: Option<String>,
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
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
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
    /// Minting in bulk ended early.
    #[error(transparent)]
    Bulk(#[from] BulkError),
    /// A flag's value is refused.
    #[error("{flag} {value}: {reason}")]
    Flag {
        /// The flag.
        flag: String,
        /// Its value, cut to a line.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The keys could not be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The link's own host is none.
    #[error("the link's host {} {error}", Excerpt(host))]
    LinkHost {
        /// The host.
        host: String,
        /// What is wrong with it.
        error: HostnameError,
    },
    /// A token alone does not say its host.
    #[error("a token alone does not say its host: give the whole link, or --host")]
    NeedsHost,
    /// Nothing can be sealed.
    #[error(
        "there is no key to seal with in {}: make one with `waypost key new`", .0.display()
    )]
    NoKey(PathBuf),
    /// The text is neither link nor token.
    #[error(
        "{} is no link, expected one such as https://trk.example.com/c/TOKEN, or a token with \
         --host",
        Excerpt(.0)
    )]
    NoLink(String),
    /// The token opens nothing.
    #[error("{error} (asked for {host}, with the keys in {})", keys.display())]
    Open {
        /// The host that it was opened for.
        host: Hostname,
        /// The folder of keys.
        keys: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// The link could not be told.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The place could not be found out.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The link cannot be minted.
    #[error(transparent)]
    Row(RowError),
    /// `--sent-at` is no time.
    #[error("--sent-at: {0}")]
    SentAt(#[from] TimestampError),
}

impl LinkArgs {
    /// Runs the command; returns the exit code.
    pub(super) fn run(self, disk: &Arc<dyn Disk>, clock: &Arc<dyn Clock>) -> Result<u8, LinkError> {
        match self.command {
            Command::Click { to, what, bulk, place } => {
                let row = Row { url: to.map(Cow::Owned), ..what.row(LinkKind::Click)? };
                mint(row, &bulk, &place, disk, clock)
            }
            Command::Open { what, bulk, place } => {
                mint(what.row(LinkKind::Open)?, &bulk, &place, disk, clock)
            }
            Command::Show { link, host, place } => {
                let (host, token) = parts(&link, host)?;
                let keys = place.resolve(disk)?.keys;
                let keyring = Keyring::load_existing(Arc::clone(disk), &keys)?;
                let mut buffer = Vec::new();
                let claims = match keyring.open(&token, &host, clock.wall(), &mut buffer) {
                    Ok(claims) => claims,
                    Err(OpenError::Malformed) => return Err(LinkError::NoLink(link)),
                    Err(error) => return Err(LinkError::Open { host, keys, error }),
                };
                output::line(format_args!("{:#}", object(&claims, &host)))?;
                Ok(0)
            }
        }
    }
}

/// Mints the row that the flags say, or the rows of a file, which take from it what they do not
/// say themselves.
fn mint(
    row: Row<'static>,
    bulk: &BulkArgs,
    place: &PlaceArgs,
    disk: &Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
) -> Result<u8, LinkError> {
    let place = place.resolve(disk)?;
    let keyring = Keyring::load_existing(Arc::clone(disk), &place.keys)?;
    let now = clock.wall();
    if keyring.sealing_key(now).is_none() {
        return Err(LinkError::NoKey(place.keys));
    }
    if let Some(file) = &bulk.file {
        let mint = Mint::new(keyring, place.form, row);
        return Ok(bulk.mint(file, &mint, clock)?);
    }
    let mut link = Vec::new();
    Mint::new(keyring, place.form, Row::default()).link(&row, now, &mut link).map_err(flagged)?;
    output::line(String::from_utf8_lossy(&link))?;
    Ok(0)
}

impl Fields {
    fn row(self, kind: LinkKind) -> Result<Row<'static>, LinkError> {
        let text = |text: Option<String>| text.map(Cow::Owned);
        let pair = |pair: String| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok((Cow::Owned(key.to_owned()), Cow::Owned(value.to_owned())))
            }
            _ => Err(LinkError::Flag {
                flag: "--meta".to_owned(),
                value: Excerpt(&pair).to_string(),
                reason: "expected KEY=VALUE".to_owned(),
            }),
        };
        Ok(Row {
            kind: Some(kind),
            host: text(self.host),
            url: None,
            account: text(self.account),
            campaign: text(self.campaign),
            message: text(self.message),
            template: text(self.template),
            list: text(self.list),
            recipient: text(self.recipient),
            link: text(self.link),
            link_name: text(self.link_name),
            link_position: self.position,
            sent_at: self.sent_at.as_deref().map(str::parse).transpose()?,
            meta: self.meta.into_iter().map(pair).collect::<Result<_, _>>()?,
        })
    }
}

/// What is wrong with a row, told by the flag that said it.
fn flagged(error: RowError) -> LinkError {
    match error {
        RowError::Field { key, value, reason } => {
            let flag = match key.as_str() {
                "url" => "--to".to_owned(),
                key if key.starts_with("meta") => format!("--{}", key.replacen('.', " ", 1)),
                key => format!("--{}", key.replace('_', "-")),
            };
            LinkError::Flag { flag, value, reason }
        }
        error => LinkError::Row(error),
    }
}

/// The host and the token of a link; a host that is given goes before the link's own.
fn parts(link: &str, host: Option<String>) -> Result<(Hostname, String), LinkError> {
    let no_link = || LinkError::NoLink(link.to_owned());
    let url = Url::parse(link).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if url.is_none() && link.contains([':', '/', ' ']) || link.is_empty() {
        return Err(no_link());
    }
    let path = url.as_ref().map_or(link, |url| url.path());
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let token = last.strip_suffix(".gif").unwrap_or(last).to_owned();
    let host = match (host, url) {
        (Some(host), _) => Hostname::parse(&host).map_err(|error| LinkError::Flag {
            flag: "--host".to_owned(),
            value: Excerpt(&host).to_string(),
            reason: error.to_string(),
        })?,
        (None, Some(url)) => {
            let host = url.host_str().ok_or_else(no_link)?.to_owned();
            Hostname::parse(&host).map_err(|error| LinkError::LinkHost { host, error })?
        }
        (None, None) => return Err(LinkError::NeedsHost),
    };
    Ok((host, token))
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

const ROWS: &str = "\
With --file, each line is a JSON object with the fields kind (click or open), host, url, account,
campaign, message, template, list, recipient, link, link_name, link_position, sent_at and meta (an
object of texts); the other flags say what a row leaves out. One link a line comes out. Exit 0 when
all were minted, 1 when bad rows were skipped, 2 when one stopped it or nothing could be done.";
