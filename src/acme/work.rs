//! The work on one name: looked at, ordered from one authority after the other, verified and
//! brought to where it is served from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::allowance::{Allowance, Purpose};
use super::backstop::backstop;
use super::challenges::Challenges;
use super::docket::{Docket, Entry};
use super::failure::{Failure, FailureKind, Scope};
use super::flights::{Landing, Outcome};
use super::issuer::{Issuer, node};
use super::measures::{ISSUED, Measures};
use super::order::{Driver, Issued};
use super::preflight::{Permission, Preflight};
use super::progress::State;
use super::transport::Heard;
use super::verify::verify;
use crate::clock::{Clock, Timestamp};
use crate::domains::{Attempt, Certified, Permit, Refusal, Register, Who, registrable};
use crate::hostname::Hostname;
use crate::store::{Kind, Lane};
use crate::tls::{Certificates, Record};

/// Why a name is worked on, and for whom.
struct Errand<'a> {
    permission: &'a Permission,
    /// The certificate that is held.
    held: Option<&'a Record>,
    landing: &'a Landing,
}

/// What works on names.
pub(super) struct Work {
    pub(super) register: Register,
    pub(super) issuers: Vec<Issuer>,
    pub(super) docket: Docket,
    pub(super) preflight: Preflight,
    pub(super) challenges: Challenges,
    pub(super) certificates: Certificates,
    pub(super) measures: Measures,
    pub(super) clock: Arc<dyn Clock>,
}

impl Work {
    /// Loads or makes the account at the first authority, which answers for other nodes' tokens.
    pub(super) async fn prepare(&self) {
        let Some(primary) = self.issuers.first() else { return };
        match primary.account().await {
            Ok(account) => self.challenges.set_primary(account.key_thumbprint()),
            Err(failure) => tracing::warn!(%failure, "there is no account at the authority yet"),
        }
    }

    /// Names whose orders are due, at most `limit`.
    pub(super) async fn due(&self, limit: usize) -> Vec<Hostname> {
        let claimed = self.docket.claim(self.clock.wall(), self.lease(), limit).await;
        claimed.unwrap_or_else(|error| {
            tracing::debug!(%error, "no order can be taken up now");
            Vec::new()
        })
    }

    /// Names whose certificates are due for renewal, at most `limit`. An order that fails is made
    /// again by itself, so they are not due again soon.
    pub(super) async fn expiring(&self, limit: usize) -> Vec<Hostname> {
        let (store, now) = (&self.docket.store, self.clock.wall());
        let claimed = store.claim(Kind::Certificate, Lane::Patient, now, RENEWAL, limit).await;
        let claimed = claimed.unwrap_or_default();
        claimed.iter().filter_map(|stored| Hostname::parse(&stored.name).ok()).collect()
    }

    /// Counts the orders that are kept.
    pub(super) async fn count(&self) {
        let Ok(counts) = self.docket.counts().await else { return };
        for (state, count) in counts {
            self.measures.queued(state.name(), count);
        }
    }

    /// Forgets the order of a name that is not let in any more; one that is worth another look
    /// stays.
    pub(super) async fn refused(&self, name: &Hostname, why: Refusal) {
        if matches!(why, Refusal::Busy | Refusal::Failed | Refusal::Budget | Refusal::Cap) {
            return;
        }
        self.forget(name).await;
    }

    /// Obtains a certificate for a name that was let in, and has it served.
    pub(super) async fn obtain(&self, permit: &Permit, landing: &Landing) -> Outcome {
        let name = permit.name();
        let _ordered = self.challenges.ordering(name);
        let mut entry = self.docket.open(name).await.map_err(node)?;
        let (now, not_before) =
            (self.clock.wall(), Timestamp::from_micros(entry.progress.not_before));
        if now < not_before && (entry.progress.is_told || !entry.is_hasty) {
            let told = format!("the last order failed; the next is made at {not_before}");
            let failure = Failure::new(FailureKind::Limited, told);
            return Err(Failure { retry_after: Some(now.until(not_before)), ..failure });
        }
        let held = self.certificates.kept(name).await.unwrap_or_default();
        if let Some(record) = held.as_ref().filter(|record| now < record.schedule.renew_at) {
            return self.succeeded(&mut entry, told(record), None).await;
        }
        let permission = match self.preflight.look(name).await {
            Ok(permission) => permission,
            Err(failure) if failure.kind == FailureKind::NotPointed => {
                // Whoever looks at it next brings it here again.
                self.forget(name).await;
                return Err(failure);
            }
            Err(failure) => return self.failed(&mut entry, failure, None).await,
        };
        let (issuing, probed) =
            tokio::join!(self.register.issuing(name), self.preflight.probe(name));
        if let Err(error) = issuing {
            tracing::debug!(%name, %error, "that an order begins is not told");
        }
        if let Err(failure) = probed {
            return self.failed(&mut entry, failure, None).await;
        }
        let errand = Errand { permission: &permission, held: held.as_ref(), landing };
        self.ask_in_turn(&mut entry, &errand).await
    }

