//! The event's encoding.

use std::borrow::Cow;
use std::net::IpAddr;

use uuid::Uuid;

use super::address::{self, AddressKey};
use super::config::{AddressForm, Config};
use super::headers::KEPT_HEADERS;
use super::json;
use crate::clock::Timestamp;
use crate::hostname::Hostname;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody followed a link.
    Click,
    /// A pixel was loaded.
    Open,
    /// A `HEAD` was answered: nobody saw anything.
    Probe,
}

impl Kind {
    /// The CloudEvents type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Click => "net.aksend.trk.click",
            Self::Open => "net.aksend.trk.open",
            Self::Probe => "net.aksend.trk.probe",
        }
    }
}

/// What the sender put into the link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link<'a> {
    /// The account.
    pub account: Option<&'a str>,
    /// The campaign.
    pub campaign: Option<&'a str>,
    /// The message.
    pub message: Option<&'a str>,
    /// The template or variant.
    pub template: Option<&'a str>,
    /// The list or segment.
    pub list: Option<&'a str>,
    /// The recipient.
    pub recipient: Option<&'a str>,
    /// The link's id.
    pub link: Option<&'a str>,
    /// The link's name.
    pub link_name: Option<&'a str>,
    /// The link's place in the mail.
    pub link_position: Option<u32>,
    /// When the mail was sent.
    pub sent_at: Option<Timestamp>,
    /// Further pairs.
    pub meta: &'a [(&'a str, &'a str)],
    /// The destination; none for a pixel.
    pub url: Option<&'a str>,
}

impl<'a> Link<'a> {
    /// The message, unless it is empty: CloudEvents 1.0 knows no empty `subject`.
    fn subject(&self) -> Option<&'a str> {
        self.message.filter(|message| !message.is_empty())
    }
}

/// One event, borrowed from the request.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// What happened.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// When.
    pub time: Timestamp,
    /// On which name.
    pub host: &'a Hostname,
    /// What the sender said.
    pub link: Link<'a>,
    /// The method.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The HTTP version: `h1.0`, `h1` or `h2`.
    pub http: &'a str,
    /// The TLS version, `1.2` or `1.3`, and whether the session was resumed; none without TLS.
    pub tls: Option<(&'a str, bool)>,
    /// The visitor's address.
    pub address: IpAddr,
    /// `User-Agent`, as it came.
    pub user_agent: Option<&'a [u8]>,
    /// `Referer`, as it came.
    pub referer: Option<&'a [u8]>,
    /// `Accept-Language`, as it came.
    pub accept_language: Option<&'a [u8]>,
    /// The fields of [`KEPT_HEADERS`], by index.
    pub headers: [Option<&'a [u8]>; KEPT_HEADERS.len()],
}

/// The type of an encoded event, found where [`Encoder::encode`] puts it; `None` when the bytes do
/// not begin as ours do.
pub fn type_of(encoded: &[u8]) -> Option<&str> {
    let rest = encoded.strip_prefix(BEFORE_ID)?.get(ID..)?.strip_prefix(BEFORE_TYPE)?;
    let length = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..length]).ok()
}

/// Encodes events as the operator's settings say.
#[derive(Clone, Debug)]
pub struct Encoder {
    config: Config,
    key: Option<AddressKey>,
    node: String,
}

impl Encoder {
    /// An encoder for a node; `key` is needed for [`AddressForm::Hashed`].
    pub fn new(config: Config, key: Option<AddressKey>, node: &str) -> Self {
        Self { config, key, node: node.to_owned() }
    }

