//! Whatever is left at a start, the first answer is right and it comes soon: every mix of the
//! database and the last good state being there, damaged or gone, with the journal and without, and
//! a folder with nothing in it. Nothing that was stopped opens and no share rises.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::answers_reference::bucket;
use crate::server::{Home, Server};
use crate::{Outcome, Run, flag, percentile};

const FILES: [&str; 2] = ["lane", "halted"];

#[derive(Clone, Copy, PartialEq)]
enum Left {
    There,
    Damaged,
    Gone,
}

/// What is left in the data folder.
#[derive(Clone, Copy)]
struct Mix {
    database: Left,
    last_good: Left,
    journal: bool,
    /// Nothing at all.
    empty: bool,
}

/// What a start serves from it.
#[derive(Clone, Copy, PartialEq)]
enum Serves {
    /// The operator's 50 % and stop.
    Everything,
    /// Every flag as stopped: its state may be lost.
    Stopped,
    /// The files' 10 %: a first start.
    Files,
    Nothing,
}

impl Mix {
    fn name(&self) -> String {
        let in_words = |left| match left {
            Left::There => "there",
            Left::Damaged => "damaged",
            Left::Gone => "gone",
        };
        let journal = if self.journal { "there" } else { "gone" };
        if self.empty {
            "an empty folder".to_owned()
        } else {
            let (database, last_good) = (in_words(self.database), in_words(self.last_good));
            format!("database {database}, last good {last_good}, journal {journal}")
        }
    }

    /// The start table of the design, as far as these mixes go. The state before the last good one
    /// is there in all of them.
    fn serves(&self) -> Serves {
        match (self.database, self.last_good) {
            _ if self.empty => Serves::Files,
            (Left::There, Left::Damaged) if !self.journal => Serves::Stopped,
            (Left::There, _) | (_, Left::There) => Serves::Everything,
            (_, Left::Damaged) => Serves::Stopped,
            (_, Left::Gone) => Serves::Nothing,
        }
    }

