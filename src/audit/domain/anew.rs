//! Asks past what is remembered of a domain, so that a second look is one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::Subject;
use crate::dns::{Asking, Lookup, Name, Question, Reply, ZoneReply};

/// The DNS, with nothing remembered of a domain's own names. What many domains share is.
#[derive(Debug)]
pub(super) struct Anew {
    lookup: Arc<dyn Lookup>,
    own: Vec<Name>,
    forgotten: Mutex<HashSet<Name>>,
}

impl Anew {
    pub(super) fn new(lookup: Arc<dyn Lookup>, subject: &Subject) -> Self {
        let own = [&subject.domain, &subject.tracking].map(|name| Name::parse(name));
        let own = own.into_iter().flatten().collect();
        Self { lookup, own, forgotten: Mutex::default() }
    }

    /// Has a name forgotten, once: what this audit is told of it is asked for once.
    fn forget_once(&self, name: &Name) {
        if !self.own.iter().any(|own| name.is_within(own)) {
            return;
        }
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if forgotten.insert(name.clone()) {
            self.lookup.forget(name);
        }
    }
}

impl Lookup for Anew {
    fn ask(&self, question: &Question) -> Asking<'_, Reply> {
        self.forget_once(&question.name);
        self.lookup.ask(question)
    }

    fn ask_zone(&self, question: &Question) -> Asking<'_, ZoneReply> {
        self.lookup.ask_zone(question)
    }

    fn ask_unchecked(&self, question: &Question) -> Asking<'_, Reply> {
        self.lookup.ask_unchecked(question)
    }

    fn forget(&self, name: &Name) {
        self.lookup.forget(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Expect;
    use crate::dns::{Answer, Failure, Kind};

    #[derive(Debug, Default)]
    struct Noting(Mutex<Vec<String>>);

    impl Lookup for Noting {
        fn ask(&self, _: &Question) -> Asking<'_, Reply> {
            Box::pin(std::future::ready(Err(Failure::TimedOut)))
        }

        fn ask_zone(&self, _: &Question) -> Asking<'_, ZoneReply> {
            Box::pin(std::future::ready(Err(Failure::TimedOut)))
        }

        fn ask_unchecked(&self, question: &Question) -> Asking<'_, Reply> {
            self.ask(question)
        }

        fn forget(&self, name: &Name) {
            self.0.lock().unwrap().push(name.to_string());
        }
    }

    #[tokio::test]
    async fn a_domains_own_names_are_asked_for_anew_and_once_and_others_are_remembered() {
        let noting = Arc::new(Noting::default());
        let subject = Subject::new("example.com", &Expect::default(), "nonce").unwrap();
        let subject = subject.tracked_at("go.example.net").unwrap();
        let anew = Anew::new(Arc::<Noting>::clone(&noting), &subject);
        for name in
            ["example.com", "_dmarc.example.com", "example.com", "go.example.net", "example.net"]
        {
            let question = Question { name: Name::parse(name).unwrap(), kind: Kind::Txt };
            let reply = anew.ask(&question).await;
            assert!(!reply.is_ok_and(|reply| reply.answer == Answer::NoName));
        }
        let forgotten = noting.0.lock().unwrap().clone();
        assert_eq!(forgotten, ["example.com", "_dmarc.example.com", "go.example.net"]);
    }
}
