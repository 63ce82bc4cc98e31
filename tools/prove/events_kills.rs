//! No event that was acknowledged is lost, doubled or out of order, and none that a reader saw is
//! gone later, however often the server is killed: publishers and readers go on until `kill -9`, the
//! server is started again on the same data, and all go on where they were.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::events_wire::{drain, event, poll, publish, publisher};
use crate::rng::Rng;
use crate::server::Home;
use crate::wire::Wire;
use crate::{Outcome, Run, flag};

const PUBLISHERS: usize = 4;
const READERS: usize = 3;
/// Each publisher has a stream of its own, and all share one.
const SHARED: &str = "shared";
const KILLS_A_HISTORY: u64 = 10;
const LATEST_KILL_MS: u64 = 300;
const MOST_EVENTS: u64 = 5;

/// A publish and whether it was acknowledged.
struct Sent {
    stream: String,
    events: Vec<Json>,
    ids: Vec<String>,
    acknowledged: bool,
}

/// What a reader of a stream has got so far.
#[derive(Clone, Default)]
struct Seen {
    stream: String,
    cursor: String,
    ids: Vec<String>,
    faults: Vec<String>,
}

#[derive(Default)]
struct Counts {
    kills: u64,
    acknowledged: u64,
    cut_off: u64,
    cut_off_and_done: u64,
    seen: u64,
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let count = run.count.unwrap_or(if run.short { 30 } else { 1_000 });
    let (mut rng, began) = (Rng::new(run.seed), Instant::now());
    let (mut outcome, mut counts) = (Outcome::default(), Counts::default());
    while counts.kills < count {
        let kills = KILLS_A_HISTORY.min(count - counts.kills);
        one_history(run, &mut rng, kills, &mut outcome, &mut counts)?;
    }
    let Counts { kills, acknowledged, cut_off, cut_off_and_done, seen } = counts;
    outcome.figures = json!({
        "kills": kills,
        "killsPerSecond": kills as f64 / began.elapsed().as_secs_f64(),
        "eventsAcknowledged": acknowledged,
        "publishesCutOff": cut_off,
        "ofThemDone": cut_off_and_done,
        "eventsSeenByReaders": seen,
    });
    Ok(outcome)
}

fn own(publisher: usize) -> String {
    format!("own-{publisher}")
}

fn one_history(
    run: &Run,
    rng: &mut Rng,
    kills: u64,
    outcome: &mut Outcome,
    counts: &mut Counts,
) -> Result<(), String> {
    let home = Home::new(&[("lane.yaml", &flag("lane", ""))]);
    let mut sent: Vec<Vec<Sent>> = (0..PUBLISHERS).map(|_| Vec::new()).collect();
    let streams: Vec<String> = (0..PUBLISHERS).map(own).chain([SHARED.to_owned()]).collect();
    let mut readers: Vec<Seen> = streams
        .iter()
        .flat_map(|stream| vec![Seen { stream: stream.clone(), ..Seen::default() }; READERS])
        .collect();
    for life in 0..=kills {
        let server = run.program.start(&home)?;
        if life == kills {
            let mut wire = publisher(&server)?;
            check(&mut wire, &streams, &sent, &readers, outcome, counts)?;
            break;
        }
        let publishers: Vec<_> = sent
            .iter_mut()
            .enumerate()
            .map(|(number, sent)| {
                let (wire, seed) = (publisher(&server)?, rng.next());
                // What was cut off is sent again, as its publisher cannot know.
                let again = sent.pop_if(|last| !last.acknowledged);
                Ok(thread::spawn(move || going_on(wire, number, life, Rng::new(seed), again)))
            })
            .collect::<Result<_, String>>()?;
        let reading: Vec<_> = readers
            .drain(..)
            .map(|seen| {
                let (wire, seed) = (publisher(&server)?, rng.next());
                Ok(thread::spawn(move || read_on(wire, seen, Rng::new(seed))))
            })
            .collect::<Result<_, String>>()?;
        let latest = if rng.percent(25) { 30 } else { LATEST_KILL_MS };
        thread::sleep(Duration::from_micros(rng.below(latest * 1000)));
        server.kill();
        counts.kills += 1;
        for (number, publishing) in publishers.into_iter().enumerate() {
            let (done, resent) = publishing.join().map_err(|_| "a publisher panicked")?;
            counts.cut_off += u64::from(done.last().is_some_and(|last| !last.acknowledged));
            counts.cut_off_and_done += resent;
            sent[number].extend(done);
        }
        for reading in reading {
            readers.push(reading.join().map_err(|_| "a reader panicked")?);
        }
    }
    Ok(())
}

