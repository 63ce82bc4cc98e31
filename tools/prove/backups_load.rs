//! What goes on while a backup is taken: operators flip, tokens and sessions are made and revoked,
//! and events are published, until the server is gone.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::backups::{OPERATORS, own};
use crate::events_wire::{event, publish, publisher};
use crate::rng::Rng;
use crate::server::Server;
use crate::wire::{Answer, Wire};

const SHARES: [u32; 7] = [0, 5, 10, 25, 50, 75, 100];
/// The share of a flag that is stopped.
pub const STOPPED: i64 = -1;
/// The stream that is published to.
pub const STREAM: &str = "s";
/// Between two tokens, and between two publishes.
const PAUSE: Duration = Duration::from_millis(4);

/// What an operator was told of the flag that is the operator's own.
#[derive(Default)]
pub struct Flipped {
    /// Each change that was committed: when that was said, and its revision.
    pub committed: Vec<(Instant, u64)>,
    pub acknowledged: u64,
    /// The most that the flag may serve, by what was said last and what may have been done since.
    pub at_most: i64,
}

/// A credential, and when it was said that it is revoked.
pub struct Revoked {
    pub secret: String,
    pub at: Instant,
}

/// Everything that was said.
pub struct Told {
    pub flips: Vec<Flipped>,
    pub tokens: Vec<Revoked>,
    pub sessions: Vec<Revoked>,
    /// A token and a session that are good.
    pub kept: (String, String),
    /// When each event, in order, was said to be taken.
    pub published: Vec<Instant>,
}

impl Told {
    pub fn acknowledged(&self) -> u64 {
        self.flips.iter().map(|flipped| flipped.acknowledged).sum()
    }

    pub fn revocations(&self) -> u64 {
        (self.tokens.len() + self.sessions.len()) as u64
    }

    /// The highest revision that was said before a moment; the last one of all without one.
    pub fn revision_before(&self, moment: Option<Instant>) -> u64 {
        let all = self.flips.iter().flat_map(|flipped| &flipped.committed);
        let before = all.filter(|(at, _)| moment.is_none_or(|moment| *at < moment));
        before.map(|(_, revision)| *revision).max().unwrap_or_default()
    }
}

/// All who are at it.
pub struct Load {
    operators: Vec<JoinHandle<Result<Flipped, String>>>,
    revoking: JoinHandle<(Vec<Revoked>, Vec<Revoked>)>,
    publishing: JoinHandle<Vec<Instant>>,
    kept: (String, String),
}

impl Load {
    pub fn start(server: &Server, rng: &mut Rng) -> Result<Load, String> {
        let (mut operator, mut application) = (server.operator()?, publisher(server)?);
        let kept = (
            make_token(&mut operator, "kept").map_err(|error| error.to_string())?.1,
            make_session(&mut application, "u-kept").map_err(|error| error.to_string())?,
        );
        let operators = (0..OPERATORS)
            .map(|number| {
                let (wire, seed) = (server.operator()?, rng.next());
                Ok(thread::spawn(move || flip(wire, &own(number), Rng::new(seed))))
            })
            .collect::<Result<_, String>>()?;
        let revoking = thread::spawn(move || revoke(operator, application));
        let wire = publisher(server)?;
        let publishing = thread::spawn(move || go_on_publishing(wire));
        Ok(Load { operators, revoking, publishing, kept })
    }

    /// What was said, once the server is gone.
    pub fn end(self) -> Result<Told, String> {
        let panicked = |_| "a client panicked".to_owned();
        let flips = self.operators.into_iter().map(|operator| operator.join().map_err(panicked)?);
        let flips = flips.collect::<Result<_, String>>()?;
        let (tokens, sessions) = self.revoking.join().map_err(panicked)?;
        let published = self.publishing.join().map_err(panicked)?;
        Ok(Told { flips, tokens, sessions, kept: self.kept, published })
    }
}

