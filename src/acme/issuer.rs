//! One certification authority in use: the way to it, our account there, and when it wants to be
//! left alone.
//!
//! The account is made once and kept sealed, with the wish to be left alone: a restart forgets
//! neither.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{Account, AccountCredentials, Error, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};
use zeroize::Zeroizing;

use super::IssuerConfig;
use super::failure::{Failure, FailureKind};
use super::measures::Measures;
use super::mood::{Mood, Rebuffs};
use super::nonces::Nonces;
use super::renewal::Advice;
use super::transport::{Heard, Transport};
use crate::clock::{Clock, Timestamp};
use crate::fetch::Client;
use crate::store::{Change, Content, Expected, Kind, Store, StoreError};

/// A certification authority in use.
pub(super) struct Issuer {
    pub(super) config: IssuerConfig,
    pub(super) http: Client,
    pub(super) secret: Option<ExternalSecret>,
    pub(super) contact: Vec<String>,
    pub(super) nonces: Arc<Nonces>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) measures: Measures,
    pub(super) held: Mutex<Held>,
}

/// The MAC key of an external account. Prints as nothing.
#[derive(Clone)]
pub struct ExternalSecret(pub Zeroizing<Vec<u8>>);

/// What is known of our account.
#[derive(Default)]
pub(super) struct Held {
    is_read: bool,
    account: Option<Account>,
    kept: Kept,
    version: Option<u64>,
    /// Of questions about renewals alone: they may be answered elsewhere than orders.
    questions: Rebuffs,
}

/// The account on disk.
#[derive(Default, Deserialize, Serialize)]
struct Kept {
    /// The directory that it belongs to.
    directory: String,
    /// Its URL and key, in the library's form.
    credentials: Option<Value>,
    #[serde(flatten)]
    rebuffs: Rebuffs,
    /// When an account was last made.
    #[serde(default)]
    made: u64,
}

impl Issuer {
    /// When the authority suggests to renew a certificate, and how long it wants not to be asked
    /// again (RFC 9773 §4).
    pub(super) async fn advice(&self, id: &str) -> (Advice, Option<Duration>) {
        let Ok(account) = self.account().await else { return (Advice::None, None) };
        let (questions, now) = (self.held.lock().await.questions, self.clock.wall());
        if questions.mood(now) == Mood::Closed {
            return (Advice::None, Some(now.until(questions.until())));
        }
        let quoted = format!("\"{id}\"");
        let Ok(id) = serde_json::from_str(&quoted) else { return (Advice::None, None) };
        let heard = Arc::<Heard>::default();
        let told = heard.during(account.renewal_info(&id)).await;
        let advice = match told {
            Ok((told, _)) => {
                self.held.lock().await.questions.praised();
                let window = told.suggested_window;
                let time = |seconds: i64| {
                    Timestamp::from_seconds(u64::try_from(seconds).unwrap_or_default())
                };
                let (start, end) = (window.start.unix_timestamp(), window.end.unix_timestamp());
                Advice::Window(time(start), time(end))
            }
            Err(Error::Json(_)) => Advice::Malformed,
            Err(error) => {
                let failure = Failure::of(&error, heard.retry_after());
                if failure.is_to_wait() {
                    let (wait, now) = (failure.retry_after, self.clock.wall());
                    self.held.lock().await.questions.rebuffed(wait, now);
                }
                tracing::debug!(issuer = self.config.name, %error, "nothing is told of a renewal");
                Advice::None
            }
        };
        (advice, heard.retry_after())
    }

    /// Our account there: the one that is held, else the one that is kept, else a new one. Fails
    /// without a question while the authority wants to be left alone.
    pub(super) async fn account(&self) -> Result<Account, Failure> {
        let mut held = self.read().await?;
        let (now, until) = (self.clock.wall(), held.kept.rebuffs.until());
        if held.kept.rebuffs.mood(now) == Mood::Closed {
            let told = format!("{} wants to be left alone until {until}", self.config.name);
            let failure = Failure::new(FailureKind::Limited, told);
            let retry_after = Some(now.until(until));
            return Err(Failure { retry_after, is_of_name: false, was_asked: false, ..failure });
        }
        if let Some(account) = &held.account {
            return Ok(account.clone());
        }
        let account = match held.kept.credentials.clone() {
            Some(credentials) => self.load(credentials).await?,
            None => self.make(&mut held).await?,
        };
        held.account = Some(account.clone());
        Ok(account)
    }

    /// Whether the authority wants to be left alone now, and whether it did the last time.
    pub(super) async fn mood(&self) -> Mood {
        // Somebody makes an account there, which may take its time.
        if self.held.try_lock().is_err() {
            return Mood::Closed;
        }
        let Ok(held) = self.read().await else { return Mood::Closed };
        held.kept.rebuffs.mood(self.clock.wall())
    }

    /// Leaves the authority alone for a while: longer each time, and as long as it asked.
    pub(super) async fn pause(&self, wait: Option<Duration>) {
        let Ok(mut held) = self.read().await else { return };
        held.kept.rebuffs.rebuffed(wait, self.clock.wall());
        let until = held.kept.rebuffs.until();
        tracing::warn!(issuer = self.config.name, %until, "the authority is left alone");
        if let Err(error) = self.keep(&mut held).await {
            tracing::warn!(%error, "a restart would not know that");
        }
    }

