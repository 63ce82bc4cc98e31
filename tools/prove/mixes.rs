//! A stop is in force within a second and stays, whatever else goes wrong: every mix of the
//! database up, gone or locked by another program, the flag's file whole or broken, a crowd of
//! connections or none, and room on the disk or none.

use std::thread;

use serde_json::{Value as Json, json};

use crate::mixes_one::{self, Filled};
use crate::{Outcome, Run, percentile};

/// From the sending of the stop to the first answer with `stop`.
const BAR_MS: f64 = 1_000.0;

/// How it stands with the database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Database {
    Up,
    /// Its file was moved away.
    Gone,
    /// Another process holds it for writing.
    Locked,
}

/// What goes wrong at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    pub database: Database,
    pub broken_file: bool,
    /// How many connections are open and asking; new ones come all the time.
    pub crowd: usize,
    pub full: bool,
}

impl Mix {
    fn name(&self) -> String {
        let Mix { database, broken_file, crowd, full } = self;
        let file = if *broken_file { "broken" } else { "whole" };
        let disk = if *full { "full" } else { "room" };
        format!("database {database:?}, file {file}, {crowd} connections, disk {disk}")
    }
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let crowd = run.count.unwrap_or(if run.short { 1_000 } else { 10_000 }) as usize;
    let times = if run.short { 1 } else { 2 };
    let mut outcome = Outcome::default();
    let can_fill = Filled::is_possible();
    if let Err(why) = &can_fill {
        outcome.not_checked.push(format!("mixes with a full disk ({why})"));
    }
    let mut mixes = Vec::new();
    for full in [false, true].into_iter().filter(|full| !full || can_fill.is_ok()) {
        for crowd in [0, crowd] {
            for broken_file in [false, true] {
                // The short form takes each way of losing the database in turn.
                let lost =
                    if broken_file == (crowd > 0) { Database::Gone } else { Database::Locked };
                for database in [Database::Up, Database::Gone, Database::Locked] {
                    if !run.short || database == Database::Up || database == lost {
                        mixes.push(Mix { database, broken_file, crowd, full });
                    }
                }
            }
        }
    }
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    // A crowd of the long form takes all the files one process may have open.
    let lanes = if run.short { 4 } else { 1 };
    for some in mixes.chunks(lanes) {
        let ended: Vec<_> = thread::scope(|scope| {
            let begun: Vec<_> =
                some.iter().map(|mix| scope.spawn(|| several(run, *mix, times))).collect();
            begun.into_iter().map(|one| one.join()).collect()
        });
        for one in ended {
            let (row, waits, checked) = one.map_err(|_| "a mix panicked")?;
            rows.push(row);
            all.extend(waits);
            outcome.add(checked);
        }
    }
    let lost = 4 * times;
    for _ in 0..lost {
        match mixes_one::stop_and_lose(run) {
            Ok(answer) => outcome.check(answer["rule"] == "stop", || {
                format!("killed and without its database it answers {answer}")
            }),
            Err(fault) => outcome.fail(format!("killed and without its database: {fault}")),
        }
    }
    let slowest = percentile(&all, 100.0);
    outcome.figures = json!({ "stops": all.len(), "medianMs": percentile(&all, 50.0), "maxMs": slowest, "barMs": BAR_MS, "mixes": rows, "killedAtOnceAndDatabaseGone": lost });
    Ok(outcome)
}

fn several(run: &Run, mix: Mix, times: usize) -> (Json, Vec<f64>, Outcome) {
    let (name, mut outcome) = (mix.name(), Outcome::default());
    let (mut waits, mut said, mut held, mut promised, mut crowd) =
        (Vec::new(), Vec::new(), 0, 0, 0);
    for _ in 0..times {
        let seen = match mixes_one::stop(run, mix) {
            Ok(seen) => seen,
            Err(fault) => {
                outcome.fail(format!("{name}: {fault}"));
                continue;
            }
        };
        let wait = seen.wait_ms;
        outcome.check(wait <= BAR_MS, || format!("{name}: a stop took {wait:.0} ms"));
        let survives = seen.told["survivesRestart"] == true;
        outcome.check(survives, || {
            format!("{name}: the stop does not survive a restart: {}", seen.told)
        });
        outcome.check(!survives || seen.holds_after_restart, || {
            format!("{name}: the stop was gone after a restart")
        });
        held += u64::from(seen.holds_after_restart);
        promised += u64::from(survives);
        crowd = crowd.max(seen.crowd);
        waits.push(wait);
        said.push(seen.status);
    }
    let row = json!({
        "mix": name,
        "medianMs": percentile(&waits, 50.0),
        "maxMs": percentile(&waits, 100.0),
        "told": said,
        "saidToSurvive": promised,
        "heldAfterKillAndRestart": held,
        "connectionsOpen": crowd,
    });
    (row, waits, outcome)
}
