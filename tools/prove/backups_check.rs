//! What must hold after a restore, from what everybody was told before.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::Outcome;
use crate::backups::{Backup, own};
use crate::backups_load::{STREAM, Told, id, share_of};
use crate::events_wire::{drain, publisher};
use crate::server::Server;
use crate::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a start found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundState {
    OfBackup,
    /// A later one: the backup is held.
    Later,
}

/// The start that finds the backup in the place of its database.
pub fn check_as_found(
    server: &Server,
    said: &Json,
    backup: &Backup,
    told: &Told,
    outcome: &mut Outcome,
) -> Result<FoundState, String> {
    let mut operator = server.operator()?;
    let status = get(&mut operator, "/v1/status")?;
    let state = &status["database"]["state"];
    let foretold = match said["start"].as_str() {
        Some("holds") => "held",
        _ => "up",
    };
    outcome.check(*state == foretold, || {
        format!("restore said {}, and the start found {}", said["start"], status["database"])
    });
    let last = told.revision_before(None);
    outcome.check(*state == "held" || last <= backup.revision, || {
        format!("revision {last} was acknowledged, and revision {} is served", backup.revision)
    });
    if *state == "held" {
        for why in [&said["why"], &status["database"]["why"]] {
            outcome.check(names_both(why, backup.revision, last), || {
                format!("{last} and {} are not both said: {why}", backup.revision)
            });
        }
    }
    check_narrow(server, &status, told, outcome)?;
    Ok(if *state == "held" { FoundState::Later } else { FoundState::OfBackup })
}

/// Whether a text names the revision of the backup, and one that is as late as what was said last.
fn names_both(why: &Json, of_backup: u64, last: u64) -> bool {
    let text = why.as_str().unwrap_or_default();
    let numbers: Vec<u64> = text
        .split("revision ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .collect();
    numbers.contains(&of_backup) && numbers.iter().any(|number| *number >= last.max(of_backup))
}

/// The database is in use: nothing that was lowered or revoked is good again, and what the backup
/// had is there.
pub fn check_after_acceptance(
    server: &Server,
    backup: &Backup,
    told: &Told,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let status = check_sound(server, backup, told, outcome)?;
    check_narrow(server, &status, told, outcome)
}

/// A machine that knows the backup alone.
pub fn check_new_machine(
    server: &Server,
    backup: &Backup,
    told: &Told,
    outcome: &mut Outcome,
) -> Result<(), String> {
    check_sound(server, backup, told, outcome)?;
    for token in told.tokens.iter().filter(|token| token.at < backup.began) {
        let status = as_token(server, &token.secret)?;
        outcome.check(status == 401, || {
            format!("a token that was revoked before the backup was answered {status}")
        });
    }
    let status = as_token(server, &told.kept.0)?;
    outcome.check(status == 200, || format!("a good token was answered {status}"));
    Ok(())
}

/// The history is sound, and everything that was said before the backup began is there.
fn check_sound(
    server: &Server,
    backup: &Backup,
    told: &Told,
    outcome: &mut Outcome,
) -> Result<Json, String> {
    let mut operator = server.operator()?;
    let status = reach_database(&mut operator)?;
    let verdict = get(&mut operator, "/v1/history/verify")?;
    outcome.check(verdict["sound"] == true, || format!("the history is not sound: {verdict}"));
    let before = told.revision_before(Some(backup.began));
    outcome.check(before <= backup.revision, || {
        format!("revision {before} was acknowledged, and the backup ends at {}", backup.revision)
    });
    let (ids, _) = drain(&mut publisher(server)?, STREAM)?;
    let acknowledged = told.published.iter().filter(|at| **at < backup.began).count();
    outcome.check(ids.len() >= acknowledged, || {
        format!("{acknowledged} events were acknowledged, and the backup has {}", ids.len())
    });
    let in_order = ids.iter().zip(0..).all(|(found, number)| *found == id(number));
    outcome.check(in_order, || "events of the backup are missing, doubled or moved".to_owned());
    Ok(status)
}

/// No flag serves more than was said last, and nothing that was revoked is accepted.
fn check_narrow(
    server: &Server,
    status: &Json,
    told: &Told,
    outcome: &mut Outcome,
) -> Result<(), String> {
    for (flipped, flag) in told.flips.iter().zip((0..).map(own)) {
        let live = status["flags"].as_array().into_iter().flatten();
        let live = live.into_iter().find(|live| live["flag"] == flag.as_str());
        let live = live.map_or(Json::Null, |live| live["live"].clone());
        let serves = share_of(&live)?;
        outcome.check(serves <= flipped.at_most, || {
            format!(
                "{flag} serves {live}, and was at most {} % when it was last said",
                flipped.at_most
            )
        });
        let answer = server.client()?.ask(&flag, &json!({ "targetingKey": "u-1" }).to_string());
        let answer = answer.map_err(|error| error.to_string())?.json();
        outcome.check(serves >= 0 || answer["rule"] == "stop", || {
            format!("{flag} serves {live} and answers {answer}")
        });
    }
    for token in &told.tokens {
        let status = as_token(server, &token.secret)?;
        outcome.check(status == 401, || format!("a revoked token was answered {status}"));
    }
    let kept = as_token(server, &told.kept.0)?;
    outcome.check(kept == 200, || format!("a good token was answered {kept}"));
    for session in &told.sessions {
        let status = as_session(server, &session.secret)?;
        outcome.check(status == 401, || format!("a revoked session was answered {status}"));
    }
    let kept = as_session(server, &told.kept.1)?;
    outcome.check(kept == 200, || format!("a good session was answered {kept}"));
    Ok(())
}

fn as_token(server: &Server, token: &str) -> Result<u16, String> {
    let answer = Wire::admin(server.admin, token).and_then(|mut wire| wire.get("/v1/status"));
    answer.map(|answer| answer.status).map_err(|error| format!("a token: {error}"))
}

fn as_session(server: &Server, session: &str) -> Result<u16, String> {
    let wire = Wire::admin(server.public, session);
    let answer = wire.and_then(|mut wire| wire.get("/v1/strategy/lane"));
    answer.map(|answer| answer.status).map_err(|error| format!("a session: {error}"))
}

/// A slow machine may open the database later than the start waits for it.
fn reach_database(operator: &mut Wire) -> Result<Json, String> {
    let began = Instant::now();
    loop {
        let status = get(operator, "/v1/status")?;
        if status["database"]["state"] == "up" && status["pending"] == 0 {
            return Ok(status);
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("the database never came back: {}", status["database"]));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn get(wire: &mut Wire, path: &str) -> Result<Json, String> {
    let answer = wire.get(path).map_err(|error| format!("GET {path}: {error}"))?;
    match answer.status {
        200 => Ok(answer.json()),
        status => Err(format!("GET {path}: {status} {}", answer.json())),
    }
}
