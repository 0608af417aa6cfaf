//! A zone as a text, for tests: what DNS would answer, without a server.
//!
//! One line for each set of records: a name, a type, and what it says, several with commas
//! between. `TXT` takes strings in single quotes, those of one record side by side; the words
//! `TIMEOUT` and `SERVFAIL` stand for answers that fail. `REPEATn` before a word repeats it, and
//! `␠` is a space in a name.

use std::collections::{BTreeMap, BTreeSet};

use waypost::audit::{Answer, Answers, Published, Unanswered};
use waypost::dns::{Caa, Failure, Kind, Name, Question};

/// Names with their records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone {
    records: BTreeMap<(String, Kind), Vec<Said>>,
    names: BTreeSet<String>,
}

/// What a set of records says.
#[derive(Clone, Debug)]
enum Said {
    Record(String),
    Fails(Failure),
}

impl Zone {
    /// Reads a zone.
    pub(crate) fn parse(text: &str) -> Self {
        let mut zone = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let (name, kind, data) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            zone.add(name, self::kind(kind), data);
        }
        zone
    }

    /// Adds what one line says.
    pub(crate) fn add(&mut self, name: &str, kind: Kind, data: &str) {
        let name = name.trim_end_matches('.').to_ascii_lowercase().replace('␠', " ");
        let said = match data.trim() {
            "TIMEOUT" => vec![Said::Fails(Failure::TimedOut)],
            "SERVFAIL" => vec![Said::Fails(Failure::ServerFailure)],
            data if kind == Kind::Txt => vec![Said::Record(data.to_owned())],
            data => data.split(',').map(|one| Said::Record(one.trim().to_owned())).collect(),
        };
        let mut above = name.as_str();
        self.names.insert(name.clone());
        while let Some((_, parent)) = above.split_once('.') {
            self.names.insert(parent.to_owned());
            above = parent;
        }
        self.records.entry((name, kind)).or_default().extend(said);
    }

    /// The lines of the zone, as (name, kind, what it says).
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, Kind, &str)> {
        self.records.iter().flat_map(|((name, kind), said)| {
            said.iter().map(move |said| match said {
                Said::Record(data) => (name.as_str(), *kind, data.as_str()),
                Said::Fails(Failure::TimedOut) => (name.as_str(), *kind, "TIMEOUT"),
                Said::Fails(_) => (name.as_str(), *kind, "SERVFAIL"),
            })
        })
    }

    /// What DNS answers.
    pub(crate) fn answer(&self, question: &Question) -> Answer {
        let name = question.name.as_str().to_owned();
        let Some(said) = self.records.get(&(name.clone(), question.kind)) else {
            return if self.names.contains(&name) { Answer::NoData } else { Answer::NoName };
        };
        let mut data = Vec::new();
        for said in said {
            match said {
                Said::Fails(failure) => return Answer::Failed(*failure),
                Said::Record(record) => data.push(record.as_str()),
            }
        }
        match question.kind {
            Kind::Txt => {
                Answer::Texts(data.iter().map(|d| Published::of_strings(strings(d))).collect())
            }
            Kind::Mx => {
                let mut hosts: Vec<_> = data.iter().map(|data| exchange(data)).collect();
                hosts.sort_by_key(|(preference, _)| *preference);
                Answer::Exchanges(hosts.into_iter().map(|(_, host)| host).collect())
            }
            Kind::Ptr | Kind::Cname | Kind::Ns => {
                Answer::Names(data.iter().map(|data| Name::parse(data).unwrap()).collect())
            }
            Kind::Ds | Kind::Soa | Kind::Spf => Answer::Present,
            Kind::Caa => Answer::Properties(data.iter().map(|data| property(data)).collect()),
            Kind::A | Kind::Aaaa => {
                Answer::Addresses(data.iter().map(|data| data.parse().unwrap()).collect())
            }
        }
    }

    /// Makes a judgement with what the zone says; returns with it the questions that it took.
    pub(crate) fn judge<T>(
        &self,
        judgement: impl FnMut(&Answers) -> Result<T, Unanswered>,
    ) -> (T, Vec<Question>) {
        judge(|question| self.answer(question), judgement)
    }
}

/// Makes a judgement with what `answer` says; returns with it the questions that it took, none of
/// them twice.
pub(crate) fn judge<T>(
    answer: impl Fn(&Question) -> Answer,
    mut judgement: impl FnMut(&Answers) -> Result<T, Unanswered>,
) -> (T, Vec<Question>) {
    let (mut answers, mut asked) = (Answers::new(), Vec::new());
    loop {
        match judgement(&answers) {
            Ok(judged) => return (judged, asked),
            Err(Unanswered(questions)) => {
                assert!(!questions.is_empty(), "a judgement that needs nothing");
                for question in questions {
                    assert!(!asked.contains(&question), "{question} is asked twice");
                    answers.insert(question.clone(), answer(&question));
                    asked.push(question);
                }
            }
        }
    }
}

/// The strings of a TXT record: in single quotes, side by side.
pub(crate) fn strings(data: &str) -> Vec<String> {
    data.split('\'').skip(1).step_by(2).map(repeated).collect()
}

/// A text with its `REPEATn` words written out.
pub(crate) fn repeated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("REPEAT") {
        let bare = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let count = after.strip_suffix(bare).unwrap().parse().unwrap();
        let word = bare.split([' ', '"']).next().unwrap();
        out.push_str(before);
        out.push_str(&vec![word; count].join(" "));
        rest = bare.strip_prefix(word).unwrap();
    }
    out + rest
}

fn kind(text: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.name() == text).unwrap_or_else(|| panic!("{text}"))
}

fn property(data: &str) -> Caa {
    let mut words = data.splitn(3, ' ');
    let (flags, tag) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().to_owned());
    let value = words.next().unwrap().trim_matches('"').as_bytes().to_vec();
    Caa { flags, tag, value }
}

fn exchange(data: &str) -> (u16, Name) {
    let (preference, host) = data.split_once(' ').unwrap();
    (preference.parse().unwrap(), Name::parse(host).unwrap())
}