    async fn ask_in_turn(&self, entry: &mut Entry, errand: &Errand<'_>) -> Outcome {
        let mut last = None;
        for issuer in self.in_turn(entry) {
            let began = self.clock.wall();
            let ordered = self.order(issuer, entry, errand).await;
            let took = began.until(self.clock.wall());
            let result = ordered.as_ref().map_or_else(|failure| failure.kind.code(), |_| ISSUED);
            self.measures.ordered(&issuer.config.name, result, took);
            let mut attempt = Attempt {
                at: began,
                took,
                issuer: issuer.config.name.clone(),
                outcome: result.to_owned(),
                who: Who::Nobody,
                detail: String::new(),
            };
            let failure = match ordered {
                Ok(certified) => return self.succeeded(entry, certified, Some(attempt)).await,
                Err(failure) => failure,
            };
            (attempt.who, attempt.detail) = (failure.reason().who(), failure.detail.clone());
            tracing::warn!(name = %entry.name, issuer = attempt.issuer, kind = result, %failure, "an order failed");
            self.spare(issuer, &entry.name, &failure).await;
            let goes_on = failure.is_worth_another_issuer();
            last = Some((failure, attempt));
            if !goes_on {
                break;
            }
        }
        match last {
            Some((failure, attempt)) => self.failed(entry, failure, Some(attempt)).await,
            None => {
                let none = Failure::new(FailureKind::Account, "no authority is configured");
                self.failed(entry, none, None).await
            }
        }
    }

    /// The authorities, that of an order in progress first.
    fn in_turn(&self, entry: &Entry) -> Vec<&Issuer> {
        let placed = entry.progress.placed.as_ref().map(|placed| placed.issuer.as_str());
        let mut issuers: Vec<&Issuer> = self.issuers.iter().collect();
        issuers.sort_by_key(|issuer| Some(issuer.config.name.as_str()) != placed);
        issuers
    }

    /// One order at one authority, to where its certificate is served.
    async fn order(
        &self,
        issuer: &Issuer,
        entry: &mut Entry,
        errand: &Errand<'_>,
    ) -> Result<Certified, Failure> {
        let account = issuer.account().await?;
        errand.permission.permits(&issuer.config, account.id())?;
        if issuer.config.name == self.issuers[0].config.name {
            self.challenges.set_primary(account.key_thumbprint());
        }
        let renewed = errand.held.filter(|record| record.issuer == issuer.config.name);
        let purpose = if renewed.is_some() { Purpose::Renewal } else { Purpose::First };
        let name = entry.name.clone();
        let store = &*self.docket.store;
        let allowance = Allowance { store, issuer: &issuer.config, name: &name, purpose };
        // An order that goes on was counted when it was placed.
        if entry.progress.placed.is_none() {
            allowance.order(self.clock.wall()).await?;
        }
        let heard = Arc::<Heard>::default();
        let driver = Driver {
            issuer,
            account,
            challenges: &self.challenges,
            docket: &self.docket,
            clock: &*self.clock,
            heard: Arc::clone(&heard),
            lease: self.lease(),
            replaces: renewed.and_then(|record| record.ari.clone()),
        };
        self.measures.in_progress.inc();
        let driven = heard.during(driver.drive(entry));
        let driven = tokio::time::timeout(issuer.config.patience, driven).await;
        self.measures.in_progress.dec();
        if let Some(nonce) = heard.take_nonce() {
            issuer.nonces.give(nonce, self.clock.now());
        }
        let patience = issuer.config.patience;
        let late = || Failure::new(FailureKind::TimedOut, format!("not done in {patience:?}"));
        let driven = driven.unwrap_or_else(|_| Err(late()));
        let issued = match driven {
            Ok(issued) => issued,
            Err(failure) => {
                self.settle(&allowance, Err(failure.kind)).await;
                return Err(failure);
            }
        };
        tracing::debug!(name = %entry.name, requests = heard.requests(), "an order is done");
        self.measures.spent(&issuer.config.name, heard.requests());
        let settled = self.settle(&allowance, Ok(()));
        let (certified, ()) = tokio::join!(self.deliver(issuer, entry, issued, errand), settled);
        issuer.praise().await;
        certified
    }

    /// Counts what an order came to.
    async fn settle(&self, allowance: &Allowance<'_>, driven: Result<(), FailureKind>) {
        let now = self.clock.wall();
        let counted = match driven {
            Ok(()) => allowance.issued(now).await,
            Err(FailureKind::Challenge | FailureKind::ChallengeDns) => allowance.failed(now).await,
            Err(_) => Ok(()),
        };
        if let Err(failure) = counted {
            tracing::debug!(%failure, "an order is not counted");
        }
    }

