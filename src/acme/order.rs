//! One order at one authority, from nothing to a certificate (RFC 8555 §7.4).
//!
//! ```text
//! Wanted ─newOrder→ Placed ─challenge, the authority looks, ready→ Ready
//!   ─finalize→ Finalized ─valid→ Issued
//! ```
//!
//! What a restart needs is kept before the step that needs it: the URL once the authority has
//! told it, the key before the authority sees it. An order that is found again goes on where it
//! is; one that is gone is placed anew.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeStatus, ChallengeType, Error, Identifier, NewOrder,
    Order, OrderStatus,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::allowance::Allowance;
use super::challenges::{Challenges, Told, is_token};
use super::docket::{Docket, Entry};
use super::failure::{Failure, FailureKind};
use super::issuer::{Issuer, node};
use super::progress::{Placed, PrivateKey, State};
use super::transport::{Heard, Rebuff};
use crate::clock::Clock;

/// What an authority gave.
#[derive(Debug)]
pub(super) struct Issued {
    /// The chain in PEM, leaf first.
    pub(super) chain: String,
    /// The key in PEM.
    pub(super) key: PrivateKey,
}

/// Whoever drives one order at one authority.
pub(super) struct Driver<'a> {
    pub(super) issuer: &'a Issuer,
    pub(super) account: Account,
    pub(super) challenges: &'a Challenges,
    pub(super) docket: &'a Docket,
    pub(super) clock: &'a dyn Clock,
    pub(super) heard: Arc<Heard>,
    pub(super) lease: Duration,
    /// What a new order is taken from; one that goes on was counted when it was placed.
    pub(super) allowance: &'a Allowance<'a>,
    /// The certificate that this order replaces, as the authority knows it (RFC 9773 §5).
    pub(super) replaces: Option<String>,
}

/// How far an order is.
enum Stage {
    Wanted,
    Placed(Order),
    Ready(Order),
    Finalized(Order, PrivateKey),
    Issued(Issued),
}

/// Makes a call again while the authority refuses its nonce: the library gives up after three.
macro_rules! insist {
    ($call:expr) => {{
        let mut left = NONCE_TRIES;
        loop {
            match $call.await {
                Err(error) if left > 0 && is_of_type(&error, "badNonce") => left -= 1,
                result => break result,
            }
        }
    }};
}