    /// Says that the authority answered as it should.
    pub(super) async fn praise(&self) {
        let Ok(mut held) = self.read().await else { return };
        if !held.kept.rebuffs.praised() {
            return;
        }
        if let Err(error) = self.keep(&mut held).await {
            tracing::debug!(%error, "a restart would not know that the authority answers again");
        }
    }

    /// Forgets an account that the authority does not know any more, so that the next order makes
    /// a new one; not more often than [`ACCOUNT_EVERY`]. An authority that only says that this is
    /// not ours to ask may mean one name: that has to last.
    pub(super) async fn forget_account(&self, is_gone: bool) {
        let Ok(mut held) = self.read().await else { return };
        let made = Timestamp::from_micros(held.kept.made);
        if !is_gone && !held.kept.rebuffs.is_lasting() {
            return;
        }
        held.account = None;
        if made.until(self.clock.wall()) >= ACCOUNT_EVERY {
            held.kept.credentials = None;
        }
    }

    /// A way to the authority for one account.
    pub(super) fn transport(&self) -> Box<Transport> {
        Box::new(Transport {
            issuer: self.config.name.as_str().into(),
            http: self.http.clone(),
            nonces: Arc::clone(&self.nonces),
            clock: Arc::clone(&self.clock),
            measures: self.measures.clone(),
        })
    }

    async fn load(&self, credentials: Value) -> Result<Account, Failure> {
        let unreadable = |error| Failure::new(FailureKind::Node, format!("our account: {error}"));
        let credentials: AccountCredentials =
            serde_json::from_value(credentials).map_err(unreadable)?;
        let heard = Arc::<Heard>::default();
        let builder = Account::builder_with_http(self.transport());
        let loaded = heard.during(builder.from_credentials(credentials)).await;
        loaded.map_err(|error| Failure::of(&error, heard.retry_after()))
    }

    async fn make(&self, held: &mut Held) -> Result<Account, Failure> {
        let contact: Vec<&str> = self.contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let external = match (&self.config.eab_key_id, &self.secret) {
            (Some(id), Some(secret)) => Some(ExternalAccountKey::new(id.clone(), &secret.0)),
            _ => None,
        };
        let heard = Arc::<Heard>::default();
        let directory = self.config.directory.clone();
        let builder = Account::builder_with_http(self.transport());
        let made = heard.during(builder.create(&new, directory, external.as_ref())).await;
        let (account, credentials) =
            made.map_err(|error| Failure::of(&error, heard.retry_after()).of_account())?;
        if let Some(nonce) = heard.take_nonce() {
            self.nonces.give(nonce, self.clock.now());
        }
        let unwritable = |error| Failure::new(FailureKind::Node, format!("our account: {error}"));
        held.kept.credentials = Some(serde_json::to_value(&credentials).map_err(unwritable)?);
        held.kept.made = self.clock.wall().micros();
        self.keep(held).await.map_err(node)?;
        tracing::info!(issuer = self.config.name, account = account.id(), "an account was made");
        Ok(account)
    }

    /// What is known, read from the store the first time.
    async fn read(&self) -> Result<MutexGuard<'_, Held>, Failure> {
        let mut held = self.held.lock().await;
        if !held.is_read {
            let stored = match self.store.get(Kind::Account, &self.config.name).await {
                Err(StoreError::Damaged { .. }) => None,
                stored => stored.map_err(node)?,
            };
            held.version = stored.as_ref().map(|stored| stored.version);
            let kept = stored.and_then(|s| serde_json::from_slice::<Kept>(&s.content.bytes).ok());
            // An account belongs to one directory.
            held.kept =
                kept.filter(|kept| kept.directory == self.config.directory).unwrap_or_default();
            held.kept.directory.clone_from(&self.config.directory);
            held.is_read = true;
        }
        Ok(held)
    }

    async fn keep(&self, held: &mut Held) -> Result<(), StoreError> {
        let bytes = Zeroizing::new(serde_json::to_vec(&held.kept).unwrap_or_default());
        for expected in
            [held.version.map_or(Expected::Absent, Expected::Version), Expected::Damaged]
        {
            let content = Content { bytes: bytes.clone(), state: 1, due: None };
            let change = Change {
                kind: Kind::Account,
                name: self.config.name.clone(),
                expected,
                content: Some(content),
                event: None,
            };
            if let Some(Ok(version)) = self.store.put(vec![change]).await?.pop() {
                held.version = Some(version);
                return Ok(());
            }
        }
        Err(StoreError::Busy)
    }
}

/// What a failure of the store comes to.
pub(super) fn node(error: StoreError) -> Failure {
    Failure::new(FailureKind::Node, error)
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.config.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for ExternalSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalSecret")
    }
}

/// Authorities allow ten new accounts in three hours.
const ACCOUNT_EVERY: Duration = Duration::from_secs(3_600);
