//! Every acknowledgement comes after a sync, as the kernel saw it: the server runs under strace,
//! and between the reading of each request and the writing of its answer the bytes that name it
//! were written and synced, to the database where it widens and to the journal where it narrows.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

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
    let mut tracer = match attach(&server, &file) {
        Ok(tracer) => tracer,
        Err(why) => {
            outcome.not_checked.push(format!("syncs (strace may not attach here: {why})"));
            return Ok(outcome);
        }
    };
    let mut operator = server.operator()?;
    let mut asked = Vec::new();
    for turn in 0..turns {
        for (verb, body, durable_in) in ORDERS {
            let key = format!("proof-{turn:04}-{}-end", asked.len());
            let answer = operator
                .order("lane", verb, Some(&key), body)
                .map_err(|error| error.to_string())?;
            let committed = answer.status == 200 && answer.json()["outcome"] == "committed";
            outcome.check(committed, || {
                format!("{verb} was told {} {}", answer.status, answer.json())
            });
            asked.push((key, verb, durable_in));
        }
    }
    server.stop();
    tracer.0.wait().map_err(|error| error.to_string())?;
    let trace = Trace::read(&file).map_err(|error| format!("cannot read the trace: {error}"))?;
    let (mut widening, mut narrowing) = (0, 0);
    for (key, verb, durable_in) in asked {
        *(if durable_in == DATABASE { &mut widening } else { &mut narrowing }) += 1;
        let found = trace.synced_between(&key, durable_in);
        outcome
            .check(found.is_ok(), || format!("{verb} {key}: {}", found.err().unwrap_or_default()));
    }
    outcome.figures = json!({ "widening": widening, "narrowing": narrowing, "systemCalls": trace.len(), "syncs": trace.syncs() });
    Ok(outcome)
}

/// The tracer, gone when it is dropped.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn attach(server: &Server, file: &std::path::Path) -> Result<Tracer, String> {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-ttt", "-s", "8192", "-e", CALLS, "-p", &server.id().to_string()])
        .arg("-o")
        .arg(file);
    let child = command.stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut tracer = Tracer(child);
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