/// Publishes until the server is gone. Also says how many events sent again were there already.
fn going_on(
    mut wire: Wire,
    number: usize,
    life: u64,
    mut rng: Rng,
    mut again: Option<Sent>,
) -> (Vec<Sent>, u64) {
    let (mut sent, mut resent) = (Vec::new(), 0);
    for round in 0_u64.. {
        let is_again = again.is_some();
        let mut next = again.take().unwrap_or_else(|| {
            let stream = if rng.percent(60) { own(number) } else { SHARED.to_owned() };
            let ids: Vec<String> = (0..=rng.below(MOST_EVENTS))
                .map(|event| format!("{number}-{life:04}-{round:06}-{event}"))
                .collect();
            let events = ids.iter().map(|id| event(id, round)).collect();
            Sent { stream, events, ids, acknowledged: false }
        });
        let answer = publish(&mut wire, &next.stream, &next.events);
        if let Ok(answer) = &answer
            && answer.status == 200
        {
            next.acknowledged = true;
            let duplicates = answer.json()["duplicates"].as_u64().unwrap_or_default();
            resent += u64::from(is_again && duplicates > 0);
        }
        let gone = answer.is_err();
        // Refused while it starts: it is sent again.
        if !gone && !next.acknowledged {
            thread::sleep(Duration::from_millis(5));
            again = Some(next);
            continue;
        }
        sent.push(next);
        if gone {
            break;
        }
    }
    (sent, resent)
}

/// Polls on from where the reader was until the server is gone.
fn read_on(mut wire: Wire, mut seen: Seen, mut rng: Rng) -> Seen {
    while let Ok(page) = poll(&mut wire, &seen.stream, &seen.cursor, 1 + rng.below(20)) {
        match page.status {
            200 => {
                seen.ids.extend(page.events.into_iter().map(|(id, _)| id));
                seen.cursor = page.cursor;
            }
            // Not yet there, or not yet open.
            404 if seen.cursor.is_empty() => {}
            503 => {}
            status => {
                seen.faults.push(format!("a reader of {} was answered {status}", seen.stream));
                break;
            }
        }
        if !page.has_more {
            thread::sleep(Duration::from_millis(rng.below(8)));
        }
    }
    seen
}

fn check(
    wire: &mut Wire,
    streams: &[String],
    sent: &[Vec<Sent>],
    readers: &[Seen],
    outcome: &mut Outcome,
    counts: &mut Counts,
) -> Result<(), String> {
    for stream in streams {
        let (ids, _) = drain(wire, stream)?;
        let distinct: HashSet<&str> = ids.iter().map(String::as_str).collect();
        outcome.check(distinct.len() == ids.len(), || format!("{stream} has events twice"));
        for (number, sent) in sent.iter().enumerate() {
            let of_stream = sent.iter().filter(|sent| sent.stream == *stream);
            let told: Vec<&str> = of_stream
                .filter(|sent| sent.acknowledged)
                .flat_map(|sent| sent.ids.iter().map(String::as_str))
                .collect();
            counts.acknowledged += told.len() as u64;
            let missing = told.iter().filter(|id| !distinct.contains(**id)).count();
            outcome.check(missing == 0, || {
                format!("{missing} acknowledged events of publisher {number} are not in {stream}")
            });
            let mine = format!("{number}-");
            let there: Vec<&str> =
                ids.iter().map(String::as_str).filter(|id| id.starts_with(&mine)).collect();
            outcome.check(there.is_sorted(), || {
                format!("the events of publisher {number} are out of order in {stream}")
            });
        }
        for reader in readers.iter().filter(|reader| reader.stream == *stream) {
            counts.seen += reader.ids.len() as u64;
            outcome.check(ids.starts_with(&reader.ids), || {
                format!("a reader of {stream} saw other events than are there")
            });
            for fault in &reader.faults {
                outcome.fail(fault.clone());
            }
        }
    }
    Ok(())
}
