//! What a request gets: pure, so that a test can put a million of them to it.

use http::Method;

use super::Config;
use super::desk::Wish;
use super::location::Location;
use super::route::{Asked, Prefixes, Refusal, Route, host, is_of_one_site, takes_no_body};
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::token::{Action, Claims, Keyring, OpenError, Pass, PassError};

/// The judge of requests.
#[derive(Clone, Debug)]
pub struct Core {
    prefixes: Prefixes,
    keyring: Keyring,
    /// The platform's own host, on which there are pages.
    platform: Option<Hostname>,
}

/// What a request gets.
#[derive(Debug)]
pub enum Judged<'a> {
    /// A redirect, once the click is recorded.
    Click {
        /// The name that was asked.
        host: Hostname,
        /// What the token holds.
        claims: Claims<'a>,
        /// Where to.
        location: Location,
    },
    /// A pixel, once the open is recorded.
    Open {
        /// The name that was asked.
        host: Hostname,
        /// What the token holds.
        claims: Claims<'a>,
    },
    /// The answer to an ACME challenge, if there is one under this token.
    Challenge {
        /// The name that was asked.
        host: Hostname,
        /// The challenge's token, of checked syntax.
        token: String,
    },
    /// The page that says what this name is.
    Home {
        /// The name that was asked.
        host: Hostname,
    },
    /// The page of a customer's name, or a check of it.
    Page {
        /// What was opened.
        pass: Pass,
        /// The path of the page.
        path: String,
        /// What is wanted.
        wish: Wish,
    },
    /// A page that was asked for on a plain connection: this path over TLS.
    Securely {
        /// The path of the page.
        path: String,
    },
    /// A page whose link has ended.
    Ended,
    /// The page for robots.
    Robots,
    /// The page for what does not exist, which is all that a forged token gets.
    NotFound,
    /// The token names a key that we do not have: it may be a new one, so the keys are to be
    /// read again. The second time this is [`Judged::NotFound`].
    UnknownKey,
    /// None of these, and why.
    Refused(Refusal),
}

impl Core {
    /// A judge with the prefixes of `config` and the keys of `keyring`.
    pub fn new(config: &Config, keyring: Keyring) -> Self {
        let prefixes = Prefixes {
            click: config.click_prefix.clone(),
            open: config.open_prefix.clone(),
            page: config.page_prefix.clone(),
        };
        Self { prefixes, keyring, platform: None }
    }

    /// The same with customers' pages, which are on the platform's own host.
    #[must_use]
    pub fn with_pages(self, host: Hostname) -> Self {
        Self { platform: Some(host), ..self }
    }

    /// Judges a request. `buffer` is where the token is opened to; its content does not matter.
    pub fn judge<'a>(
        &self,
        asked: &Asked<'_>,
        now: Timestamp,
        buffer: &'a mut Vec<u8>,
    ) -> Judged<'a> {
        self.judged(asked, now, buffer).unwrap_or_else(Judged::Refused)
    }

    fn judged<'a>(
        &self,
        asked: &Asked<'_>,
        now: Timestamp,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Judged<'a>, Refusal> {
        // A body is refused first: whatever else is wrong, the connection cannot be used again.
        takes_no_body(asked)?;
        let host = host(asked)?;
        // CONNECT has no path, and is none of our methods.
        let path = if asked.method == Method::CONNECT { "" } else { asked.uri.path() };
        let is_platform = || self.platform.as_ref() == Some(&*host);
        Ok(match self.prefixes.route(asked.method, path, is_platform)? {
            Route::Click(token) => match self.keyring.open(token, &host, now, buffer) {
                Ok(claims) => match claims.action {
                    Action::Click { url } => match Location::new(url) {
                        Some(location) => {
                            Judged::Click { host: host.into_owned(), claims, location }
                        }
                        None => Judged::NotFound,
                    },
                    Action::Open => Judged::NotFound,
                },
                Err(error) => unopened(&error),
            },
            Route::Open(token) => match self.keyring.open(token, &host, now, buffer) {
                Ok(claims) => match claims.action {
                    Action::Open => Judged::Open { host: host.into_owned(), claims },
                    Action::Click { .. } => Judged::NotFound,
                },
                Err(error) => unopened(&error),
            },
            Route::Challenge(token) => {
                Judged::Challenge { host: host.into_owned(), token: token.to_owned() }
            }
            Route::Page(pass) => self.page(asked, pass, path, Wish::Show, now),
            Route::Check(pass) => {
                is_of_one_site(asked)?;
                let path = path.trim_end_matches('/').trim_end_matches("/check");
                self.page(asked, pass, path, Wish::Check, now)
            }
            Route::Home => Judged::Home { host: host.into_owned() },
            Route::Robots => Judged::Robots,
            Route::Unknown => Judged::NotFound,
        })
    }

    /// The page of a pass on the platform's host.
    fn page<'a>(
        &self,
        asked: &Asked<'_>,
        pass: &str,
        path: &str,
        wish: Wish,
        now: Timestamp,
    ) -> Judged<'a> {
        let Some(platform) = &self.platform else { return Judged::NotFound };
        let path = path.trim_end_matches('/').to_owned();
        // The link is a secret, and what it shows is for its holder.
        if asked.sni.is_none() {
            return Judged::Securely { path };
        }
        match self.keyring.open_pass(pass, platform, now) {
            Ok(pass) => Judged::Page { pass, path, wish },
            Err(PassError::Ended) => Judged::Ended,
            Err(PassError::UnknownKey(_)) => Judged::UnknownKey,
            Err(_) => Judged::NotFound,
        }
    }
}

fn unopened<'a>(error: &OpenError) -> Judged<'a> {
    match error {
        OpenError::UnknownKey(_) => Judged::UnknownKey,
        _ => Judged::NotFound,
    }
}