/// What a flag serves, as `status` shows it.
pub fn share_of(live: &Json) -> Result<i64, String> {
    let text = live.as_str().unwrap_or_default();
    if text.starts_with("STOPPED") {
        return Ok(STOPPED);
    }
    let share = text.split(' ').find_map(|word| word.strip_suffix('%')?.parse().ok());
    share.ok_or(format!("what does `{text}` serve?"))
}

fn flip(mut wire: Wire, flag: &str, mut rng: Rng) -> Result<Flipped, String> {
    let mut flipped = Flipped { at_most: 10, ..Flipped::default() };
    loop {
        let share = *rng.one_of(&SHARES);
        let (verb, body, may_be) = match rng.below(10) {
            0..7 => (
                "set",
                json!({ "realtime-v2": format!("{share}%"), "reason": "proof" }),
                flipped.at_most.max(i64::from(share)),
            ),
            7 => ("stop", json!({}), flipped.at_most),
            _ => ("resume", json!({ "reason": "proof" }), 100),
        };
        let answer = wire.order(flag, verb, None, &body.to_string());
        let Ok(Answer { status, body, .. }) = answer else {
            flipped.at_most = may_be;
            return Ok(flipped);
        };
        let body: Json = serde_json::from_slice(&body).unwrap_or_default();
        match status {
            200 | 202 => {
                flipped.acknowledged += 1;
                flipped.at_most = share_of(&body["flag"]["live"])?;
                if body["outcome"] == "committed" {
                    let revision = body["revision"].as_u64().unwrap_or_default();
                    flipped.committed.push((Instant::now(), revision));
                }
            }
            // Refused: nothing was changed.
            400..500 => {}
            _ => flipped.at_most = may_be,
        }
    }
}

/// Makes tokens and sessions and revokes them until the server is gone.
fn revoke(mut operator: Wire, mut application: Wire) -> (Vec<Revoked>, Vec<Revoked>) {
    let (mut tokens, mut sessions) = (Vec::new(), Vec::new());
    for number in 0.. {
        if revoke_both(&mut operator, &mut application, number, &mut tokens, &mut sessions).is_err()
        {
            break;
        }
        thread::sleep(PAUSE);
    }
    (tokens, sessions)
}

fn revoke_both(
    operator: &mut Wire,
    application: &mut Wire,
    number: u64,
    tokens: &mut Vec<Revoked>,
    sessions: &mut Vec<Revoked>,
) -> std::io::Result<()> {
    let (id, secret) = make_token(operator, &format!("t-{number}"))?;
    if operator.post(&format!("/v1/tokens/{id}/revoke"), "{}")?.status < 300 {
        tokens.push(Revoked { secret, at: Instant::now() });
    }
    let user = format!("u-{number}");
    let session = make_session(application, &user)?;
    let body = json!({ "targetingKey": user }).to_string();
    if application.post("/v1/sessions/revoke", &body)?.status == 200 {
        sessions.push(Revoked { secret: session, at: Instant::now() });
    }
    Ok(())
}

/// Its id and its secret; empty ones if it was refused.
fn make_token(operator: &mut Wire, name: &str) -> std::io::Result<(String, String)> {
    let made =
        operator.post("/v1/tokens", &json!({ "name": name, "role": "viewer" }).to_string())?.json();
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    Ok((text("id"), text("secret")))
}

fn make_session(application: &mut Wire, user: &str) -> std::io::Result<String> {
    let body = json!({ "targetingKey": user }).to_string();
    let made = application.post("/v1/sessions", &body)?.json();
    Ok(made["session"].as_str().unwrap_or_default().to_owned())
}

fn go_on_publishing(mut wire: Wire) -> Vec<Instant> {
    let mut published = Vec::new();
    loop {
        let number = published.len() as u64;
        match publish(&mut wire, STREAM, &[event(&id(number), number)]) {
            Ok(answer) if answer.status == 200 => published.push(Instant::now()),
            // It is sent again.
            Ok(_) => {}
            Err(_) => return published,
        }
        thread::sleep(PAUSE);
    }
}

/// The id of an event.
pub fn id(number: u64) -> String {
    format!("e-{number:06}")
}
