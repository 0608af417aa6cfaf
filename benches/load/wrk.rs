//! This client beside wrk, on Debian's nginx: a client that is slow measures itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::sync::watch;

use crate::arguments::Plan;
use crate::nginx::{Nginx, Site};
use crate::node::{Authority, Click, Client, Mint, Pattern, Reply, Traffic, path_of};

/// Five pairs; whether the median of their ratios is within the bound.
pub(crate) fn run(plan: &Plan) -> Result<bool, String> {
    for tool in ["nginx", "wrk"] {
        if Command::new(tool).arg("-v").output().is_err() {
            println!("SKIPPED: {tool} is not installed");
            return Ok(true);
        }
    }
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::tempdir_in(root).map_err(|error| error.to_string())?;
    let authority = Authority::new();
    let [host] = &plan.hosts[..] else {
        return Err("--wrk: expected one host, which is all that wrk asks for".to_owned());
    };
    let files = authority.issue(host, folder.path());
    let site = Site { host, destination: DESTINATION, chain: &files.chain, key: &files.key };
    let nginx = Nginx::start(&site, folder.path())?;
    let bench = Bench {
        plan,
        nginx: &nginx,
        client: Client::new(authority.root()),
        mint: Mint::new(&folder.path().join("keys")),
        length: plan.length.unwrap_or(DEFAULT_LENGTH),
    };
    let mut ratios = Vec::new();
    for pair in 1..=PAIRS {
        let theirs = bench.wrk()?;
        let ours = bench.load()?;
        ratios.push(ours / theirs);
        println!("pair {pair}: load {ours:.0}/s, wrk {theirs:.0}/s, ratio {:.3}", ours / theirs);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[PAIRS / 2];
    let within = plan.within;
    let is_within = median.max(median.recip()) <= 1.0 + within / 100.0;
    let verdict = if is_within { "within" } else { "NOT within" };
    println!("load : wrk, warm h1, median of {PAIRS} pairs: {median:.3}, {verdict} {within} %");
    Ok(is_within)
}

struct Bench<'a> {
    plan: &'a Plan,
    nginx: &'a Nginx,
    client: Client,
    mint: Mint,
    length: Duration,
}

impl Bench<'_> {
    /// Answers a second that wrk gets, for a request like ours.
    fn wrk(&self) -> Result<f64, String> {
        let click = self.plan.mailing.click(0);
        let path = path_of(&click, &self.mint.token(&click));
        let Pattern { connections, threads, .. } = self.plan.pattern;
        let output = Command::new("wrk")
            .args(["--threads", &threads.to_string(), "--connections", &connections.to_string()])
            .args(["--duration", &format!("{}s", self.length.as_secs().max(1))])
            .args(["--header", &format!("Host: {}", click.host)])
            .args(["--header", "User-Agent: agent-spring sale 2026"])
            .arg(format!("https://{}{path}", self.nginx.address))
            .output()
            .map_err(|error| format!("wrk: {error}"))?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        if told.contains("Non-2xx") || told.contains("Socket errors") {
            return Err(format!("wrk: {told}"));
        }
        told.lines()
            .find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())
            .ok_or_else(|| format!("wrk told no rate: {told}"))
    }

    /// Answers a second that this client gets.
    fn load(&self) -> Result<f64, String> {
        let pattern =
            Pattern { expects: redirects, count: usize::MAX, ..self.plan.pattern.clone() };
        let (_address, addresses) = watch::channel(Some(self.nginx.address));
        let asking = (self.client.clone(), self.mint.clone());
        let traffic = Traffic::new(asking, self.plan.mailing.clone(), pattern, addresses, "nginx");
        traffic.run_for(Some(self.length));
        let (judge, speed) = traffic.finish();
        let verdict = judge.judge([]);
        if verdict.wrong > 0 || verdict.ambiguous > 0 {
            return Err(format!("nginx did not answer each request: {verdict}"));
        }
        Ok(speed.rate())
    }
}

/// nginx knows no tokens: it redirects everything to one place.
fn redirects(reply: &Reply<'_>, _: &Click) -> bool {
    reply.status == 302 && reply.location == Some(DESTINATION.as_bytes())
}

const DESTINATION: &str = "https://shop.example/item/123456?q=0123456789abcdef&e=%C3%A9#top";
const PAIRS: usize = 5;
const DEFAULT_LENGTH: Duration = Duration::from_secs(2);
