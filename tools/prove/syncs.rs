//! Every acknowledgement comes after a sync, as the kernel saw it: the server runs under strace,
//! and between the reading of each request and the writing of its answer the bytes that name it
//! were written and synced, to the database where it widens and to the journal where it narrows.
//!
//! A traced server on a busy machine may be too slow for its own time limits. Then it answers that
//! a change is pending, or that the database is out of reach: an answer proves what it promises,
//! and an order is given again until one is promised to last.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::server::{Home, Server};
use crate::syncs_trace::Trace;
use crate::{Outcome, Run, flag};

const CALLS: &str = "trace=fsync,fdatasync,read,recvfrom,write,pwrite64,sendto,writev";
/// Where a change is durable first.
const DATABASE: &str = "turnout.db-wal";
const JOURNAL: &str = "pending.journal";
/// In turn; what widens is followed by what narrows.
const ORDERS: [(&str, &str, &str); 4] = [
    ("set", r#"{"realtime-v2":"50%","reason":"proof"}"#, DATABASE),
    ("set", r#"{"realtime-v2":"10%","reason":"proof"}"#, JOURNAL),
    ("stop", "{}", JOURNAL),
    ("resume", r#"{"reason":"proof"}"#, DATABASE),
];

/// Longer than this and no order will be promised to last.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before an order is given again.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a change is durable by its answer; `None` if the answer promises nothing.
fn promised(status: u16, reply: &Json, durable_in: &'static str) -> Option<&'static str> {
    match (status, reply["outcome"].as_str()) {
        (200, Some("committed")) => Some(durable_in),
        (202, _) if reply["survivesRestart"] == true => Some(JOURNAL),
        _ => None,
    }
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        outcome.missing.push("syncs (needs strace)".to_owned());
        return Ok(outcome);
    }
    let turns = run.count.unwrap_or(100).div_ceil(ORDERS.len() as u64);
    let home = Home::new(&[("lane.yaml", &flag("lane", "rollout: { realtime-v2: 10% }"))]);
    let server = run.program.start(&home)?;
    let file = home.folder.path().join("trace");
    let mut tracer = match attach(&server, &file, CALLS) {
        Ok(tracer) => tracer,
        Err(why) => {
            outcome.not_checked.push(format!("syncs (strace may not attach here: {why})"));
            return Ok(outcome);
        }
    };
    let mut operator = server.operator()?;
    let (mut asked, mut given, mut again) = (Vec::new(), 0, 0);
    for _ in 0..turns {
        for (verb, body, durable_in) in ORDERS {
            let begun = Instant::now();
            let promise = loop {
                // Another one each time: the trace is searched for it.
                let key = format!("proof-{given:05}-end");
                given += 1;
                let answer = operator
                    .order("lane", verb, Some(&key), body)
                    .map_err(|error| error.to_string())?;
                let (status, reply) = (answer.status, answer.json());
                if let Some(file) = promised(status, &reply, durable_in) {
                    break Some((key, verb, file));
                }
                // Where an order was carried out after its answer, there is nothing left to do.
                let is_done = status == 200 && reply["outcome"] == "unchanged";
                if is_done || begun.elapsed() > PATIENCE {
                    outcome.check(is_done, || format!("{verb} was told {status} {reply}"));
                    break None;
                }
                again += 1;
                thread::sleep(PAUSE);
            };
            outcome.passed += u64::from(promise.is_some());
            asked.extend(promise);
        }
    }
    // Most orders are promised at once, or nothing is proved.
    let at_least = turns * ORDERS.len() as u64 / 2;
    outcome.check(asked.len() as u64 >= at_least, || {
        format!("only {} orders were promised to last", asked.len())
    });
    server.stop();
    tracer.wait()?;
    let trace = Trace::read(&file).map_err(|error| format!("cannot read the trace: {error}"))?;
    let (mut widening, mut narrowing, mut by_journal) = (0, 0, 0);
    for (key, verb, durable_in) in asked {
        *(if durable_in == DATABASE { &mut widening } else { &mut narrowing }) += 1;
        let mut found = trace.synced_between(&key, durable_in);
        if durable_in == JOURNAL {
            by_journal += u64::from(found.is_ok());
            // Where the journal was too slow, what narrows was committed before its answer.
            found = found.or_else(|_| trace.synced_between(&key, DATABASE));
        }
        outcome
            .check(found.is_ok(), || format!("{verb} {key}: {}", found.err().unwrap_or_default()));
    }
    outcome.check(by_journal * 2 >= narrowing, || {
        format!("only {by_journal} of {narrowing} narrowing orders were in the journal in time")
    });
    outcome.figures = json!({ "widening": widening, "narrowing": narrowing, "byJournal": by_journal, "systemCalls": trace.len(), "syncs": trace.syncs(), "givenAgain": again });
    Ok(outcome)
}

/// The tracer, gone when it is dropped.
pub struct Attached(Child);

impl Attached {
    /// Until what it traces has ended.
    pub fn wait(&mut self) -> Result<(), String> {
        self.0.wait().map(drop).map_err(|error| error.to_string())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Traces these calls of a server from now on.
pub fn attach(server: &Server, file: &std::path::Path, calls: &str) -> Result<Attached, String> {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-ttt", "-s", "8192", "-e", calls, "-p", &server.id().to_string()])
        .arg("-o")
        .arg(file);
    let child = command.stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut tracer = Attached(child);
    let stderr = tracer.0.stderr.take().ok_or("no stderr")?;
    let mut lines = BufReader::new(stderr).lines();
    match lines.next() {
        Some(Ok(line)) if line.contains("attached") => {
            std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
            Ok(tracer)
        }
        Some(Ok(line)) => Err(line),
        _ => Err("it said nothing".to_owned()),
    }
}
