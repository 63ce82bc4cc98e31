//! How many syncs a durable publish costs: 64 publishers at once, counted by strace.

use std::process::Command;
use std::process::Stdio;
use std::thread;

use serde_json::json;

use crate::events_wire::{event, publish, publisher};
use crate::server::Home;
use crate::syncs::{Attached, attach};
use crate::syncs_trace::Trace;
use crate::{Outcome, Run, flag};

const PUBLISHERS: u64 = 64;
const BAR: f64 = 0.1;
const AIM: f64 = 0.03;

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        outcome.missing.push("events-syncs (needs strace)".to_owned());
        return Ok(outcome);
    }
    let each = run.count.unwrap_or(if run.short { 50 } else { 200 });
    let home = Home::new(&[("lane.yaml", &flag("lane", ""))]);
    let server = run.program.start(&home)?;
    let mut wire = publisher(&server)?;
    for stream in 0..PUBLISHERS {
        let made = publish(&mut wire, &format!("s-{stream}"), &[event("first", 0)]);
        let made = made.map_err(|error| error.to_string())?;
        outcome.check(made.status == 200, || format!("a publish was answered {}", made.status));
    }
    let file = home.folder.path().join("trace");
    let mut tracer: Attached = match attach(&server, &file, "trace=fsync,fdatasync") {
        Ok(tracer) => tracer,
        Err(why) => {
            outcome.not_checked.push(format!("events-syncs (strace may not attach here: {why})"));
            return Ok(outcome);
        }
    };
    let publishing: Vec<_> = (0..PUBLISHERS)
        .map(|stream| {
            let mut wire = publisher(&server)?;
            Ok(thread::spawn(move || {
                let publish = |number| {
                    publish(
                        &mut wire,
                        &format!("s-{stream}"),
                        &[event(&format!("e-{number}"), number)],
                    )
                };
                (0..each)
                    .map(publish)
                    .filter(|done| done.as_ref().is_ok_and(|done| done.status == 200))
                    .count()
            }))
        })
        .collect::<Result<_, String>>()?;
    let mut taken = 0;
    for publisher in publishing {
        taken += publisher.join().map_err(|_| "a publisher panicked")? as u64;
    }
    outcome.check(taken == PUBLISHERS * each, || format!("only {taken} publishes were taken"));
    server.stop();
    tracer.wait()?;
    let trace = Trace::read(&file).map_err(|error| format!("cannot read the trace: {error}"))?;
    let ratio = trace.syncs() as f64 / taken.max(1) as f64;
    outcome.check(ratio <= BAR, || format!("{ratio:.3} syncs a publish, the bar is {BAR}"));
    outcome.figures = json!({
        "publishers": PUBLISHERS,
        "publishes": taken,
        "syncs": trace.syncs(),
        "syncsPerPublish": ratio,
        "bar": BAR,
        "aim": AIM,
    });
    Ok(outcome)
}
