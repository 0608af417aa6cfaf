//! Asks what a report needs, until it is made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all, join3};

use super::anew::Anew;
use super::evidence::{Asked, Evidence, File, Files, Needs, Unfetched, Wanted, Way};
use super::examine::examine;
use super::report::Report;
use super::subject::Subject;
use crate::audit::{Answer, Platform, rules};
use crate::clock::Clock;
use crate::dns::{Failure, Lookup, Name, Question};

/// Audits domains. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Auditor {
    lookup: Arc<dyn Lookup>,
    files: Option<Arc<dyn Files>>,
    clock: Arc<dyn Clock>,
    platform: Arc<Platform>,
}

impl Auditor {
    /// An auditor for a platform; without `files` nothing is fetched, and what would have to be
    /// is not judged.
    pub fn new(
        platform: Platform,
        lookup: Arc<dyn Lookup>,
        files: Option<Arc<dyn Files>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { lookup, files, clock, platform: Arc::new(platform) }
    }

    /// What the platform asks for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// What reports are judged by, as a number: another one when other rules, another version of
    /// the program or other expectations may judge the same records otherwise.
    pub fn stamp(&self) -> u32 {
        let version = env!("CARGO_PKG_VERSION");
        let rules: Vec<_> = rules().map(|rule| rule.id).collect();
        let (platform, is_fetching) = (&self.platform, self.files.is_some());
        crc32c::crc32c(format!("{version} {rules:?} {platform:?} {is_fetching}").as_bytes())
    }

    /// The same, which asks past what is remembered of a domain's own names.
    #[must_use]
    pub fn anew(&self, subject: &Subject) -> Self {
        let lookup = Arc::new(Anew::new(Arc::clone(&self.lookup), subject));
        Self { lookup, ..self.clone() }
    }

    /// Makes a report, and tells what was asked for it. Ends in bounded time: what is not
    /// answered by then counts as not answered.
    pub async fn audit(&self, subject: &Subject) -> (Report, Vec<Asked>) {
        let until = self.clock.now() + PATIENCE;
        let is_fetching = self.files.is_some();
        let now = self.clock.wall();
        let mut evidence = Evidence { is_fetching, now, ..Evidence::default() };
        let mut asked = Vec::new();
        loop {
            match examine(subject, &self.platform, &evidence) {
                Ok(report) => return (report, asked),
                Err(needs) => self.gather(subject, needs, until, &mut evidence, &mut asked).await,
            }
        }
    }

    /// Asks all of one round together.
    async fn gather(
        &self,
        subject: &Subject,
        needs: Needs,
        until: Instant,
        evidence: &mut Evidence,
        asked: &mut Vec<Asked>,
    ) {
        let resolver = join_all(needs.questions.into_iter().map(|question| async move {
            let (result, took) = self.within(until, self.lookup.ask(&question)).await;
            (question, result, took)
        }));
        let unchecked = join_all(needs.unchecked.into_iter().map(|question| async move {
            let (result, took) = self.within(until, self.lookup.ask_unchecked(&question)).await;
            (question, result, took)
        }));
        let again = join_all(needs.again.into_iter().map(|question| async move {
            let (result, took) = self.within(until, self.lookup.ask(&question)).await;
            (question, result, took)
        }));
        let servers = join_all(needs.of_servers.into_iter().map(|question| async move {
            let (result, took) = self.within(until, self.lookup.ask_zone(&question)).await;
            (question, result, took)
        }));
        let files = join_all(needs.files.into_iter().map(|wanted| self.fetch(wanted, until)));
        let ((resolver, unchecked, again), (servers, files)) =
            join(join3(resolver, unchecked, again), join(servers, files)).await;
        let is_own = |question: &Question| is_own(subject, &question.name);
        let mut tell = |what: String, way, is_own, came: String, took| {
            asked.push(Asked { what, way, is_own, came, took });
        };
        for (question, result, took) in resolver {
            let aliases = result.as_ref().map(|reply| reply.aliases.clone()).unwrap_or_default();
            let answer = Answer::of(question.kind, result);
            let way = Way::Resolver;
            tell(question.to_string(), way, is_own(&question), came(&answer), took);
            evidence.answers.insert_behind(question, answer, aliases);
        }
        for (question, result, took) in unchecked {
            let answer = Answer::of(question.kind, result);
            let way = Way::Unchecked;
            tell(question.to_string(), way, is_own(&question), came(&answer), took);
            evidence.unchecked.insert(question, answer);
        }
        for (question, result, took) in again {
            let answer = Answer::of(question.kind, result);
            tell(question.to_string(), Way::Resolver, is_own(&question), came(&answer), took);
            evidence.again.insert(question, answer);
        }
        for (question, result, took) in servers {
            let came = match &result {
                Ok(reply) => format!("{} servers of {}", reply.servers.len(), reply.zone),
                Err(why) => why.to_string(),
            };
            tell(question.to_string(), Way::Servers, is_own(&question), came, took);
            evidence.servers.insert(question, result);
        }
        for (wanted, result, took) in files {
            let came = match &result {
                Ok(file) => format!("{} bytes", file.bytes.len()),
                Err(why) => why.to_string(),
            };
            tell(wanted.address.clone(), Way::Web, true, came, took);
            evidence.files.insert(wanted, result);
        }
    }

    async fn fetch(
        &self,
        wanted: Wanted,
        until: Instant,
    ) -> (Wanted, Result<File, Unfetched>, Duration) {
        let begun = self.clock.now();
        let silent = || Err(Unfetched::Unknown("no answer in time".to_owned()));
        let result = match &self.files {
            Some(files) => {
                let left = until.saturating_duration_since(begun);
                tokio::time::timeout(left, files.fetch(&wanted)).await.unwrap_or_else(|_| silent())
            }
            None => silent(),
        };
        (wanted, result, self.clock.now().saturating_duration_since(begun))
    }

    async fn within<T>(
        &self,
        until: Instant,
        asking: crate::dns::Asking<'_, T>,
    ) -> (Result<T, Failure>, Duration) {
        let begun = self.clock.now();
        let left = until.saturating_duration_since(begun);
        let result = tokio::time::timeout(left, asking).await.unwrap_or(Err(Failure::TimedOut));
        (result, self.clock.now().saturating_duration_since(begun))
    }
}

fn is_own(subject: &Subject, name: &Name) -> bool {
    let within = |top: &str| Name::parse(top).is_ok_and(|top| name.is_within(&top));
    within(&subject.domain) || within(&subject.tracking)
}

fn came(answer: &Answer) -> String {
    match answer {
        Answer::NoData => "nothing of this type".to_owned(),
        Answer::NoName => "no such name".to_owned(),
        Answer::Failed(why) => why.to_string(),
        Answer::Addresses(all) => records(all.len()),
        Answer::Exchanges(all) | Answer::Names(all) => records(all.len()),
        Answer::Texts(all) => records(all.len()),
        Answer::Properties(all) => records(all.len()),
        Answer::Present => "found".to_owned(),
    }
}

fn records(count: usize) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// How long one domain may take: two rounds of questions that each time out once.
const PATIENCE: Duration = Duration::from_secs(8);