    /// Whether the database is believed.
    fn is_up(&self) -> bool {
        self.empty || self.database == Left::There && self.serves() == Serves::Everything
    }
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let times = run.count.unwrap_or(if run.short { 1 } else { 20 });
    let texts = FILES.map(|key| flag(key, "rollout: { realtime-v2: 10% }"));
    let template = Home::new(&[("lane.yaml", &texts[0]), ("halted.yaml", &texts[1])]);
    let server = run.program.start(&template)?;
    let mut operator = server.operator()?;
    let last_good = || fs::read(template.data.join("last-good")).unwrap_or_default();
    for (flag, verb, body) in
        [("lane", "set", r#"{"realtime-v2":"50%","reason":"proof"}"#), ("halted", "stop", "")]
    {
        let before = last_good();
        let answer = operator.order(flag, verb, None, body).map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("{verb} {flag} was told {}", answer.json()));
        }
        // Each is a state of its own, so that the one before the last is there too.
        reach("a last good state", || last_good() != before)?;
    }
    server.stop();
    let all = [Left::There, Left::Damaged, Left::Gone];
    let pairs = all.into_iter().flat_map(|database| all.map(|last_good| (database, last_good)));
    let mixes = pairs.flat_map(|(database, last_good)| {
        [true, false].map(|journal| Mix { database, last_good, journal, empty: false })
    });
    let empty = Mix { database: Left::Gone, last_good: Left::Gone, journal: false, empty: true };
    let mut outcome = Outcome::default();
    let mut figures = Vec::new();
    for mix in mixes.chain([empty]) {
        let name = mix.name();
        let mut waits = Vec::new();
        for _ in 0..times {
            let home = leave(&template, mix)?;
            match start(run, &home, mix, &name, &mut outcome) {
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

/// A copy of the folders with what is left of them.
fn leave(template: &Home, mix: Mix) -> Result<Home, String> {
    let home = Home::new(&[]);
    let copy = |from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool| -> std::io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_file() && wanted(&name.to_string_lossy()) {
                fs::copy(from.join(&name), to.join(&name))?;
            }
        }
        Ok(())
    };
    let kept = |name: &str| match name {
        _ if mix.empty => false,
        "last-good" => mix.last_good != Left::Gone,
        "pending.journal" => mix.journal,
        "lock" | "addresses.json" => false,
        name if name.starts_with("turnout.db") => mix.database != Left::Gone,
        _ => true,
    };
    let damage = |name: &str, left: Left| -> std::io::Result<()> {
        let path = home.data.join(name);
        if left == Left::Damaged {
            let mut bytes = fs::read(&path)?;
            let middle = bytes.len() / 2;
            // The header of a database, and a byte in the middle of anything else.
            let (at, length) = if name == "turnout.db" { (0, 4096) } else { (middle, 1) };
            bytes[at..at + length].iter_mut().for_each(|byte| *byte ^= 0x55);
            fs::write(path, bytes)?;
        }
        Ok(())
    };
    let copied = copy(&template.data, &home.data, &kept)
        .and_then(|()| copy(&template.flags, &home.flags, &|_| true))
        .and_then(|()| damage("turnout.db", mix.database))
        .and_then(|()| damage("last-good", mix.last_good));
    copied.map(|()| home).map_err(|error| format!("cannot copy: {error}"))
}

/// One start: milliseconds to the first answer, which must be right, and what operators may do
/// then.
fn start(
    run: &Run,
    home: &Home,
    mix: Mix,
    name: &str,
    outcome: &mut Outcome,
) -> Result<f64, String> {
    let io = |error: std::io::Error| error.to_string();
    let user = (0..u64::MAX)
        .map(|n| format!("u-{n}"))
        .find(|user| (10_000..50_000).contains(&bucket("lane", user)));
    let question = json!({ "targetingKey": user }).to_string();
    let serves = mix.serves();
    let began = Instant::now();
    let server: Server = run.program.start(home)?;
    let mut client = server.client()?;
    let mut ask = |flag: &str| -> Result<(Json, Json), String> {
        let answer = client.ask(flag, &question).map_err(io)?.json();
        Ok((answer["strategy"].clone(), answer["rule"].clone()))
    };
    let first = ask("lane")?;
    let wait = began.elapsed().as_secs_f64() * 1000.0;
    let (lane, halted) = match serves {
        Serves::Everything => (("realtime-v2", "rollout"), ("polling", "stop")),
        Serves::Stopped => (("polling", "stop"), ("polling", "stop")),
        Serves::Files => (("polling", "rollout"), ("polling", "rollout")),
        Serves::Nothing => (("polling", "cold-start"), ("polling", "cold-start")),
    };
    for (flag, got, wanted) in [("lane", first, lane), ("halted", ask("halted")?, halted)] {
        let right =
            got.1 == wanted.1 && (got.0 == wanted.0 || flag == "halted" && serves == Serves::Files);
        outcome.check(right, || format!("{name}: {flag} was answered {got:?}, not {wanted:?}"));
    }
    let ready = server.client()?.get("/readyz").map_err(io)?.status;
    let wanted = if serves == Serves::Nothing { 503 } else { 200 };
    outcome.check(ready == wanted, || format!("{name}: /readyz says {ready}, not {wanted}"));
    let mut operator = server.operator()?;
    let set = operator
        .order("lane", "set", None, r#"{"realtime-v2":"60%","reason":"proof"}"#)
        .map_err(io)?;
    let wanted = match (mix.is_up(), serves) {
        (true, _) => 200,
        (false, Serves::Nothing) => 404,
        (false, _) => 503,
    };
    outcome.check(set.status == wanted, || {
        format!("{name}: set was told {} {}, not {wanted}", set.status, set.json())
    });
    let stop = operator.order("lane", "stop", None, "").map_err(io)?;
    let taken = stop.status == 200 || stop.status == 202 && stop.json()["survivesRestart"] == true;
    outcome.check(taken, || format!("{name}: stop was told {} {}", stop.status, stop.json()));
    let after = ask("lane")?;
    outcome.check(after.1 == "stop", || format!("{name}: after a stop it answers {after:?}"));
    Ok(wait)
}

/// Longer than this and the state will not come.
fn reach(what: &str, mut holds: impl FnMut() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !holds() {
        if began.elapsed().as_secs() > 30 {
            return Err(format!("never came: {what}"));
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Ok(())
}