impl Driver<'_> {
    /// Drives the order of `entry` to its end.
    pub(super) async fn drive(&self, entry: &mut Entry) -> Result<Issued, Failure> {
        let mut stage = self.resume(entry).await?;
        loop {
            stage = match stage {
                Stage::Wanted => Stage::Placed(self.place(entry).await?),
                Stage::Placed(order) => self.prove(order, entry).await?,
                Stage::Ready(order) => self.finalize(order, entry).await?,
                Stage::Finalized(order, key) => self.fetch(order, key).await?,
                Stage::Issued(issued) => return Ok(issued),
            };
        }
    }

    /// An order of before a restart, where it is now.
    async fn resume(&self, entry: &mut Entry) -> Result<Stage, Failure> {
        let Some(placed) = entry.progress.placed.clone() else { return Ok(Stage::Wanted) };
        // Another authority's may go on there, until there is one here.
        if placed.issuer != self.issuer.config.name {
            return Ok(Stage::Wanted);
        }
        let found = insist!(self.account.order(placed.url.clone()));
        let mut order = match found {
            Ok(order) => order,
            // It is gone, or not ours any more.
            Err(Error::Api(problem)) if !Failure::of_problem(&problem).is_to_wait() => {
                tracing::info!(name = %entry.name, %problem, "an order was not found again");
                entry.progress.placed = None;
                return Ok(Stage::Wanted);
            }
            Err(error) => return Err(self.failed(&error)),
        };
        tracing::info!(name = %entry.name, status = ?order.state().status, "an order goes on");
        Ok(match (order.state().status, placed.key) {
            (OrderStatus::Pending, _) => Stage::Placed(order),
            (OrderStatus::Ready, _) => Stage::Ready(order),
            (OrderStatus::Processing | OrderStatus::Valid, Some(key)) => {
                Stage::Finalized(order, key)
            }
            // Nobody has the key of what it certified, or it failed.
            (OrderStatus::Processing | OrderStatus::Valid | OrderStatus::Invalid, _) => {
                entry.progress.placed = None;
                Stage::Wanted
            }
        })
    }

    async fn place(&self, entry: &mut Entry) -> Result<Order, Failure> {
        self.allowance.order(self.clock.wall()).await?;
        let identifiers = [Identifier::Dns(entry.name.to_string())];
        let replaces = self.replaces.as_ref().map(|id| format!("\"{id}\""));
        let mut order = NewOrder::new(&identifiers);
        if let Some(profile) = &self.issuer.config.profile {
            order = order.profile(profile);
        }
        if let Some(id) = replaces.as_deref().and_then(|id| serde_json::from_str(id).ok()) {
            order = order.replaces(id);
        }
        let placed = match insist!(self.account.new_order(&order)) {
            // That it replaces another certificate is a courtesy, and no reason to go without.
            Err(error) if replaces.is_some() && is_about_replacing(&error) => {
                let mut order = NewOrder::new(&identifiers);
                if let Some(profile) = &self.issuer.config.profile {
                    order = order.profile(profile);
                }
                insist!(self.account.new_order(&order))
            }
            placed => placed,
        };
        let placed = placed.map_err(|error| match &error {
            error if is_of_type(error, "unauthorized") => self.failed(error).of_account(),
            error => self.failed(error),
        })?;
        let (issuer, url) = (self.issuer.config.name.clone(), placed.url().to_owned());
        entry.progress.placed = Some(Placed { issuer, url, key: None });
        self.keep(entry).await?;
        Ok(placed)
    }

    /// Answers the challenges and waits until the authority has seen that.
    async fn prove(&self, mut order: Order, entry: &mut Entry) -> Result<Stage, Failure> {
        let told = self.answer(&mut order, entry).await?;
        let first = self.issuer.config.poll_first;
        // Who is not asked within this is asked through another way than us.
        let mut pause = first.saturating_mul(UNASKED);
        if told.is_empty() {
            pause = Duration::ZERO;
        }
        loop {
            match order.state().status {
                OrderStatus::Ready => return Ok(Stage::Ready(order)),
                OrderStatus::Pending => {}
                OrderStatus::Invalid => return Err(self.invalid(&mut order).await),
                OrderStatus::Processing | OrderStatus::Valid => {
                    return Err(Failure::new(FailureKind::Malformed, "the order is done already"));
                }
            }
            asked_or(pause, told.first().map(|told| &*told.asked), first).await;
            pause = pause.max(first).saturating_mul(2).min(self.issuer.config.poll_longest);
            insist!(order.refresh()).map_err(|error| self.failed(&error))?;
            self.wait_as_told().await;
        }
    }

    /// Puts answers where the authority will look, and tells it to.
    async fn answer(&self, order: &mut Order, entry: &Entry) -> Result<Vec<Told>, Failure> {
        let mut told = Vec::new();
        let mut authorizations = order.authorizations();
        loop {
            let mut authorization = match insist!(next(&mut authorizations)) {
                Ok(Some(authorization)) => authorization,
                Ok(None) => return Ok(told),
                Err(error) => return Err(self.failed(&error)),
            };
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                status => {
                    let what = format!("the authorization is {status:?}");
                    return Err(Failure::new(FailureKind::Vanished, what));
                }
            }
            let Some(mut challenge) = authorization.challenge(ChallengeType::Http01) else {
                let what = "the authority offers no HTTP-01 challenge";
                return Err(Failure::new(FailureKind::Malformed, what));
            };
            if !is_token(&challenge.token) {
                let what = "the token of the challenge is none";
                return Err(Failure::new(FailureKind::Malformed, what));
            }
            let text = challenge.key_authorization().as_str().to_owned();
            told.push(self.challenges.tell(&entry.name, &challenge.token, text));
            if challenge.status != ChallengeStatus::Pending {
                continue;
            }
            match insist!(challenge.set_ready()) {
                // It was told before a restart.
                Ok(()) => {}
                Err(error) if is_of_type(&error, "malformed") => {
                    tracing::debug!(%error, "the authority was told twice");
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// What the authority says of an order that failed.
    async fn invalid(&self, order: &mut Order) -> Failure {
        if let Some(problem) = &order.state().error {
            return Failure::of_problem(problem);
        }
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            let Ok(state) = authorization.refresh().await else { continue };
            if let Some(problem) = state.challenges.iter().find_map(|c| c.error.as_ref()) {
                return Failure::of_problem(problem);
            }
        }
        Failure::new(FailureKind::Vanished, "the order failed, and the authority does not say why")
    }

    async fn finalize(&self, mut order: Order, entry: &mut Entry) -> Result<Stage, Failure> {
        let kept = entry.progress.placed.as_ref().and_then(|placed| placed.key.clone());
        let key = match kept {
            Some(key) => key,
            None => self.new_key(&order, entry).await?,
        };
        let request =
            request(&key, entry).map_err(|error| Failure::new(FailureKind::Node, error))?;
        match insist!(order.finalize_csr(&request)) {
            Ok(()) => {}
            // It has been finalized before: by us, before a restart.
            Err(error) if is_of_type(&error, "orderNotReady") => {
                insist!(order.refresh()).map_err(|error| self.failed(&error))?;
                if matches!(order.state().status, OrderStatus::Ready | OrderStatus::Pending) {
                    return Err(self.failed(&error));
                }
            }
            Err(error) => return Err(self.failed(&error)),
        }
        Ok(Stage::Finalized(order, key))
    }

    /// Makes a key and keeps it.
    async fn new_key(&self, order: &Order, entry: &mut Entry) -> Result<PrivateKey, Failure> {
        let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        let made = made.map_err(|error| Failure::new(FailureKind::Node, error))?;
        let key = PrivateKey(Zeroizing::new(made.serialize_pem()));
        let (issuer, url) = (self.issuer.config.name.clone(), order.url().to_owned());
        entry.progress.placed = Some(Placed { issuer, url, key: Some(key.clone()) });
        self.keep(entry).await?;
        Ok(key)
    }

    async fn fetch(&self, mut order: Order, key: PrivateKey) -> Result<Stage, Failure> {
        let mut pause = self.issuer.config.poll_first;
        loop {
            match order.state().status {
                OrderStatus::Valid => {}
                OrderStatus::Processing => {
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(self.issuer.config.poll_longest);
                    self.wait_as_told().await;
                }
                _ => return Err(self.invalid(&mut order).await),
            }
            match insist!(order.certificate()) {
                Ok(Some(chain)) => return Ok(Stage::Issued(Issued { chain, key })),
                Ok(None) => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// Waits as long as the last answer asked, where it did.
    async fn wait_as_told(&self) {
        if let Some(wait) = self.heard.retry_after() {
            tokio::time::sleep(wait.min(self.issuer.config.patience)).await;
        }
    }

    async fn keep(&self, entry: &mut Entry) -> Result<(), Failure> {
        let due = self.clock.wall().plus(self.lease);
        self.docket.keep(entry, State::InProgress, due).await.map_err(node)
    }

    fn failed(&self, error: &Error) -> Failure {
        Failure::of(error, self.heard.retry_after())
    }
}

/// The next authorization, as a result of an option.
async fn next<'a>(
    authorizations: &'a mut instant_acme::Authorizations<'_>,
) -> Result<Option<instant_acme::AuthorizationHandle<'a>>, Error> {
    authorizations.next().await.transpose()
}

/// Waits for `pause`, or until the authority has looked, and `first` from then on.
async fn asked_or(pause: Duration, asked: Option<&Notify>, first: Duration) {
    let Some(asked) = asked else { return tokio::time::sleep(pause).await };
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = asked.notified() => tokio::time::sleep(first).await,
    }
}

/// The request to certify the one name (RFC 2986).
fn request(key: &PrivateKey, entry: &Entry) -> Result<Vec<u8>, rcgen::Error> {
    let pair = KeyPair::from_pem(&key.0)?;
    let mut parameters = CertificateParams::new(vec![entry.name.to_string()])?;
    parameters.distinguished_name = DistinguishedName::new();
    Ok(parameters.serialize_request(&pair)?.der().to_vec())
}

/// Whether an authority may take the order once it names no certificate that it replaces. What
/// that certificate is to it shows in many ways: replaced already, of another account's
/// (`unauthorized`), or not known any more (`notFound`, or an error of its own).
fn is_about_replacing(error: &Error) -> bool {
    match error {
        Error::Unsupported(_) => true,
        Error::Api(problem) => !Failure::of_problem(problem).is_to_wait(),
        Error::Other(why) => match why.downcast_ref::<Rebuff>() {
            Some(rebuff) => matches!(rebuff.status, 404 | 500),
            // The library wants the field told back, after the order was placed.
            None => why.to_string().contains("replaces"),
        },
        _ => false,
    }
}

fn is_of_type(error: &Error, kind: &str) -> bool {
    let Error::Api(problem) = error else { return false };
    let told = problem.r#type.as_deref().unwrap_or_default();
    told.strip_prefix("urn:ietf:params:acme:error:") == Some(kind)
}

/// Times that a call is made again, of three attempts each.
const NONCE_TRIES: u32 = 5;
/// How many times `poll_first` the authority may take until it looks at us.
const UNASKED: u32 = 8;
