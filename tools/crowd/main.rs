//! A crowd of clients that watch: thousands of streams in one process and on one thread, each of
//! which notes what it is told and when, and comes back when its stream ends. `scripts/bench.py
//! streams` and `prove streams` steer it; by hand it is as good as them.
//!
//! `crowd [ADDRESS] [--path P] [--keys PREFIX] [--at-once N] [--rude PERCENT] [--reading
//! all|slow|never]`, and then on stdin, a line each:
//!
//! - `open N SECONDS`: N streams come, and all are there; `back N SECONDS`: N are there (again)
//! - `trigger N SECONDS ADDRESS BEARER|- PATH BODY`: makes a call that changes something; N streams
//!   were told, and when since it was sent
//! - `mark`, `wait N SECONDS`: the same, for a change that another program makes after the mark
//! - `quiet MS SECONDS`: no reader was told anything for so long; who was told what since the mark by
//!   then
//! - `acks MS|off`: each stream acknowledges what it sees, after a random part of this time
//! - `check SECONDS`: whether each stream holds the document that its user would be answered now
//! - `churn N A_SECOND SECONDS`: N clients come and go: before they ask, after they asked, or once
//!   they were told
//! - `hold`: what all hold, and everything noted so far

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a driver prints what it finds, and ends where it cannot go on"
)]

mod answer;
mod calls;
mod crowd;
mod desk;
mod event;
mod noted;
mod position;
mod reader;
mod settings;
mod stream;
mod told;
mod trigger;

use std::io::{BufRead, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Instant;

use mio::{Events, Poll, Token, Waker};
use serde_json::json;

use crowd::Crowd;
use desk::Task;
use settings::Settings;

fn main() {
    let _ = rlimit::increase_nofile_limit(1 << 20);
    if let Err(fault) = Settings::of(std::env::args().skip(1))
        .and_then(|settings| run(settings).map_err(|error| error.to_string()))
    {
        eprintln!("crowd: {fault}");
        std::process::exit(2);
    }
}

fn run(settings: Settings) -> std::io::Result<()> {
    let mut poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), Token(0))?);
    let lines = lines(waker.clone());
    let mut crowd = Crowd::new(settings, poll.registry().try_clone()?);
    let mut events = Events::with_capacity(1024);
    let mut task: Option<Task> = None;
    loop {
        let now = Instant::now();
        crowd.ring(now);
        if let Some(answer) = task.as_mut().and_then(|task| task.done(&crowd, now)) {
            println!("{answer}");
            task = None;
        }
        if task.is_none() {
            match lines.try_recv() {
                Ok(line) => match Task::begin(&line, &mut crowd, &waker) {
                    Ok(begun) => task = Some(begun),
                    Err(fault) => println!("{}", json!({ "fault": fault })),
                },
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
            if task.is_some() {
                continue;
            }
        }
        let next = crowd
            .next_timer()
            .into_iter()
            .chain(task.as_ref().map(|task| task.look_again(&crowd)))
            .min();
        match poll
            .poll(&mut events, next.map(|next| next.saturating_duration_since(Instant::now())))
        {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => events.iter().for_each(|ready| crowd.ready(ready)),
        }
    }
}

/// What is typed, or piped.
fn lines(waker: Arc<Waker>) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in std::io::stdin()
            .lock()
            .lines()
            .map_while(Result::ok)
            .filter(|line| !line.trim().is_empty())
        {
            let _ = sender.send(line);
            let _ = waker.wake();
        }
        drop(sender);
        let _ = waker.wake();
    });
    receiver
}