    /// Appends the event to `out`, as one JSON object on one line.
    pub fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(BEFORE_ID);
        out.extend_from_slice(event.id.hyphenated().encode_lower(&mut [0; ID]).as_bytes());
        out.extend_from_slice(BEFORE_TYPE);
        out.extend_from_slice(event.kind.name().as_bytes());
        out.extend_from_slice(b"\",\"source\":\"https://");
        out.extend_from_slice(event.host.as_str().as_bytes());
        out.push(b'"');
        json::optional(out, "subject", event.link.subject());
        out.extend_from_slice(b",\"time\":\"");
        out.extend_from_slice(&event.time.rfc3339());
        out.extend_from_slice(b"\",\"datacontenttype\":\"application/json\",\"data\":{");
        let mut cut = Cut::default();
        self.link(&event.link, &mut cut, out);
        self.request(event, &mut cut, out);
        if let Some(sent_at) = event.link.sent_at {
            json::name(out, "sent_at");
            out.push(b'"');
            out.extend_from_slice(&sent_at.rfc3339());
            out.push(b'"');
        }
        json::pair(out, "node", &self.node);
        cut.write(out);
        out.extend_from_slice(b"}}");
    }

    fn link(&self, link: &Link<'_>, cut: &mut Cut, out: &mut Vec<u8>) {
        for (name, text) in [
            ("account", link.account),
            ("campaign", link.campaign),
            ("message", link.subject()),
            ("template", link.template),
            ("list", link.list),
            ("recipient", link.recipient),
            ("link", link.link),
            ("link_name", link.link_name),
        ] {
            json::optional(out, name, text);
        }
        if let Some(position) = link.link_position {
            json::name(out, "link_position");
            json::number(out, position);
        }
        if !link.meta.is_empty() {
            json::name(out, "meta");
            out.push(b'{');
            let mut room = self.config.meta;
            for (index, (key, value)) in link.meta.iter().enumerate() {
                // A name that stands twice would be no JSON that everybody reads alike.
                let is_again = link.meta[..index].iter().any(|(before, _)| before == key);
                if is_again || key.len() > room {
                    cut.add("meta");
                    continue;
                }
                room -= key.len();
                let kept = json::bounded(value, room);
                cut.add_if(kept.len() < value.len(), "meta");
                room -= kept.len();
                if !matches!(out.last(), Some(b'{')) {
                    out.push(b',');
                }
                json::string(out, key);
                out.push(b':');
                json::string(out, kept);
            }
            out.push(b'}');
        }
        json::optional(out, "url", link.url);
    }

    fn request(&self, event: &Event<'_>, cut: &mut Cut, out: &mut Vec<u8>) {
        let config = &self.config;
        json::pair(out, "host", event.host.as_str());
        json::pair(out, "method", event.method);
        json::pair(out, "scheme", event.scheme);
        json::pair(out, "http", event.http);
        if let Some((version, is_resumed)) = event.tls {
            json::pair(out, "tls", version);
            json::name(out, "resumed");
            out.extend_from_slice(if is_resumed { b"true" } else { b"false" });
        }
        json::name(out, "ip");
        out.push(b'"');
        address::write(event.address, config.address, self.key.as_ref(), out);
        out.push(b'"');
        match config.address {
            AddressForm::Whole => {}
            AddressForm::Truncated => json::pair(out, "ip_form", "truncated"),
            AddressForm::Hashed => json::pair(out, "ip_form", "hashed"),
        }
        field(out, "user_agent", event.user_agent, config.user_agent, cut);
        field(out, "referer", event.referer, config.referer, cut);
        field(out, "accept_language", event.accept_language, config.header, cut);
        json::name(out, "headers");
        out.push(b'{');
        for (name, value) in KEPT_HEADERS.into_iter().zip(event.headers) {
            field(out, name, value, config.header, cut);
        }
        out.push(b'}');
    }
}

fn field(out: &mut Vec<u8>, name: &'static str, value: Option<&[u8]>, limit: usize, cut: &mut Cut) {
    let Some(value) = value else { return };
    let text =
        std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed);
    let kept = json::bounded(&text, limit);
    cut.add_if(kept.len() < text.len(), name);
    json::pair(out, name, kept);
}

/// The names of fields that were cut, without an allocation: each at most once.
#[derive(Debug, Default)]
struct Cut {
    names: [&'static str; CUTTABLE],
    count: usize,
}

impl Cut {
    fn add(&mut self, name: &'static str) {
        if self.count < CUTTABLE && !self.names[..self.count].contains(&name) {
            self.names[self.count] = name;
            self.count += 1;
        }
    }

    fn add_if(&mut self, is_cut: bool, name: &'static str) {
        if is_cut {
            self.add(name);
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        json::name(out, "cut");
        out.push(b'[');
        for (index, name) in self.names[..self.count].iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json::string(out, name);
        }
        out.push(b']');
    }
}

/// What an event begins with: id and type stand at fixed places.
const BEFORE_ID: &[u8] = b"{\"specversion\":\"1.0\",\"id\":\"";
const BEFORE_TYPE: &[u8] = b"\",\"type\":\"";
/// Bytes of an id.
const ID: usize = 36;
/// Metadata, user agent, referer, languages and the kept headers.
const CUTTABLE: usize = 4 + KEPT_HEADERS.len();
