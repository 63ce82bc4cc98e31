//! Ten thousand clients who all go from realtime to polling at a stop and back at a resume, again and
//! again: how many polls a second come at most beside what they are when all poll, and whether any
//! answer is an error of the server. `scripts/numbers-realtime.py herd` starts the server and this.
//!
//! `herd PUBLIC ADMIN SESSIONS ROUNDS SETTLE_SECONDS`: two addresses, a file with a session a line,
//! how often all go to and fro, and for how long they poll each time. `HERD_ADMIN` and `HERD_SERVER`
//! hold the credentials of an operator and of the server that publishes. Prints one line of JSON.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a driver prints what it finds, and ends where it cannot go on"
)]

mod client;
mod tally;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::time::sleep;

use client::Client;
use tally::{Tally, Track};
use wire::Wire;

/// An event comes so often, so that polls are due at their shortest interval.
const EVENT_EVERY: Duration = Duration::from_secs(2);
/// How long all clients are in realtime before the next stop.
const LIVE: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(120);
/// How many hundredths of the clients have to have moved.
const MOVED_PERCENT: usize = 99;

#[tokio::main]
async fn main() {
    let _ = rlimit::increase_nofile_limit(1 << 20);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [public, admin, sessions, rounds, settle] = &arguments[..] else {
        panic!("herd PUBLIC ADMIN SESSIONS ROUNDS SETTLE_SECONDS");
    };
    let public: SocketAddr = public.parse().expect("an address");
    let admin: SocketAddr = admin.parse().expect("an address");
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let settle = Duration::from_secs(settle.parse().expect("a number of seconds"));
    let sessions = std::fs::read_to_string(sessions).expect("a file of sessions");
    let tally = Arc::new(Tally::new());
    publish(public, 0).await;
    tokio::spawn(async move {
        for number in 1.. {
            sleep(EVENT_EVERY).await;
            publish(public, number).await;
        }
    });
    let count = sessions.lines().count();
    for session in sessions.lines() {
        tokio::spawn(Client::new(public, session, tally.clone()).run());
    }
    let enough = count * MOVED_PERCENT / 100;
    reach(&tally, Track::Realtime, count).await;
    sleep(LIVE).await;
    let mut all = Vec::new();
    for round in 0..rounds {
        let begun = Instant::now();
        order(admin, "stop").await;
        reach(&tally, Track::Polling, enough).await;
        let left = begun.elapsed();
        reach(&tally, Track::Polling, count).await;
        let moved = tally.seconds();
        sleep(settle).await;
        // The first and the last second are not whole.
        let steady = tally.polls_between(moved + settle.as_secs() as usize / 2, tally.seconds());
        let before = tally.second_of(begun);
        let peak = tally.most_polls_between(before, moved + settle.as_secs() as usize / 2);
        let resumed = Instant::now();
        order(admin, "resume").await;
        reach(&tally, Track::Realtime, enough).await;
        let entered = resumed.elapsed();
        reach(&tally, Track::Realtime, count).await;
        sleep(LIVE).await;
        let one = json!({
            "secondsUntil99PercentLeft": left.as_secs_f64(),
            "secondsUntil99PercentAreBack": entered.as_secs_f64(),
            "peakPollsASecond": peak,
            "steadyPollsASecond": steady,
            "peakToSteady": peak as f64 / steady,
        });
        eprintln!("round {round}: {one}");
        all.push(one);
    }
    let line = json!({ "clients": count, "rounds": all, "answers": tally.answers() });
    println!("{line}");
}

async fn reach(tally: &Tally, track: Track, count: usize) {
    let began = Instant::now();
    while tally.on(track) < count {
        assert!(
            began.elapsed() < PATIENCE,
            "{} of {count} clients are {track:?}; {}",
            tally.on(track),
            Json::from(tally.answers())
        );
        sleep(Duration::from_millis(20)).await;
    }
}

async fn order(admin: SocketAddr, verb: &str) {
    let token = std::env::var("HERD_ADMIN").expect("HERD_ADMIN");
    let mut wire = Wire::open(admin).await.expect("the admin listener");
    let path = format!("/v1/flags/build-events/{verb}");
    let answer = wire.post(&path, token.trim(), "{\"reason\":\"herd\"}").await;
    let answer = answer.expect("an answer to an operator");
    assert!(matches!(answer.status, 200 | 202), "{verb} was answered {}", answer.status);
}

async fn publish(public: SocketAddr, number: u64) {
    let key = std::env::var("HERD_SERVER").expect("HERD_SERVER");
    let mut wire = Wire::open(public).await.expect("the public listener");
    let event = json!({ "id": format!("h-{number}"), "type": "step", "data": { "n": number } });
    let body = json!({ "readers": "verified", "events": [event] }).to_string();
    let answer = wire.post("/v1/feeds/build-events/b-42", &key, &body).await;
    assert_eq!(answer.expect("an answer to a publisher").status, 200, "a publish");
}
