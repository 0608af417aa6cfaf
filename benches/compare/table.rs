//! The table that a run prints.

use std::collections::BTreeMap;
use std::fmt;

use crate::identity::KEY_KIND;
use crate::idle::Idle;
use crate::load::Sample;
use crate::server::Kind;
use crate::work::{Bar, CONNECTIONS, Protocol, STREAMS, Work};

/// What was measured so far.
#[derive(Debug)]
pub(crate) struct Table {
    file_system: String,
    samples: BTreeMap<(Work, Kind), Vec<Result<Sample, String>>>,
    idle: BTreeMap<(Protocol, Kind), Result<Idle, String>>,
    absent: Vec<(Kind, String)>,
}

impl Table {
    /// An empty table of servers whose data lies on `file_system`.
    pub(crate) fn new(file_system: String) -> Self {
        let (samples, idle, absent) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { file_system, samples, idle, absent }
    }

    pub(crate) fn add(&mut self, work: Work, kind: Kind, sample: Result<Sample, String>) {
        self.samples.entry((work, kind)).or_default().push(sample);
    }

    pub(crate) fn add_idle(&mut self, protocol: Protocol, kind: Kind, idle: Result<Idle, String>) {
        self.idle.insert((protocol, kind), idle);
    }

    pub(crate) fn absent(&mut self, kind: Kind, reason: String) {
        self.absent.push((kind, reason));
    }

    /// Samples of one piece of work on one server, one a round; the error of any of them.
    fn samples(&self, work: Work, kind: Kind) -> Option<Result<Vec<&Sample>, &String>> {
        Some(self.samples.get(&(work, kind))?.iter().map(Result::as_ref).collect())
    }

    /// Medians and spread of CPU time as a multiple of bare's in the same round.
    fn ratios(&self, work: Work, samples: &[&Sample]) -> Option<Vec<f64>> {
        let bare = self.samples(work, Kind::Bare)?.ok()?;
        let pairs = samples.iter().zip(bare);
        Some(pairs.map(|(sample, bare)| sample.cpu / bare.cpu).collect())
    }

    fn is_void(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Waypost | Kind::Before) && MEMORY.contains(&self.file_system.as_str())
    }

    fn write_head(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "cpu: µs of CPU time of the server's processes for each request, median of rounds\n"
        )?;
        let heads = ["cpu µs", "× bare", "  spread  ", "p50 µs", "p99 µs", "req/s", "syncs/s"];
        write!(f, "{:<11}{:<9}{:>9}{:>8} {}", "work", "server", heads[0], heads[1], heads[2])?;
        writeln!(
            f,
            "{:>9}{:>9}{:>9}{:>8}{:>8}",
            heads[3], heads[4], heads[5], heads[6], "ev/sync"
        )?;
        Ok(())
    }

    fn write_work(&self, f: &mut fmt::Formatter<'_>, work: Work) -> fmt::Result {
        let kinds = [Kind::Bare, Kind::Nginx, Kind::Before, Kind::Waypost];
        let mut agreed = Vec::new();
        for kind in kinds {
            let Some(samples) = self.samples(work, kind) else { continue };
            let samples = match samples {
                Ok(samples) => samples,
                Err(reason) => {
                    writeln!(f, "{work:<11}{kind:<9}VOID: {reason}")?;
                    continue;
                }
            };
            agreed.extend(samples.iter().map(|sample| sample.agreed.as_str()));
            let middle = |of: fn(&Sample) -> f64| median(samples.iter().map(|s| of(s)).collect());
            let ratios = self.ratios(work, &samples);
            write!(f, "{work:<11}{kind:<9}{:>9.2}", middle(|sample| sample.cpu))?;
            match &ratios {
                Some(ratios) => {
                    let (low, high) = bounds(ratios);
                    write!(f, "{:>8.2}  {low:.2}–{high:.2}", median(ratios.clone()))?;
                }
                None => write!(f, "{:>8}  {:9}", "–", "")?,
            }
            write!(f, "{:>9.0}{:>9.0}", middle(|sample| sample.p50), middle(|sample| sample.p99))?;
            write!(f, "{:>9.0}", middle(|sample| sample.rate))?;
            let batches: Vec<_> = samples.iter().filter_map(|sample| sample.batch).collect();
            if batches.is_empty() {
                write!(f, "{:>8}{:>8}", "–", "–")?;
            } else {
                let batch = median(batches);
                write!(f, "{:>8.0}{batch:>8.1}", middle(|sample| sample.rate) / batch)?;
            }
            let ratio = ratios.filter(|_| kind == Kind::Waypost).map(median);
            writeln!(f, "{}", self.verdict(kind, ratio, work.bar()))?;
        }
        agreed.sort_unstable();
        agreed.dedup();
        match agreed[..] {
            [] => Ok(()),
            [one] => writeln!(f, "{:11}all: {one}\n", ""),
            _ => writeln!(f, "{:11}VOID: unequal: {}\n", "", agreed.join(" | ")),
        }
    }

    fn write_idle(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((protocol, kind), idle) in &self.idle {
            match idle {
                Ok(idle) => {
                    let figure = (*kind == Kind::Waypost).then_some(idle.kilobytes);
                    let verdict = self.verdict(*kind, figure, Some(protocol.idle_bar()));
                    let (kilobytes, agreed) = (idle.kilobytes, &idle.agreed);
                    writeln!(
                        f,
                        "idle-{protocol:<6}{kind:<9}{kilobytes:>9.1} kB{verdict}  {agreed}"
                    )?;
                }
                Err(reason) => writeln!(f, "idle-{protocol:<6}{kind:<9}VOID: {reason}")?,
            }
        }
        Ok(())
    }

    /// The bar, and whether the figure keeps it; only waypost has one.
    fn verdict(&self, kind: Kind, figure: Option<f64>, bar: Option<Bar>) -> String {
        let (Kind::Waypost, Some(bar)) = (kind, bar) else { return String::new() };
        let Bar { must, goal } = bar;
        let verdict = match figure {
            _ if self.is_void(kind) => "VOID (in memory)",
            None => "no bare to compare with",
            Some(figure) if figure <= goal => "goal reached",
            Some(figure) if figure <= must => "kept",
            Some(_) => "MISSED",
        };
        format!("  must ≤ {must:.2}, goal ≤ {goal:.2}: {verdict}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file_system = &self.file_system;
        writeln!(
            f,
            "\n{CONNECTIONS} connections (h2: {STREAMS} streams each), {KEY_KIND}, full handshakes, \
             data on {file_system}"
        )?;
        if !self.samples.is_empty() {
            Self::write_head(f)?;
        }
        for work in Work::ALL {
            self.write_work(f, work)?;
        }
        self.write_idle(f)?;
        for (kind, reason) in &self.absent {
            writeln!(f, "{kind}: absent: {reason}")?;
        }
        Ok(())
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 {
        return figures[middle];
    }
    match figures.get(middle.wrapping_sub(1)..=middle) {
        Some([below, above]) => (below + above) / 2.0,
        _ => f64::NAN,
    }
}

fn bounds(figures: &[f64]) -> (f64, f64) {
    figures.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), figure| {
        (low.min(*figure), high.max(*figure))
    })
}

/// File systems on which a sync costs nothing.
const MEMORY: [&str; 2] = ["tmpfs", "ramfs"];
