//! The reliability proofs: each drives the real `turnout` in a process of its own, prints one JSON
//! line and `N passed, N failed`, and ends with code 1 if anything failed. `scripts/prove.sh` builds
//! and runs it; the raw results of the long forms stand in docs/results.
//!
//! `prove PROOF [N] [--short] [--seed S] [--lanes L] [--seconds S] [--keep FILE]`

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a driver prints what it finds, and ends where it cannot go on"
)]

mod answers;
mod answers_history;
mod answers_reference;
mod backups;
mod backups_check;
mod backups_load;
mod breaking_proxy;
mod events_full;
mod events_kills;
mod events_resumes;
mod events_switches;
mod events_syncs;
mod events_wire;
mod flips;
mod kills;
mod kills_check;
mod mixes;
mod mixes_one;
mod rng;
mod server;
mod starts;
mod syncs;
mod syncs_trace;
mod wire;

use std::time::Instant;

use serde_json::{Value as Json, json};

use server::Program;

/// How a proof is run.
#[derive(Clone)]
pub struct Run {
    pub program: Program,
    /// How many, where a proof counts something.
    pub count: Option<u64>,
    pub short: bool,
    pub seed: u64,
    pub lanes: u64,
    pub seconds: Option<u64>,
}

/// What came of it.
#[derive(Default)]
pub struct Outcome {
    pub passed: u64,
    /// One line each.
    pub failures: Vec<String>,
    /// What this machine is not allowed to do.
    pub not_checked: Vec<String>,
    /// What could be installed: with CI=true that it is not is a failure.
    pub missing: Vec<String>,
    pub figures: Json,
}

impl Outcome {
    /// Counts one check.
    pub fn check(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        if holds { self.passed += 1 } else { self.fail(failure()) }
    }

    pub fn fail(&mut self, failure: String) {
        eprintln!("FAILED {failure}");
        self.failures.push(failure);
    }

    pub fn add(&mut self, other: Outcome) {
        self.passed += other.passed;
        self.failures.extend(other.failures);
        self.not_checked.extend(other.not_checked);
        self.missing.extend(other.missing);
    }
}

type Proof = fn(&Run) -> Result<Outcome, String>;

const PROOFS: [(&str, Proof); 12] = [
    ("kills", kills::prove),
    ("syncs", syncs::prove),
    ("mixes", mixes::prove),
    ("starts", starts::prove),
    ("flips", flips::prove),
    ("answers", answers::prove),
    ("backups", backups::prove),
    ("events-kills", events_kills::prove),
    ("events-resumes", events_resumes::prove),
    ("events-switches", events_switches::prove),
    ("events-syncs", events_syncs::prove),
    ("events-full", events_full::prove),
];

fn main() {
    let _ = rlimit::increase_nofile_limit(1 << 20);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(fault) => {
            eprintln!("prove: {fault}");
            std::process::exit(2);
        }
    }
}

fn run(arguments: &[String]) -> Result<bool, String> {
    let mut rest = arguments.iter();
    let wanted = rest.next().map(String::as_str).unwrap_or_default();
    let names = PROOFS.map(|(name, _)| name).join(", ");
    let (name, proof) = PROOFS
        .into_iter()
        .find(|(name, _)| *name == wanted)
        .ok_or(format!("name a proof: {names}"))?;
    let (mut run, mut keep) = (
        Run {
            program: Program::beside(),
            count: None,
            short: false,
            seed: 1,
            lanes: 1,
            seconds: None,
        },
        None,
    );
    while let Some(argument) = rest.next() {
        let mut number =
            || rest.next().and_then(|n| n.parse().ok()).ok_or(format!("{argument} takes a number"));
        match argument.as_str() {
            "--short" => run.short = true,
            "--seed" => run.seed = number()?,
            "--lanes" => run.lanes = number()?,
            "--seconds" => run.seconds = Some(number()?),
            "--keep" => keep = rest.next(),
            count => run.count = Some(count.parse().map_err(|_| format!("what is `{count}`?"))?),
        }
    }
    let began = Instant::now();
    let outcome = proof(&run)?;
    let line = json!({
        "proof": name,
        "form": if run.short { "short" } else { "long" },
        "program": if cfg!(debug_assertions) { "debug" } else { "dist" },
        "seed": run.seed,
        "seconds": began.elapsed().as_secs_f64(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "passed": outcome.passed,
        "failed": outcome.failures.len(),
        "failures": outcome.failures.iter().take(20).collect::<Vec<_>>(),
        "notChecked": outcome.not_checked.iter().chain(&outcome.missing).collect::<Vec<_>>(),
        "figures": outcome.figures,
    });
    println!("{line}");
    if let Some(path) = keep {
        let text = serde_json::to_string_pretty(&line).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n")
            .map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    outcome
        .not_checked
        .iter()
        .chain(&outcome.missing)
        .for_each(|what| println!("NOT CHECKED: {what}"));
    println!("{} passed, {} failed", outcome.passed, outcome.failures.len());
    let all_seen = outcome.missing.is_empty() || std::env::var("CI").as_deref() != Ok("true");
    Ok(outcome.failures.is_empty() && all_seen)
}

/// The value below which so many hundredths of the values lie.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get(((percent / 100.0) * last as f64).round() as usize).copied().unwrap_or_default()
}

/// A flag in YAML: everything it needs, and some lines more.
pub fn flag(key: &str, more: &str) -> String {
    format!(
        "version: 1\nflag: {key}\nenabled: true\ndefault: polling\nwhen_stopped: polling\n{more}\n"
    )
}
