//! Readers who resume at random places miss no event and get none twice, while events are published
//! and retention removes the oldest: where a reader came too late it is told so, never passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::events_wire::{event, poll, publish, publisher};
use crate::rng::Rng;
use crate::server::{Home, Server};
use crate::{Outcome, Run, flag};

const STREAMS: u64 = 10;
const PUBLISHERS: u64 = 2;
const READERS: u64 = 4;
/// Events of one body.
const BODY: u64 = 100;
/// What a stream keeps.
const KEEP: u64 = 2_000;
/// Places that a reader remembers and may go back to.
const PLACES: usize = 64;

#[derive(Default)]
struct Read {
    pages: u64,
    events: u64,
    resumes: u64,
    /// Told that what is behind the cursor is no longer kept.
    expired: u64,
    missed: u64,
    repeated: u64,
    faults: Vec<String>,
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let count = run.count.unwrap_or(if run.short { 50_000 } else { 1_000_000 });
    let bodies = count.div_ceil(BODY * STREAMS);
    let keep = format!("transports: {{ polling: {{ keep: {KEEP} }} }}");
    let home = Home::new(&[("lane.yaml", &flag("lane", &keep))]);
    let server = Arc::new(run.program.start(&home)?);
    // Each stream is there before its readers.
    let mut wire = publisher(&server)?;
    for stream in 0..STREAMS {
        publish_body(&mut wire, stream, 0)?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let mut rng = Rng::new(run.seed);
    let reading: Vec<_> = (0..READERS)
        .map(|_| {
            let (server, over, seed) = (server.clone(), over.clone(), rng.next());
            thread::spawn(move || read(&server, &over, Rng::new(seed)))
        })
        .collect();
    let publishing: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let server = server.clone();
            thread::spawn(move || publish_all(&server, publisher, bodies))
        })
        .collect();
    let mut outcome = Outcome::default();
    for publisher in publishing {
        publisher.join().map_err(|_| "a publisher panicked")??;
    }
    over.store(true, Relaxed);
    let mut all = Read::default();
    for reader in reading {
        let read = reader.join().map_err(|_| "a reader panicked")??;
        all = Read {
            pages: all.pages + read.pages,
            events: all.events + read.events,
            resumes: all.resumes + read.resumes,
            expired: all.expired + read.expired,
            missed: all.missed + read.missed,
            repeated: all.repeated + read.repeated,
            faults: all.faults.into_iter().chain(read.faults).collect(),
        };
    }
    outcome.check(all.missed == 0, || format!("{} events were missed", all.missed));
    outcome.check(all.repeated == 0, || format!("{} events came twice", all.repeated));
    outcome.check(all.events > 0 && all.resumes > 0, || "nothing was read".to_owned());
    all.faults.iter().for_each(|fault| outcome.fail(fault.clone()));
    outcome.figures = json!({
        "events": bodies * BODY * STREAMS,
        "streams": STREAMS,
        "keep": KEEP,
        "pages": all.pages,
        "eventsRead": all.events,
        "resumes": all.resumes,
        "toldExpired": all.expired,
        "missed": all.missed,
        "repeated": all.repeated,
    });
    Ok(outcome)
}

fn publish_body(wire: &mut crate::wire::Wire, stream: u64, body: u64) -> Result<(), String> {
    let number = |place| body * BODY + place + 1;
    let events: Vec<Json> =
        (0..BODY).map(|place| event(&format!("e-{}", number(place)), number(place))).collect();
    for _ in 0..1_000 {
        let answer = publish(wire, &format!("s-{stream}"), &events);
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status {
            200 => return Ok(()),
            // The disk was busy for a moment.
            503 => thread::sleep(Duration::from_millis(20)),
            status => return Err(format!("a publish was answered {status} {}", answer.json())),
        }
    }
    Err("publishes were refused for too long".to_owned())
}

/// Publishes to every second stream, body by body.
fn publish_all(server: &Server, number: u64, bodies: u64) -> Result<(), String> {
    let mut wire = publisher(server)?;
    for body in 1..bodies {
        for stream in (0..STREAMS).filter(|stream| stream % PUBLISHERS == number) {
            publish_body(&mut wire, stream, body)?;
        }
    }
    Ok(())
}

/// A place in a stream: the number of the last event before it, if that is known.
#[derive(Clone)]
struct ReadPosition {
    stream: u64,
    cursor: String,
    last: Option<u64>,
}

fn read(server: &Server, over: &AtomicBool, mut rng: Rng) -> Result<Read, String> {
    let start = |stream| ReadPosition { stream, cursor: String::new(), last: None };
    let (mut wire, mut read) = (publisher(server)?, Read::default());
    let mut places: Vec<ReadPosition> = (0..STREAMS).map(start).collect();
    let mut at = start(rng.below(STREAMS));
    while !over.load(Relaxed) {
        if rng.percent(5) {
            if rng.percent(20) {
                wire = publisher(server)?;
            }
            at = rng.one_of(&places).clone();
            read.resumes += 1;
        }
        let limit = 1 + rng.below(200);
        let page = poll(&mut wire, &format!("s-{}", at.stream), &at.cursor, limit);
        let page = page.map_err(|error| error.to_string())?;
        read.pages += 1;
        match page.status {
            200 => {
                for (_, data) in &page.events {
                    let number = data["n"].as_u64().unwrap_or_default();
                    let wanted = at.last.map_or(number, |last| last + 1);
                    read.missed += number.saturating_sub(wanted);
                    read.repeated += u64::from(number < wanted);
                    at.last = Some(number);
                    read.events += 1;
                }
            }
            410 => {
                // It says where the oldest event is; from there on none is missed.
                read.expired += 1;
                at.last = None;
            }
            503 => thread::sleep(Duration::from_millis(5)),
            status => {
                read.faults.push(format!("a poll was answered {status}"));
                break;
            }
        }
        if page.status != 503 {
            at.cursor = page.cursor;
        }
        if rng.percent(10) && places.len() < PLACES {
            places.push(at.clone());
        } else if rng.percent(10) {
            let place = rng.below(places.len() as u64) as usize;
            places[place] = at.clone();
        }
        if !page.has_more {
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(read)
}
