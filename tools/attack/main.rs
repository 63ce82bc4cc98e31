//! The long form of `tests/it/http/attacks.rs`, run by hand through `scripts/attack.sh`: a real server
//! in a process of its own, attackers in others, and honest callers at a fixed rate whose waits are
//! measured before, during and after each attack. One JSON line on stdout; exit code 1 if an honest
//! caller got no answer, the server died, or a bar does not hold. Loopback only.
//!
//! `attack [--sockets N] [--seconds S] [--rounds R] [KIND…]`, and `attack strangers`
//! (`strangers.rs`)
//!
//! **What is judged.** An attacker brings its own machine; here it would take the cores of those it
//! attacks, and a longer wait would say nothing of the server. So the bar, p99 at most twice of
//! what it was just before, is for attackers *apart*: `chrt --idle` runs them only where no one
//! else wants to. Their rate is fixed; `visitsASecond` shows that they did come. What the system
//! does to take their bytes in stays in, as it would anywhere. Beside it stands the same attack on
//! a *bare* server with the same bounds: what no server could do for less. `cpuUs` is the server's for
//! a visit. Each figure is the median over rounds, in which the two take turns, each against its
//! own time before.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a driver prints what it finds, and ends where it cannot go on"
)]

mod callers;
mod round;
mod server;
mod siege;
mod strangers;

use std::{env, fs};

use serde_json::{Value as Json, json};

use round::{Attack, Round};
use server::Server;

/// What attackers do, and how many of them there are at most. The last ones come again and again.
const KINDS: [(&str, usize); 9] = [
    ("idle", 50_000),
    ("asked-then-idle", 50_000),
    ("half-head", 50_000),
    ("drip-body", 50_000),
    ("never-read", 500),
    ("64-KiB-head", 50),
    ("101-headers", 50),
    ("endless-chunks", 50),
    ("deep-json", 50),
];
/// The p99 of the others, compared with before.
const BAR: f64 = 2.0;
const RECOVERED_WITHIN_MS: u64 = 5_000;
const QUESTION: &str = "{\"targetingKey\":\"u-1\"}";

fn main() {
    let _ = rlimit::increase_nofile_limit(1 << 20);
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("siege") => siege::run(&arguments[1..]),
        Some("strangers") => {
            std::process::exit(if strangers::run(&arguments[1..]) { 0 } else { 1 })
        }
        _ => std::process::exit(if report(&arguments) { 0 } else { 1 }),
    }
}

fn report(arguments: &[String]) -> bool {
    let (mut sockets, mut seconds, mut rounds, mut kinds) = (500, 3, 3, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || rest.next().and_then(|n| n.parse().ok()).expect("a number");
        match argument.as_str() {
            "--sockets" => sockets = number(),
            "--seconds" => seconds = number() as u64,
            "--rounds" => rounds = number(),
            kind => kinds.push(kind.to_owned()),
        }
    }
    let load_before = load();
    let mut ours = Server::ours();
    let mut attacks = Vec::new();
    for (kind, at_most) in KINDS
        .into_iter()
        .filter(|(kind, _)| kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind))
    {
        let attack = Attack { kind, count: at_most.min(sockets), seconds };
        let mut sides = Sides::default();
        for _ in 0..rounds {
            sides.ours.push(attack.on(&ours));
            sides.bare.push(attack.on(&Server::bare()));
        }
        let judged = sides.judged(&attack);
        eprintln!("{judged}");
        attacks.push(judged);
    }
    let alive = ours.is_alive();
    let holds = alive && attacks.iter().all(|attack| attack["holds"] == true);
    println!(
        "{}",
        json!({
            "holds": holds, "serverAlive": alive, "rounds": rounds, "seconds": seconds,
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "loadBefore": load_before, "loadAfter": load(), "attacks": attacks,
        })
    );
    holds
}

/// How busy the machine was, with others too.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The rounds of one attack.
#[derive(Default)]
struct Sides {
    ours: Vec<Round>,
    bare: Vec<Round>,
}

impl Sides {
    fn judged(&self, attack: &Attack) -> Json {
        let ratio = ratio_of(&self.ours);
        let refused: u64 = self.ours.iter().map(|round| round.refused).sum();
        let recovered = self
            .ours
            .iter()
            .map(|round| round.recovered_after_ms.unwrap_or(u64::MAX))
            .max()
            .unwrap_or(0);
        let peak = self
            .ours
            .iter()
            .map(|round| round.rss_peak.saturating_sub(round.rss_before))
            .max()
            .unwrap_or(0);
        json!({
            "kind": attack.kind, "sockets": attack.count,
            "holds": ratio <= BAR && refused == 0 && recovered <= RECOVERED_WITHIN_MS,
            "p99Ratio": ratio, "p99RatioBare": ratio_of(&self.bare),
            "recoveredAfterMs": recovered, "refused": refused,
            "rssGrowthKiB": peak, "bytesASocket": peak * 1024 / attack.count as u64,
            "ours": figures(&self.ours), "bare": figures(&self.bare),
        })
    }
}

fn ratio_of(rounds: &[Round]) -> f64 {
    median(rounds, |round| round.during * 100 / round.before.max(1)) as f64 / 100.0
}

fn figures(rounds: &[Round]) -> Json {
    let ratios: Vec<f64> = rounds
        .iter()
        .map(|round| (round.during * 100 / round.before.max(1)) as f64 / 100.0)
        .collect();
    json!({
        "p99Ratios": ratios,
        "p99BeforeUs": median(rounds, |round| round.before),
        "p99DuringUs": median(rounds, |round| round.during),
        "p99LeavingUs": median(rounds, |round| round.leaving),
        "visitsASecond": median(rounds, |round| round.visits_a_second),
        "cpuMs": median(rounds, |round| round.cpu / 1000),
        "cpuUs": median(rounds, |round| round.cpu / round.visits.max(1)),
        "rssAfterKiB": median(rounds, |round| round.rss_after),
        "callersReconnected": rounds.iter().map(|round| round.reconnects).sum::<u64>(),
    })
}

fn median(rounds: &[Round], of: impl Fn(&Round) -> u64) -> u64 {
    let mut values: Vec<u64> = rounds.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
