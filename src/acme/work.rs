//! The work on one name: looked at, ordered from one authority after the other, verified and
//! brought to where it is served from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::allowance::{Allowance, Purpose};
use super::challenges::Challenges;
use super::docket::{Docket, Entry};
use super::failure::{Failure, FailureKind, Scope};
use super::flights::{Landing, Outcome};
use super::issuer::{Issuer, node};
use super::measures::{ISSUED, Measures};
use super::order::{Driver, Issued};
use super::overdue::Overdue;
use super::preflight::{Permission, Preflight};
use super::progress::State;
use super::renewal::{Term, back_off, spread};
use super::transport::Heard;
use super::underway::Underway;
use super::verify::verify;
use crate::clock::{Clock, Timestamp};
use crate::domains::{Attempt, Certified, Permit, Refusal, Register, Who, registrable};
use crate::hostname::Hostname;
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
    pub(super) overdue: Overdue,
    pub(super) underway: Underway,
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
        // An authority may look for what the process before this one told it to.
        let names = self.docket.interrupted().await.unwrap_or_default();
        let _told: Vec<_> = names.iter().map(|name| self.challenges.ordering(name)).collect();
        if !names.is_empty() {
            tokio::time::sleep(self.lease()).await;
        }
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
            let wait = back_off(1, spread(name.as_str()));
            return self.put_off(name, self.clock.wall().plus(wait)).await;
        }
        self.forget(name).await;
        self.left_us(name).await;
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
            self.put_off(name, not_before).await;
            return Err(Failure { retry_after: Some(now.until(not_before)), ..failure });
        }
        let held = self.held(name).await.map_err(node)?;
        entry.is_renewal = held.is_some();
        if let Some(record) = held.as_ref().filter(|record| now < record.schedule.renew_at) {
            return self.succeeded(&mut entry, told(record), Vec::new()).await;
        }
        let permission = match self.preflight.look(name).await {
            Ok(permission) => permission,
            Err(failure)
                if matches!(failure.kind, FailureKind::NotPointed | FailureKind::Unseen) =>
            {
                self.away(&mut entry, failure.kind).await;
                return Err(failure);
            }
            Err(failure) => return self.failed(&mut entry, failure, Vec::new()).await,
        };
        let (issuing, probed) =
            tokio::join!(self.register.issuing(name), self.preflight.probe(name));
        if let Err(error) = issuing {
            tracing::debug!(%name, %error, "that an order begins is not told");
        }
        if let Err(failure) = probed {
            return self.failed(&mut entry, failure, Vec::new()).await;
        }
        let errand = Errand { permission: &permission, held: held.as_ref(), landing };
        self.ask_in_turn(&mut entry, &errand).await
    }

    /// Keeps the order of a name that does not lead to us now, or that nobody says it of. One
    /// answer without us is none, and a resolver that is away says nothing: only of what the
    /// register no longer lets in the order is forgotten.
    async fn away(&self, entry: &mut Entry, kind: FailureKind) {
        let (name, is_seen) = (entry.name.clone(), kind == FailureKind::NotPointed);
        let wait = back_off(if is_seen { 2 } else { 1 }, spread(name.as_str()));
        let again = self.clock.wall().plus(wait);
        match (entry.is_renewal, is_seen) {
            (true, true) => return self.left_us(&name).await,
            (true, false) => return self.put_off(&name, again).await,
            (false, true) if matches!(self.register.is_established(&name).await, Ok(false)) => {
                return self.forget(&name).await;
            }
            (false, _) => {}
        }
        if let Err(error) = self.docket.keep(entry, State::Waiting, again).await {
            tracing::warn!(%name, %error, "an order that waits for the DNS is not kept");
        }
    }

    async fn ask_in_turn(&self, entry: &mut Entry, errand: &Errand<'_>) -> Outcome {
        let (mut attempts, mut last, mut soonest) = (Vec::new(), None, None::<Duration>);
        for issuer in self.in_turn(entry) {
            let began = self.clock.wall();
            let name = &issuer.config.name;
            if let Some(until) = entry.progress.spared_until(name, began) {
                let told = format!("{name} wants to be left alone with this name until {until}");
                let wait = began.until(until);
                let failure = Failure::new(FailureKind::Limited, told);
                soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait)));
                last = last.or(Some(Failure { was_asked: false, ..failure }));
                continue;
            }
            let ordered = self.order(issuer, entry, errand).await;
            let took = began.until(self.clock.wall());
            let result = ordered.as_ref().map_or_else(|failure| failure.kind.code(), |_| ISSUED);
            self.measures.ordered(name, result, took);
            let mut attempt = Attempt {
                at: began,
                took,
                issuer: name.clone(),
                outcome: result.to_owned(),
                who: Who::Nobody,
                detail: String::new(),
            };
            let failure = match ordered {
                Ok(certified) => {
                    attempts.push(attempt);
                    return self.succeeded(entry, certified, attempts).await;
                }
                Err(failure) => failure,
            };
            (attempt.who, attempt.detail) = (failure.reason().who(), failure.detail.clone());
            attempts.push(attempt);
            tracing::warn!(name = %entry.name, issuer = name, kind = result, %failure, "an order failed");
            self.spare(issuer, entry, &failure).await;
            let wait = failure.retry_after.unwrap_or_default();
            soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait)));
            let goes_on = failure.is_worth_another_issuer();
            last = Some(failure);
            if !goes_on {
                break;
            }
        }
        let none = || Failure::new(FailureKind::Account, "no authority is configured");
        // The next try is for whoever is to be asked first; the others are left alone until then.
        let failure = Failure { retry_after: soonest, ..last.unwrap_or_else(none) };
        self.failed(entry, failure, attempts).await
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
        let purpose = match (renewed, errand.held) {
            (Some(_), _) => Purpose::Renewal,
            (None, Some(_)) => Purpose::Replacement,
            (None, None) => Purpose::First,
        };
        let name = entry.name.clone();
        let store = &*self.docket.store;
        let share =
            self.underway.enter(&format!("{}/{}", issuer.config.name, registrable(&name).0));
        let allowance = Allowance { store, issuer: &issuer.config, name: &name, purpose, share };
        let heard = Arc::<Heard>::default();
        let driver = Driver {
            issuer,
            account,
            challenges: &self.challenges,
            docket: &self.docket,
            clock: &*self.clock,
            heard: Arc::clone(&heard),
            lease: self.lease(),
            allowance: &allowance,
            replaces: renewed.and_then(|record| record.ari.clone()),
        };
        let at_work = self.measures.at_work();
        let driven = heard.during(driver.drive(entry));
        let driven = tokio::time::timeout(issuer.config.patience, driven).await;
        drop(at_work);
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
            tracing::warn!(%failure, "an order is not counted");
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
        let term = Term::of(&record);
        let now = self.clock.wall();
        let schedule = term.begin(now);
        let (record, due) = (record.scheduled(schedule), term.due(&schedule, now));
        self.certificates.publish(&entry.name, &record, due).await.map_err(node)?;
        self.overdue.done(&entry.name);
        // Whoever waits is served from here on; the rest is told in its own time.
        errand.landing.tell(Ok(()));
        Ok(certified)
    }

    /// Tells of a certificate, and forgets the order.
    async fn succeeded(
        &self,
        entry: &mut Entry,
        certified: Certified,
        attempts: Vec<Attempt>,
    ) -> Outcome {
        tracing::info!(name = %entry.name, issuer = certified.issuer, until = %certified.not_after, "certified");
        let name = entry.name.clone();
        let told = self.register.certified(&name, certified, attempts);
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
    async fn failed(&self, entry: &mut Entry, failure: Failure, attempts: Vec<Attempt>) -> Outcome {
        let now = self.clock.wall();
        let due = entry.progress.failed(&entry.name, &failure, now);
        if entry.is_renewal {
            self.put_off(&entry.name, due).await;
        }
        if let Err(error) = self.docket.keep(entry, State::Waiting, due).await {
            tracing::warn!(name = %entry.name, %error, "a restart would not know of a failure");
        }
        let reason = failure.reason();
        let told = self.register.failing(&entry.name, (reason, &failure.detail), attempts).await;
        if let Err(error) = told {
            tracing::warn!(name = %entry.name, %error, "a failure is not told");
        }
        Err(failure)
    }

    /// Leaves an authority alone that wants it, forgets an account that it does not know, and an
    /// order there that came to nothing.
    async fn spare(&self, issuer: &Issuer, entry: &mut Entry, failure: &Failure) {
        if !failure.was_asked {
            return;
        }
        let name = &issuer.config.name;
        let is_here = entry.progress.placed.as_ref().is_some_and(|placed| placed.issuer == *name);
        if is_here && !failure.is_to_go_on() {
            entry.progress.placed = None;
        }
        match failure.scope(&entry.name, registrable(&entry.name).0) {
            Some(Scope::Issuer) => issuer.pause(failure.retry_after).await,
            Some(Scope::Name) => {
                let wait = failure.retry_after.unwrap_or_default();
                entry.progress.spare(name, self.clock.wall().plus(wait));
            }
            None if failure.kind == FailureKind::Account => {
                issuer.forget_account(failure.is_unknown_account).await;
                issuer.pause(None).await;
            }
            None => {}
        }
    }

    pub(super) async fn forget(&self, name: &Hostname) {
        let forgotten = async {
            let mut entry = self.docket.open(name).await?;
            self.docket.close(&mut entry).await
        };
        if let Err(error) = forgotten.await {
            tracing::debug!(%name, %error, "an order of a name that left is kept");
        }
    }

    /// How long whoever works on an order may take until somebody else takes it up.
    pub(super) fn lease(&self) -> Duration {
        let patience = self.issuers.iter().map(|issuer| issuer.config.patience);
        patience.sum::<Duration>() + MARGIN
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

/// What is told of a certificate.
fn told(record: &Record) -> Certified {
    let (serial, issuer) = (record.serial.clone(), record.issuer.clone());
    Certified { serial, not_after: record.not_after, issuer }
}

/// For looking, verifying and publishing.
const MARGIN: Duration = Duration::from_secs(30);
