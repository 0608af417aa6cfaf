//! Asks past what anybody remembers of a domain, so that a second look is one.
//!
//! A resolver remembers for an hour that a record is not there, and for as long what it held. So a
//! domain's own names are asked of its zone's own servers too, and theirs is what counts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join;

use super::Subject;
use crate::dns::{
    Answer, Asking, Failure, Kind, Lookup, Name, Question, Reply, Verdict, ZoneReply,
};

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

    fn is_own(&self, name: &Name) -> bool {
        self.own.iter().any(|own| name.is_within(own))
    }

    /// Has a name forgotten, once: what this audit is told of it is asked for once.
    fn forget_once(&self, name: &Name) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if forgotten.insert(name.clone()) {
            self.lookup.forget(name);
        }
    }

    /// What the zone's own servers say, when all of them say it; else what the resolver does, whose
    /// failure counts in any case: it may have seen a signature that is wrong.
    async fn own(&self, question: &Question) -> Result<Reply, Failure> {
        self.forget_once(&question.name);
        let (resolved, zone) =
            join(self.lookup.ask(question), self.lookup.ask_zone(question)).await;
        let resolved = resolved?;
        let Ok(zone) = zone else { return Ok(resolved) };
        let Verdict::One(own) = zone.verdict() else { return Ok(resolved) };
        match (&own.answer, own.aliases.last()) {
            (Answer::Elsewhere, Some(target)) => self.behind(question, own, target).await,
            (Answer::Elsewhere, None) => Ok(resolved),
            _ => Ok(own.clone()),
        }
    }

    /// What there is behind an alias, which other servers know.
    async fn behind(
        &self,
        question: &Question,
        own: &Reply,
        target: &Name,
    ) -> Result<Reply, Failure> {
        let rest = self.lookup.ask(&Question::new(target, question.kind)).await?;
        let aliases = own.aliases.iter().chain(&rest.aliases).cloned().collect();
        Ok(Reply { aliases, ttl: rest.ttl.min(own.ttl), ..rest })
    }
}

impl Lookup for Anew {
    fn ask(&self, question: &Question) -> Asking<'_, Reply> {
        // A DS record stands in the parent: the zone's own servers know nothing of it.
        if !self.is_own(&question.name) || question.kind == Kind::Ds {
            return self.lookup.ask(question);
        }
        let question = question.clone();
        Box::pin(async move { self.own(&question).await })
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
    use std::time::Duration;

    use super::*;
    use crate::audit::Expect;
    use crate::dns::ServerReply;

    /// A resolver and two servers of the zone, by name; and what was forgotten and asked.
    #[derive(Debug, Default)]
    struct World {
        noted: Mutex<Vec<String>>,
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn reply(answer: Answer) -> Reply {
        let ttl = Duration::from_secs(60);
        Reply { answer, aliases: Vec::new(), zone: None, is_authoritative: true, ttl }
    }

    fn alias(target: &str) -> Reply {
        Reply { aliases: vec![name(target)], ..reply(Answer::Elsewhere) }
    }

    impl World {
        fn resolver(&self, question: &Question) -> Result<Reply, Failure> {
            match question.name.to_string().as_str() {
                "bogus.example.com" => Err(Failure::ServerFailure),
                "key.sender.test" => Ok(reply(Answer::NoData)),
                _ => Ok(reply(Answer::NoName)),
            }
        }

        fn servers(&self, question: &Question) -> [Result<Reply, Failure>; 2] {
            match question.name.to_string().as_str() {
                "split.example.com" => [Ok(reply(Answer::NoData)), Ok(reply(Answer::NoName))],
                "half.example.com" => [Ok(reply(Answer::NoData)), Err(Failure::TimedOut)],
                "key.example.com" => [Ok(alias("key.sender.test")), Ok(alias("key.sender.test"))],
                "dead.example.com" => [Err(Failure::TimedOut), Err(Failure::Lame)],
                _ => [Ok(reply(Answer::NoData)), Ok(reply(Answer::NoData))],
            }
        }
    }

    impl Lookup for World {
        fn ask(&self, question: &Question) -> Asking<'_, Reply> {
            Box::pin(std::future::ready(self.resolver(question)))
        }

        fn ask_zone(&self, question: &Question) -> Asking<'_, ZoneReply> {
            self.noted.lock().unwrap().push(format!("asked {}", question.name));
            let server = |result| ServerReply { server: name("ns.test"), address: None, result };
            let servers = self.servers(question).map(server).into();
            Box::pin(std::future::ready(Ok(ZoneReply { zone: name("example.com"), servers })))
        }

        fn ask_unchecked(&self, question: &Question) -> Asking<'_, Reply> {
            self.ask(question)
        }

        fn forget(&self, name: &Name) {
            self.noted.lock().unwrap().push(format!("forgot {name}"));
        }
    }

    fn anew(world: &Arc<World>) -> Anew {
        let subject = Subject::new("example.com", &Expect::default(), "nonce").unwrap();
        let subject = subject.tracked_at("go.example.net").unwrap();
        Anew::new(Arc::<World>::clone(world), &subject)
    }

    #[tokio::test]
    async fn the_zones_own_servers_say_what_a_domains_own_names_hold() {
        let anew = anew(&Arc::default());
        for (asked, expected) in [
            ("new.example.com", Ok(Answer::NoData)),
            ("half.example.com", Ok(Answer::NoData)),
            ("split.example.com", Ok(Answer::NoName)),
            ("dead.example.com", Ok(Answer::NoName)),
            ("bogus.example.com", Err(Failure::ServerFailure)),
            ("key.example.com", Ok(Answer::NoData)),
            ("shared.test", Ok(Answer::NoName)),
        ] {
            let question = Question { name: name(asked), kind: Kind::Txt };
            let reply = anew.ask(&question).await;
            if asked == "key.example.com" {
                assert_eq!(reply.as_ref().unwrap().aliases, [name("key.sender.test")]);
            }
            assert_eq!(reply.map(|reply| reply.answer), expected, "{asked}");
        }
    }

    #[tokio::test]
    async fn a_domains_own_names_are_forgotten_once_and_others_are_remembered() {
        let world = Arc::<World>::default();
        let anew = anew(&world);
        for asked in
            ["example.com", "_dmarc.example.com", "example.com", "go.example.net", "example.net"]
        {
            anew.ask(&Question { name: name(asked), kind: Kind::Txt }).await.unwrap();
        }
        let of_parent = Question { name: name("example.com"), kind: Kind::Ds };
        assert_eq!(anew.ask(&of_parent).await.unwrap().answer, Answer::NoName);
        let noted = world.noted.lock().unwrap().clone();
        let forgotten: Vec<_> =
            noted.iter().filter_map(|line| line.strip_prefix("forgot ")).collect();
        assert_eq!(forgotten, ["example.com", "_dmarc.example.com", "go.example.net"]);
        assert!(!noted.contains(&"asked example.net".to_owned()), "{noted:?}");
    }
}
