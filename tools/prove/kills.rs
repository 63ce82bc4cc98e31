//! Nothing that was acknowledged is lost, doubled or halved, however often the server is killed:
//! clients flip flags until `kill -9`, it is started again on the same data, and the history is
//! read against what each client was told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::kills_check::Ledger;
use crate::rng::Rng;
use crate::server::{Home, Server};
use crate::wire::Wire;
use crate::{Outcome, Run, flag};

/// Each client has a flag of its own, whose every state it knows, and all share one.
const CLIENTS: usize = 4;
pub const SHARED: &str = "shared";
/// Kills before a new history is begun: checking all of one costs what it is long.
const KILLS_A_HISTORY: u64 = 8;
const LATEST_KILL_MS: u64 = 400;
const AT_LEAST: u64 = 40;
const SHARES: [u32; 7] = [0, 5, 10, 25, 50, 75, 100];

/// A request and what was said to it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub key: String,
    pub flag: String,
    pub verb: &'static str,
    pub body: String,
    /// `None` if the server died first.
    pub told: Option<Told>,
}

#[derive(Clone, Debug)]
pub struct Told {
    pub status: u16,
    pub body: Json,
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let count = run.count.unwrap_or(if run.short { 100 } else { 10_000 });
    let until = Instant::now()
        + Duration::from_secs(run.seconds.unwrap_or(if run.short { 20 } else { 86_400 }));
    let (begun, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let lanes: Vec<_> = (0..run.lanes.max(1))
        .map(|lane| {
            let (run, begun) = (run.clone(), begun.clone());
            thread::spawn(move || {
                let mut ledgers = Ledgers::default();
                let mut seed = Rng::new(run.seed.wrapping_mul(1_000).wrapping_add(lane));
                while begun.load(Relaxed) < count
                    && (Instant::now() < until || begun.load(Relaxed) < AT_LEAST)
                {
                    ledgers.add(one_history(&run, seed.next(), &begun, count));
                }
                ledgers
            })
        })
        .collect();
    let mut all = Ledgers::default();
    for lane in lanes {
        let lane = lane.join().map_err(|_| "a lane panicked")?;
        all.outcome.add(lane.outcome);
        all.counts = all.counts.plus(&lane.counts);
    }
    let seconds = began.elapsed().as_secs_f64();
    let Counts {
        kills,
        kills_at_start,
        acknowledged,
        accepted,
        cut_off,
        cut_off_and_done,
        revisions,
        started_without_database,
        late_while_checked,
    } = all.counts;
    all.outcome.figures = json!({
        "kills": kills,
        "ofThemWhileStarting": kills_at_start,
        "killsPerSecond": kills as f64 / seconds,
        "acknowledged": acknowledged,
        "ofThemPending202": accepted,
        "cutOff": cut_off,
        "ofThemDone": cut_off_and_done,
        "revisions": revisions,
        "startsBeforeTheDatabaseAnswered": started_without_database,
        "databaseLateWhileChecked": late_while_checked,
        "lanes": run.lanes,
    });
    Ok(all.outcome)
}

#[derive(Default)]
struct Ledgers {
    outcome: Outcome,
    counts: Counts,
}

impl Ledgers {
    fn add(&mut self, (outcome, counts): (Outcome, Counts)) {
        self.outcome.add(outcome);
        self.counts = self.counts.plus(&counts);
    }
}

#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub kills: u64,
    pub kills_at_start: u64,
    pub acknowledged: u64,
    pub accepted: u64,
    pub cut_off: u64,
    pub cut_off_and_done: u64,
    pub revisions: u64,
    pub started_without_database: u64,
    /// How often the database did not answer in time after that.
    pub late_while_checked: u64,
}

impl Counts {
    fn plus(&self, other: &Counts) -> Counts {
        Counts {
            kills: self.kills + other.kills,
            kills_at_start: self.kills_at_start + other.kills_at_start,
            acknowledged: self.acknowledged + other.acknowledged,
            accepted: self.accepted + other.accepted,
            cut_off: self.cut_off + other.cut_off,
            cut_off_and_done: self.cut_off_and_done + other.cut_off_and_done,
            revisions: self.revisions + other.revisions,
            started_without_database: self.started_without_database
                + other.started_without_database,
            late_while_checked: self.late_while_checked + other.late_while_checked,
        }
    }
}

