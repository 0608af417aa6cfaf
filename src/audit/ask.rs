//! Asks DNS what a judgement needs, until it is made.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{Answer, Answers, Unanswered};
use crate::clock::Clock;
use crate::dns::{Failure, Lookup, Name, Question};

/// Asks for judgements, within a time.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The DNS.
    pub lookup: &'a dyn Lookup,
    /// What measures the time.
    pub clock: &'a dyn Clock,
    /// How long may be asked for one judgement. What is not answered by then counts as not
    /// answered in time, so that the judgement ends.
    pub patience: Duration,
}

impl Asker<'_> {
    /// Makes a judgement: asks what it needs, the questions of one round together, and begins it
    /// again with the answers.
    pub async fn judge<T>(
        &self,
        answers: &mut Answers,
        mut judgement: impl FnMut(&Answers) -> Result<T, Unanswered>,
    ) -> T {
        let until = self.clock.now() + self.patience;
        loop {
            match judgement(answers) {
                Ok(judged) => return judged,
                Err(Unanswered(questions)) => {
                    let asked = questions.into_iter().map(|question| self.ask(question, until));
                    for (question, answer, aliases) in join_all(asked).await {
                        answers.insert_behind(question, answer, aliases);
                    }
                }
            }
        }
    }

    async fn ask(&self, question: Question, until: Instant) -> (Question, Answer, Vec<Name>) {
        let left = until.saturating_duration_since(self.clock.now());
        let asking = self.lookup.ask(&question);
        let result = within(left, asking).await.unwrap_or(Err(Failure::TimedOut));
        let aliases = result.as_ref().map(|reply| reply.aliases.clone()).unwrap_or_default();
        let answer = Answer::of(question.kind, result);
        (question, answer, aliases)
    }
}

async fn within<T>(left: Duration, work: impl Future<Output = T>) -> Option<T> {
    if left.is_zero() {
        return None;
    }
    tokio::time::timeout(left, work).await.ok()
}
