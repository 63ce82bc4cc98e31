//! Whatever is left at a start, the first answer is right and it comes soon: every mix of the database, the last good state and the files
//! being there or not.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::answers_reference::bucket;
use crate::server::{Home, Server};
use crate::{Outcome, Run, flag, percentile};

const FILES: [&str; 2] = ["lane", "halted"];

/// What is left in the folders.
#[derive(Clone, Copy)]
struct Left {
    database: bool,
    last_good: bool,
    files: bool,
}

/// What a start can know from it.
#[derive(Clone, Copy, PartialEq)]
enum Knows {
    /// The operator's 50 % and stop.
    Everything,
    /// The files' 10 %.
    Files,
    Nothing,
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let times = run.count.unwrap_or(if run.short { 3 } else { 20 });
    let texts = FILES.map(|key| flag(key, "rollout: { realtime-v2: 10% }"));
    let template = Home::new(&[("lane.yaml", &texts[0]), ("halted.yaml", &texts[1])]);
    let server = run.program.start(&template)?;
    let mut operator = server.operator()?;
    for (flag, verb, body) in [("lane", "set", r#"{"realtime-v2":"50%","reason":"proof"}"#), ("halted", "stop", "")] {
        let answer = operator.order(flag, verb, None, body).map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("{verb} {flag} was told {}", answer.json()));
        }
    }
    server.stop();
    let mut outcome = Outcome::default();
    let mut figures = Vec::new();
    for number in 0..8 {
        let left = Left { database: number & 4 == 0, last_good: number & 2 == 0, files: number & 1 == 0 };
        let name =
            format!("database {}, last good {}, files {}", there(left.database), there(left.last_good), there(left.files));
        let mut waits = Vec::new();
        for _ in 0..times {
            let home = leave(&template, left)?;
            match start(run, &home, left, &name, &mut outcome) {
                Ok(wait) => waits.push(wait),
                Err(fault) => outcome.fail(format!("{name}: {fault}")),
            }
        }
        let (p50, p99) = (percentile(&waits, 50.0), percentile(&waits, 99.0));
        figures.push(json!({ "left": name, "starts": waits.len(), "p50Ms": p50, "p99Ms": p99 }));
    }
    outcome.figures = json!({ "timeToFirstRightAnswer": figures });
    Ok(outcome)
}

fn there(there: bool) -> &'static str {
    if there { "there" } else { "gone" }
}

/// A copy of the folders with what is left of them.
fn leave(template: &Home, left: Left) -> Result<Home, String> {
    let home = Home::new(&[]);
    let copy = |from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool| -> std::io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            if wanted(&name.to_string_lossy()) {
                fs::copy(from.join(&name), to.join(&name))?;
            }
        }
        Ok(())
    };
    let kept = |name: &str| match name {
        "last-good" => left.last_good,
        "lock" => false,
        name if name.starts_with("turnout.db") => left.database,
        _ => true,
    };
    let copied = copy(&template.data, &home.data, &kept).and_then(|()| copy(&template.flags, &home.flags, &|_| left.files));
    copied.map(|()| home).map_err(|error| format!("cannot copy: {error}"))
}

/// One start: milliseconds to the first answer, which must be right, and what operators may do then.
fn start(run: &Run, home: &Home, left: Left, name: &str, outcome: &mut Outcome) -> Result<f64, String> {
    let io = |error: std::io::Error| error.to_string();
    let user = (0..).map(|n| format!("u-{n}")).find(|user| (10_000..50_000).contains(&bucket("lane", user)));
    let question = json!({ "targetingKey": user }).to_string();
    let knows = match left {
        Left { database: false, last_good: false, files: false } => Knows::Nothing,
        Left { database: false, last_good: false, .. } => Knows::Files,
        _ => Knows::Everything,
    };
    let began = Instant::now();
    let server: Server = run.program.start(home)?;
    let mut client = server.client()?;
    let mut ask = |flag: &str| -> Result<(Json, Json), String> {
        let answer = client.ask(flag, &question).map_err(io)?.json();
        Ok((answer["strategy"].clone(), answer["rule"].clone()))
    };
    let first = ask("lane")?;
    let wait = began.elapsed().as_secs_f64() * 1000.0;
    let (lane, halted) = match knows {
        Knows::Everything => (("realtime-v2", "rollout"), ("polling", "stop")),
        Knows::Files => (("polling", "rollout"), ("polling", "rollout")),
        Knows::Nothing => (("polling", "cold-start"), ("polling", "cold-start")),
    };
    for (flag, got, wanted) in [("lane", first, lane), ("halted", ask("halted")?, halted)] {
        let right = got.0 == wanted.0 && (got.1 == wanted.1 || flag == "halted" && knows == Knows::Files);
        outcome.check(right, || format!("{name}: {flag} was answered {got:?}, not {wanted:?}"));
    }
    let ready = server.client()?.get("/readyz").map_err(io)?.status;
    let wanted = if knows == Knows::Nothing { 503 } else { 200 };
    outcome.check(ready == wanted, || format!("{name}: /readyz says {ready}, not {wanted}"));
    let mut operator = server.operator()?;
    let set = operator.order("lane", "set", None, r#"{"realtime-v2":"60%","reason":"proof"}"#).map_err(io)?;
    let wanted = match (left.database, knows) {
        (true, _) | (_, Knows::Files) => 200,
        (false, Knows::Everything) => 503,
        (false, Knows::Nothing) => 404,
    };
    outcome.check(set.status == wanted, || format!("{name}: set was told {} {}, not {wanted}", set.status, set.json()));
    let stop = operator.order("lane", "stop", None, "").map_err(io)?;
    let taken = stop.status == 200 || stop.status == 202 && stop.json()["survivesRestart"] == true;
    outcome.check(taken, || format!("{name}: stop was told {} {}", stop.status, stop.json()));
    let after = ask("lane")?;
    outcome.check(after.1 == "stop", || format!("{name}: after a stop it answers {after:?}"));
    Ok(wait)
}