/// Some kills over one data folder.
fn one_history(run: &Run, seed: u64, begun: &AtomicU64, count: u64) -> (Outcome, Counts) {
    let mut rng = Rng::new(seed);
    let mut flags: Vec<String> = (0..CLIENTS).map(|client| format!("own-{client}")).collect();
    flags.push(SHARED.to_owned());
    let texts: Vec<String> =
        flags.iter().map(|key| flag(key, "rollout: { realtime-v2: 10% }")).collect();
    let names: Vec<String> = flags.iter().map(|key| format!("{key}.yaml")).collect();
    let files: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let home = Home::new(&files);
    let mut ledger = Ledger::new(flags);
    for _ in 0..KILLS_A_HISTORY {
        if begun.fetch_add(1, Relaxed) >= count {
            break;
        }
        if let Err(fault) = one_life(run, &home, &mut rng, &mut ledger) {
            ledger.outcome.fail(format!("history {seed}: {fault}"));
            return (ledger.outcome, ledger.counts);
        }
    }
    let ended = run.program.start(&home).and_then(|server| ledger.check_after_start(&server));
    if let Err(fault) = ended {
        ledger.outcome.fail(format!("history {seed}: {fault}"));
    }
    ledger.counts.revisions = ledger.revisions();
    (ledger.outcome, ledger.counts)
}

/// From one start to the kill.
fn one_life(run: &Run, home: &Home, rng: &mut Rng, ledger: &mut Ledger) -> Result<(), String> {
    if rng.percent(10) && home.data.join("admin.token").exists() {
        let mut child = run.program.command(home);
        let mut child =
            child.stderr(std::process::Stdio::null()).spawn().map_err(|error| error.to_string())?;
        thread::sleep(Duration::from_micros(rng.below(60_000)));
        let killed = child.kill().and_then(|()| child.wait());
        killed.map_err(|error| error.to_string())?;
        ledger.counts.kills += 1;
        ledger.counts.kills_at_start += 1;
    }
    let server = run.program.start(home)?;
    ledger.check_after_start(&server)?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (wire, seed, life) = (server.operator()?, rng.next(), ledger.next_name());
            Ok(thread::spawn(move || flip(wire, client, Rng::new(seed), &life)))
        })
        .collect::<Result<_, String>>()?;
    let latest = if rng.percent(25) { 20 } else { LATEST_KILL_MS };
    thread::sleep(Duration::from_micros(rng.below(latest * 1000)));
    server.kill();
    ledger.counts.kills += 1;
    for client in clients {
        ledger.sent(client.join().map_err(|_| "a client panicked")?);
    }
    Ok(())
}

/// Flips until the server is gone.
fn flip(mut wire: Wire, client: usize, mut rng: Rng, life: &str) -> Vec<Sent> {
    let mut sent = Vec::new();
    for number in 0.. {
        let flag = if rng.percent(70) { format!("own-{client}") } else { SHARED.to_owned() };
        let (verb, body) = match rng.below(10) {
            0..5 => (
                "set",
                json!({ "realtime-v2": format!("{}%", rng.one_of(&SHARES)), "reason": "proof" }),
            ),
            5 | 6 => ("stop", json!({})),
            7 | 8 => ("resume", json!({ "reason": "proof" })),
            _ => ("rollback", json!({ "reason": "proof" })),
        };
        let mut request = Sent {
            key: format!("{life}-{client}-{number}"),
            flag,
            verb,
            body: body.to_string(),
            told: None,
        };
        let answer = wire.order(&request.flag, verb, Some(&request.key), &request.body);
        request.told =
            answer.ok().map(|answer| Told { status: answer.status, body: answer.json() });
        let gone = request.told.is_none();
        sent.push(request);
        if gone {
            break;
        }
    }
    sent
}

/// Sends a request again, under the same key.
pub fn again(server: &Server, sent: &Sent) -> Result<Told, String> {
    let answer = server.operator()?.order(&sent.flag, sent.verb, Some(&sent.key), &sent.body);
    let answer = answer.map_err(|error| format!("{} sent again: {error}", sent.key))?;
    Ok(Told { status: answer.status, body: answer.json() })
}
