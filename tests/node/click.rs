//! What a sender mints and a recipient sends, and the event that must come of it.

use serde_json::{Map, Value, json};
use waypost::clock::Timestamp;

use super::random::Random;

/// One request and the link behind it. Its `message` is unique, and so names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    pub kind: Kind,
    pub host: String,
    pub link: Link,
    pub visit: Visit,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GET of a click link.
    Click,
    /// GET of an open pixel.
    Open,
    /// HEAD of a click link.
    Probe,
}

/// What the sender seals into the link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub account: Option<String>,
    pub campaign: Option<String>,
    pub message: String,
    pub template: Option<String>,
    pub list: Option<String>,
    pub recipient: Option<String>,
    pub link: Option<String>,
    pub link_name: Option<String>,
    pub link_position: Option<u32>,
    pub sent_at: Option<Timestamp>,
    pub meta: Vec<(String, String)>,
    /// The destination; not sealed into an open pixel.
    pub url: String,
}

/// What the recipient's browser sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub protocol: Protocol,
    /// Whether the TLS session was resumed.
    pub is_resumed: bool,
    pub user_agent: Option<String>,
    pub referer: Option<String>,
    pub accept_language: Option<String>,
    /// Fields that the event keeps under `headers`, by their names in lower case.
    pub headers: Vec<(String, String)>,
}

/// Which HTTP, over TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

impl Click {
    /// A click on `host` whose `message` is made of `serial`; everything else is by chance, with
    /// characters that an encoder may stumble over.
    pub fn random(random: &mut Random, serial: usize, host: &str, protocol: Protocol) -> Self {
        let mut maybe = |name: &str| {
            let text = random.pick(&TEXTS);
            (random.below(4) > 0).then(|| format!("{name}-{text}"))
        };
        let link = Link {
            account: maybe("account"),
            campaign: maybe("campaign"),
            message: format!("message-{serial}"),
            template: maybe("template"),
            list: maybe("list"),
            recipient: maybe("recipient"),
            link: maybe("link"),
            link_name: maybe("name"),
            ..Link::default()
        };
        let (user_agent, referer) = (maybe("agent"), maybe("https://mail.example/"));
        // A field's value is printable ASCII in a well-behaved client.
        let ascii =
            |text: Option<String>| text.map(|text| text.replace(|c: char| !is_plain(c), "."));
        let link = Link {
            link_position: (random.below(3) > 0).then(|| random.below(1_000) as u32),
            sent_at: (random.below(3) > 0)
                .then(|| Timestamp::from_micros(1_700_000_000_000_000 + random.next() % 1_000_000)),
            meta: (0..random.below(3))
                .map(|index| (format!("key{index}"), random.pick(&TEXTS).to_owned()))
                .collect(),
            url: format!("https://shop.example/item/{serial}?q={:x}&e=%C3%A9#top", random.next()),
            ..link
        };
        let headers =
            [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("dnt", "1")];
        let visit = Visit {
            protocol,
            is_resumed: false,
            user_agent: ascii(user_agent),
            referer: ascii(referer),
            accept_language: (random.below(2) > 0).then(|| "de-CH, fr;q=0.9".to_owned()),
            headers: headers
                .into_iter()
                .filter(|_| random.below(2) > 0)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        };
        Self { kind: Kind::Click, host: host.to_owned(), link, visit }
    }

    /// The method of the request.
    pub fn method(&self) -> &'static str {
        if self.kind == Kind::Probe { "HEAD" } else { "GET" }
    }

    /// The row that this click's link is minted of in bulk.
    pub fn row(&self) -> Value {
        let link = &self.link;
        let kind = if self.kind == Kind::Open { "open" } else { "click" };
        let mut row = json!({ "kind": kind, "host": self.host, "message": link.message });
        for (name, text) in [
            ("url", (self.kind != Kind::Open).then_some(&link.url)),
            ("account", link.account.as_ref()),
            ("campaign", link.campaign.as_ref()),
            ("template", link.template.as_ref()),
            ("list", link.list.as_ref()),
            ("recipient", link.recipient.as_ref()),
            ("link", link.link.as_ref()),
            ("link_name", link.link_name.as_ref()),
        ] {
            if let Some(text) = text {
                row[name] = text.as_str().into();
            }
        }
        if let Some(position) = link.link_position {
            row["link_position"] = position.into();
        }
        if let Some(sent_at) = link.sent_at {
            row["sent_at"] = sent_at.to_string().into();
        }
        if !link.meta.is_empty() {
            row["meta"] = object(&link.meta);
        }
        row
    }

    /// The event that a node named `node` makes of it, whole but for `id` and `time`, when it was
    /// asked over TLS 1.3 from this machine.
    pub fn event(&self, node: &str) -> Value {
        let (link, visit) = (&self.link, &self.visit);
        let mut data = Map::new();
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                data.insert(name.to_owned(), value.into());
            }
        };
        put("account", link.account.as_deref());
        put("campaign", link.campaign.as_deref());
        put("message", Some(&link.message));
        put("template", link.template.as_deref());
        put("list", link.list.as_deref());
        put("recipient", link.recipient.as_deref());
        put("link", link.link.as_deref());
        put("link_name", link.link_name.as_deref());
        put("sent_at", link.sent_at.map(|at| at.to_string()).as_deref());
        put("url", (self.kind != Kind::Open).then_some(link.url.as_str()));
        put("host", Some(&self.host));
        put("method", Some(self.method()));
        put("scheme", Some("https"));
        put("http", Some(if visit.protocol == Protocol::Http2 { "h2" } else { "h1" }));
        put("tls", Some("1.3"));
        put("ip", Some("127.0.0.1"));
        put("user_agent", visit.user_agent.as_deref());
        put("referer", visit.referer.as_deref());
        put("accept_language", visit.accept_language.as_deref());
        put("node", Some(node));
        if let Some(position) = link.link_position {
            data.insert("link_position".to_owned(), position.into());
        }
        if !link.meta.is_empty() {
            data.insert("meta".to_owned(), object(&link.meta));
        }
        data.insert("resumed".to_owned(), visit.is_resumed.into());
        data.insert("headers".to_owned(), object(&visit.headers));
        json!({
            "specversion": "1.0",
            "type": match self.kind {
                Kind::Click => "net.aksend.trk.click",
                Kind::Open => "net.aksend.trk.open",
                Kind::Probe => "net.aksend.trk.probe",
            },
            "source": format!("https://{}", self.host),
            "subject": link.message,
            "datacontenttype": "application/json",
            "data": data,
        })
    }
}

impl Visit {
    /// The fields of the request.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = [
            ("user-agent", &self.user_agent),
            ("referer", &self.referer),
            ("accept-language", &self.accept_language),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        own.chain(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

fn object(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect()
}

fn is_plain(character: char) -> bool {
    character.is_ascii_graphic() || character == ' '
}

const TEXTS: [&str; 8] = [
    "1",
    "spring sale 2026",
    "quote \" and backslash \\",
    "Zürich, 東京, 🚲",
    "tab\tnewline\nreturn\r",
    "<script>alert('x')</script>",
    "{\"json\": [1, null]}",
    "0192f0c1-5e6a-7cc3-9a41-2f2b7c1d9e10",
];
