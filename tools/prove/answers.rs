//! Every answer is right for the position it states: while an operator flips, stops, resumes and
//! rolls back, the file is edited and the server is restarted, clients ask for random users;
//! afterwards each answer is compared with what the history says was in force.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::answers_history::Past;
use crate::answers_reference::{File, agrees_with_the_vectors, answer};
use crate::rng::Rng;
use crate::server::{Home, Server};
use crate::wire::Wire;
use crate::{Outcome, Run};

pub const FLAG: &str = "build-events";
const USERS: u64 = 2_000;
const ASKERS: u64 = 3;
/// A save that removes anything settles for a second; this leaves room for most.
const BETWEEN_SAVES: Duration = Duration::from_millis(700);
const BETWEEN_RESTARTS: Duration = Duration::from_millis(2_500);
const AT_LEAST: Duration = Duration::from_secs(8);

/// A revision, and how many pending entries were laid over it.
pub type Position = (u64, usize);

/// What one client saw.
#[derive(Default)]
struct Seen {
    /// How often a user got this body at this position.
    answers: HashMap<(Position, u64, usize), u64>,
    bodies: Vec<Vec<u8>>,
    backwards: u64,
    backwards_after_restart: u64,
    refused: Vec<String>,
}

struct Shared {
    address: Mutex<SocketAddr>,
    count: AtomicU64,
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct Done {
    orders: u64,
    saves: u64,
    restarts: u64,
    kills: u64,
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    if !agrees_with_the_vectors() {
        return Err(
            "the reference does not agree with the published vectors of the hash".to_owned()
        );
    }
    let wanted = run.count.unwrap_or(if run.short { 20_000 } else { 1_000_000 });
    // On a busy machine as many answers take longer.
    let at_most = Duration::from_secs(run.seconds.unwrap_or(if run.short { 600 } else { 3_600 }));
    let mut rng = Rng::new(run.seed);
    let mut files = vec![file(&mut rng, 0)];
    let home = Home::new(&[("build-events.yaml", &files[0].0)]);
    let mut server = run.program.start(&home)?;
    let shared = Arc::new(Shared {
        address: Mutex::new(server.public),
        count: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let (shared, seed) = (shared.clone(), run.seed * 100 + asker);
            thread::spawn(move || ask_on(&shared, Rng::new(seed)))
        })
        .collect();
    let (began, mut done, mut operator) = (Instant::now(), Done::default(), server.operator()?);
    let (mut saved, mut restarted) = (began, began);
    while (shared.count.load(Relaxed) < wanted || began.elapsed() < AT_LEAST)
        && began.elapsed() < at_most
    {
        if restarted.elapsed() > BETWEEN_RESTARTS {
            server = restart(run, &home, server, &mut done)?;
            *shared.address.lock().map_err(|_| "a client panicked")? = server.public;
            (operator, restarted) = (server.operator()?, Instant::now());
        }
        if saved.elapsed() > BETWEEN_SAVES {
            files.push(file(&mut rng, files.len()));
            home.save("build-events.yaml", &files[files.len() - 1].0);
            (saved, done.saves) = (Instant::now(), done.saves + 1);
        }
        order(&mut operator, &mut rng, &mut done)?;
        sleep(Duration::from_millis(rng.below(12)));
    }
    shared.over.store(true, Relaxed);
    let mut seen = Vec::new();
    for asker in askers {
        seen.push(asker.join().map_err(|_| "a client panicked")?);
    }
    server.stop();
    let past = Past::read(&home.data.join("turnout.db"), &files)?;
    let mut outcome = judge(&past, &seen);
    let count = shared.count.load(Relaxed);
    outcome.check(count >= wanted, || format!("{count} answers in time, {wanted} were wanted"));
    outcome.figures["answers"] = json!(count);
    outcome.figures["revisions"] = json!(past.revisions());
    outcome.figures["orders"] = json!(done.orders);
    outcome.figures["saves"] = json!(done.saves);
    outcome.figures["restarts"] = json!(done.restarts);
    outcome.figures["ofThemKills"] = json!(done.kills);
    Ok(outcome)
}

/// A file that differs from every other, and its text.
fn file(rng: &mut Rng, number: usize) -> (String, File) {
    let mut users = |n: u64| (0..n).map(|_| format!("u-{}", rng.below(USERS))).collect::<Vec<_>>();
    let (deny, allowed, off) = (users(20), users(20), users(10));
    let strategies = ["realtime-v2", "disabled"];
    let file = File {
        salt: format!("salt-{}", rng.below(3)),
        enabled: !rng.percent(15),
        when_stopped: (*rng.one_of(&["polling", "disabled"])).to_owned(),
        deny,
        allow: vec![(allowed, strategies[0].to_owned()), (off, strategies[1].to_owned())],
        realtime: rng.below(60_000),
        disabled: rng.below(40_000),
    };
    let File { salt, enabled, when_stopped, deny, allow, realtime, disabled } = &file;
    let share = |share: u64| format!("{}.{:03}%", share / 1000, share % 1000);
    let allow: String = allow
        .iter()
        .map(|(users, strategy)| {
            format!("  - {{ users: [{}], strategy: {strategy} }}\n", users.join(", "))
        })
        .collect();
    let text = format!(
        "version: 1\nflag: {FLAG}\ndescription: save {number}\nsalt: {salt}\nenabled: {enabled}\ndefault: polling\n\
         when_stopped: {when_stopped}\ndeny:\n  - {{ users: [{}] }}\nallow:\n{allow}rollout: {{ realtime-v2: {}, disabled: {} }}\n",
        deny.join(", "),
        share(*realtime),
        share(*disabled)
    );
    (text, file)
}

fn restart(run: &Run, home: &Home, server: Server, done: &mut Done) -> Result<Server, String> {
    done.restarts += 1;
    match done.restarts % 2 {
        0 => server.stop(),
        _ => {
            done.kills += 1;
            server.kill();
        }
    }
    run.program.start(home)
}

fn order(operator: &mut Wire, rng: &mut Rng, done: &mut Done) -> Result<(), String> {
    let share = |rng: &mut Rng, below: u64| format!("{}%", rng.below(below));
    let (verb, body) = match rng.below(20) {
        0..10 => (
            "set",
            json!({ "realtime-v2": share(rng, 60), "disabled": share(rng, 40), "reason": "proof" }),
        ),
        10 | 11 => ("stop", json!({})),
        12..16 => ("resume", json!({ "reason": "proof" })),
        16 | 17 => ("unset", json!({ "reason": "proof" })),
        _ => ("rollback", json!({ "reason": "proof" })),
    };
    let answer = operator
        .order(FLAG, verb, None, &body.to_string())
        .map_err(|error| format!("{verb}: {error}"))?;
    done.orders += 1;
    match answer.status {
        200 | 202 | 400..500 => Ok(()),
        status => Err(format!("{verb} was told {status} {}", answer.json())),
    }
}

/// Asks until it is over, and after each restart anew.
fn ask_on(shared: &Shared, mut rng: Rng) -> Seen {
    let mut seen = Seen::default();
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut newest = (0, 0);
    while !shared.over.load(Relaxed) {
        let Ok(address) = shared.address.lock().map(|address| *address) else { break };
        let Ok(mut wire) = Wire::public(address) else {
            sleep(Duration::from_millis(2));
            continue;
        };
        let mut last = (0, 0);
        while !shared.over.load(Relaxed) {
            let user = rng.below(USERS);
            let Ok(answer) = wire.ask(FLAG, &format!("{{\"targetingKey\":\"u-{user}\"}}")) else {
                break;
            };
            shared.count.fetch_add(1, Relaxed);
            let Some(position) = position(&answer.position).filter(|_| answer.status == 200) else {
                seen.refused.push(format!(
                    "{} {} {}",
                    answer.status,
                    answer.position,
                    answer.json()
                ));
                continue;
            };
            seen.backwards += u64::from(position < last);
            seen.backwards_after_restart += u64::from(last == (0, 0) && position < newest);
            (last, newest) = (position, newest.max(position));
            let body = *known.entry(answer.body).or_insert_with_key(|body| {
                seen.bodies.push(body.clone());
                seen.bodies.len() - 1
            });
            *seen.answers.entry((position, user, body)).or_default() += 1;
        }
    }
    seen
}

/// `213`, or `213+2`.
fn position(text: &str) -> Option<Position> {
    let (revision, pending) = text.split_once('+').unwrap_or((text, "0"));
    Some((revision.parse().ok()?, pending.parse().ok()?))
}

fn judge(past: &Past, seen: &[Seen]) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut wrong, mut torn, mut backwards, mut after_restart, mut pending) = (0, 0, 0, 0, 0);
    for seen in seen {
        backwards += seen.backwards;
        after_restart += seen.backwards_after_restart;
        let bodies: Vec<Json> = seen
            .bodies
            .iter()
            .map(|body| serde_json::from_slice(body).unwrap_or_default())
            .collect();
        for body in bodies.iter().filter(|body| !is_whole(body)) {
            torn += 1;
            outcome.fail(format!("torn: {body}"));
        }
        for refused in &seen.refused {
            outcome.fail(format!("no strategy: {refused}"));
        }
        for ((position, user, body), times) in &seen.answers {
            pending += if position.1 > 0 { *times } else { 0 };
            let user = format!("u-{user}");
            let wanted = past.at(*position).map(|state| answer(&state, &user));
            let body = &bodies[*body];
            if wanted.as_ref().is_some_and(|(strategy, rule)| {
                body["strategy"] == **strategy && body["rule"] == *rule
            }) {
                outcome.passed += times;
            } else {
                wrong += times;
                outcome.fail(format!(
                    "at {position:?} {user} got {} by {}, not {wanted:?}",
                    body["strategy"], body["rule"]
                ));
            }
        }
    }
    outcome.check(backwards == 0, || {
        format!("{backwards} answers stated an older position than one before on their connection")
    });
    outcome.check(after_restart == 0, || {
        format!("{after_restart} first answers after a restart stated an older position")
    });
    outcome.figures = json!({ "wrong": wrong, "torn": torn, "backwards": backwards, "backwardsAfterRestart": after_restart, "beforeItsCommit": pending });
    outcome
}

/// Whether a document's parts belong together.
fn is_whole(body: &Json) -> bool {
    let realtime = body["realtime"].is_object() == (body["strategy"] == "realtime-v2");
    let reason = match body["rule"].as_str().unwrap_or_default() {
        "stop" | "off" => body["reason"] == "STATIC",
        "deny" | "allow" => body["reason"] == "TARGETING_MATCH",
        "rollout" => body["reason"] == "SPLIT" || body["reason"] == "STATIC",
        _ => false,
    };
    body["flag"] == FLAG && body["polling"].is_object() && realtime && reason
}
