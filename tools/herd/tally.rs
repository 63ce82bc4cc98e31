//! What all clients together did: on which track they are, what they were answered, and how many
//! polls came in each second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Polling,
    Realtime,
}

/// The longest run, in seconds.
const SECONDS: usize = 4 * 3600;

pub struct Tally {
    began: Instant,
    tracks: [AtomicUsize; 2],
    polls: Vec<AtomicUsize>,
    answers: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    pub fn new() -> Tally {
        Tally {
            began: Instant::now(),
            tracks: Default::default(),
            polls: (0..SECONDS).map(|_| AtomicUsize::new(0)).collect(),
            answers: Mutex::default(),
        }
    }

    /// How many clients are on a track.
    pub fn on(&self, track: Track) -> usize {
        self.tracks[track as usize].load(Relaxed)
    }

    pub fn enter(&self, track: Track) {
        self.tracks[track as usize].fetch_add(1, Relaxed);
    }

    pub fn leave(&self, track: Track) {
        self.tracks[track as usize].fetch_sub(1, Relaxed);
    }

    pub fn polled(&self) {
        if let Some(second) = self.polls.get(self.seconds()) {
            second.fetch_add(1, Relaxed);
        }
    }

    pub fn answered(&self, what: &str, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(format!("{what} {status}")).or_default() += 1;
    }

    /// How often each call had each status; 0 where there was no answer.
    pub fn answers(&self) -> serde_json::Map<String, serde_json::Value> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().map(|(what, count)| (what.clone(), (*count).into())).collect()
    }

    pub fn seconds(&self) -> usize {
        self.began.elapsed().as_secs() as usize
    }

    pub fn second_of(&self, moment: Instant) -> usize {
        moment.duration_since(self.began).as_secs() as usize
    }

    /// Polls a second, on average.
    pub fn polls_between(&self, from: usize, to: usize) -> f64 {
        let all: usize = self.polls[from..to].iter().map(|polls| polls.load(Relaxed)).sum();
        all as f64 / (to - from) as f64
    }

    pub fn most_polls_between(&self, from: usize, to: usize) -> usize {
        self.polls[from..to].iter().map(|polls| polls.load(Relaxed)).max().unwrap_or_default()
    }
}