    /// Verifies what came, and has it served.
    async fn deliver(
        &self,
        issuer: &Issuer,
        entry: &mut Entry,
        issued: Issued,
        errand: &Errand<'_>,
    ) -> Result<Certified, Failure> {
        let Issued { chain, key } = issued;
        let verified = verify(&chain, &key.0, &entry.name, &issuer.config.name, self.clock.wall());
        let certified = verified.map_err(|unfit| {
            // It would be the same the next time.
            entry.progress.placed = None;
            Failure::new(FailureKind::Unusable, unfit)
        })?;
        let unfit = |error| Failure::new(FailureKind::Unusable, error);
        let name = &issuer.config.name;
        let record = Record::of(chain.as_bytes(), key.0.as_bytes(), name).map_err(unfit)?;
        let spread = spread(&record.serial);
        let renew_at = backstop(record.not_before, record.not_after, spread);
        // What comes half expired is not replaced again and again.
        let soonest = self.clock.wall().plus(SOONEST);
        let record = record.renewed_at(renew_at.max(soonest));
        self.certificates.publish(&entry.name, &record).await.map_err(node)?;
        // Whoever waits is served from here on; the rest is told in its own time.
        errand.landing.tell(Ok(()));
        Ok(certified)
    }

    /// Tells of a certificate, and forgets the order.
    async fn succeeded(
        &self,
        entry: &mut Entry,
        certified: Certified,
        attempt: Option<Attempt>,
    ) -> Outcome {
        tracing::info!(name = %entry.name, issuer = certified.issuer, until = %certified.not_after, "certified");
        let name = entry.name.clone();
        let told = self.register.certified(&name, certified, attempt);
        let (told, closed) = tokio::join!(told, self.docket.close(entry));
        if let Err(error) = told {
            tracing::warn!(name = %entry.name, %error, "that a certificate is held is not told");
        }
        if let Err(error) = closed {
            tracing::warn!(name = %entry.name, %error, "an order that is done is kept");
        }
        Ok(())
    }

    /// Keeps a failure, and when the next order is made.
    async fn failed(
        &self,
        entry: &mut Entry,
        failure: Failure,
        attempt: Option<Attempt>,
    ) -> Outcome {
        let now = self.clock.wall();
        let progress = &mut entry.progress;
        // An order that is only slow goes on the next time; all others are placed anew.
        if failure.kind != FailureKind::TimedOut && failure.kind != FailureKind::Node {
            progress.placed = None;
        }
        progress.failures = progress.failures.saturating_add(1);
        let (own, told) = (back_off(progress.failures), failure.retry_after.unwrap_or_default());
        progress.is_told = told > own || failure.kind == FailureKind::Limited;
        let wait = own.max(told);
        let due = now.plus(wait);
        progress.not_before = due.micros();
        if let Err(error) = self.docket.keep(entry, State::Waiting, due).await {
            tracing::warn!(name = %entry.name, %error, "a restart would not know of a failure");
        }
        let reason = failure.reason();
        let told = self.register.failing(&entry.name, (reason, &failure.detail), attempt).await;
        if let Err(error) = told {
            tracing::warn!(name = %entry.name, %error, "a failure is not told");
        }
        Err(failure)
    }

    /// Leaves an authority alone that wants it, and forgets an account that it does not know.
    async fn spare(&self, issuer: &Issuer, name: &Hostname, failure: &Failure) {
        let is_paused = issuer.paused_until().await > self.clock.wall();
        match failure.scope(name, registrable(name).0) {
            // It was not asked.
            _ if is_paused => {}
            Some(Scope::Issuer) => issuer.pause(failure.retry_after).await,
            Some(Scope::Name) => {}
            None if failure.kind == FailureKind::Account => {
                issuer.forget_account().await;
                issuer.pause(None).await;
            }
            None => {}
        }
    }

    async fn forget(&self, name: &Hostname) {
        let forgotten = async {
            let mut entry = self.docket.open(name).await?;
            self.docket.close(&mut entry).await
        };
        if let Err(error) = forgotten.await {
            tracing::debug!(%name, %error, "an order of a name that left is kept");
        }
    }

    /// How long whoever works on an order may take until somebody else takes it up.
    fn lease(&self) -> Duration {
        let patience = self.issuers.iter().map(|issuer| issuer.config.patience);
        patience.sum::<Duration>() + MARGIN
    }
}

/// How long after so many failures in a row the next order is made.
fn back_off(failures: u32) -> Duration {
    let wait = FIRST.saturating_mul(10_u32.saturating_pow(failures.saturating_sub(1).min(5)));
    wait.min(LONGEST)
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

/// A number from 0 to 1 that is another one for each certificate, and always the same.
fn spread(serial: &str) -> f64 {
    f64::from(crc32c::crc32c(serial.as_bytes())) / f64::from(u32::MAX)
}

/// What is told of a certificate.
fn told(record: &Record) -> Certified {
    let (serial, issuer) = (record.serial.clone(), record.issuer.clone());
    Certified { serial, not_after: record.not_after, issuer }
}

/// The shortest time between two certificates of a name.
const SOONEST: Duration = Duration::from_secs(3_600);
/// How long a renewal that was taken up is not due again.
const RENEWAL: Duration = Duration::from_secs(12 * 3_600);
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(86_400);
/// For looking, verifying and publishing.
const MARGIN: Duration = Duration::from_secs(30);
