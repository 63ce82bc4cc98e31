//! What must hold after a restart, from what the clients were told: each key at most once, each
//! acknowledged change there, each flag as its last change left it, and the whole history sound.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::Outcome;
use crate::kills::{Counts, SHARED, Sent, Told, again};
use crate::server::Server;
use crate::wire::Wire;

/// What is known of one history.
pub struct Ledger {
    pub outcome: Outcome,
    pub counts: Counts,
    flags: Vec<String>,
    /// Every request of this history.
    sent: BTreeMap<String, Sent>,
    /// Of the last life and the retries after it, in the order of each client.
    fresh: Vec<String>,
    /// The revision of each key.
    done: BTreeMap<String, u64>,
    /// What each flag serves by the history so far.
    serves: BTreeMap<String, Json>,
    checked: u64,
    lives: u64,
}

impl Ledger {
    pub fn new(flags: Vec<String>) -> Ledger {
        let serves = flags.iter().map(|flag| (flag.clone(), Json::Null)).collect();
        Ledger {
            outcome: Outcome::default(),
            counts: Counts::default(),
            flags,
            sent: BTreeMap::new(),
            fresh: Vec::new(),
            done: BTreeMap::new(),
            serves,
            checked: 0,
            lives: 0,
        }
    }

    pub fn next_name(&mut self) -> String {
        self.lives += 1;
        format!("life-{}", self.lives)
    }

    pub fn revisions(&self) -> u64 {
        self.checked
    }

    pub fn sent(&mut self, all: Vec<Sent>) {
        for sent in all {
            match &sent.told {
                None => self.counts.cut_off += 1,
                Some(told) if told.status == 202 => {
                    self.counts.acknowledged += 1;
                    self.counts.accepted += 1;
                }
                Some(told) if told.status == 200 => self.counts.acknowledged += 1,
                Some(_) => {}
            }
            self.fresh.push(sent.key.clone());
            self.sent.insert(sent.key.clone(), sent);
        }
    }

    /// Everything, and then what was cut off is sent again.
    pub fn check_after_start(&mut self, server: &Server) -> Result<(), String> {
        let mut operator = server.operator()?;
        self.check_stops(server)?;
        let status = self.reach_database(&mut operator)?;
        self.read_history(&mut operator)?;
        self.check_fresh();
        self.check_live(&status, server)?;
        let verdict = self.read(&mut operator, "/v1/history/verify")?;
        let sound = verdict["sound"] == true && verdict["revisions"].as_u64() == Some(self.checked);
        self.outcome.check(sound, || format!("the history is not sound: {verdict}"));
        self.send_again(server)
    }

    /// Whatever was found at the start: who was told last that a flag is stopped finds it so.
    fn check_stops(&mut self, server: &Server) -> Result<(), String> {
        let mut last: BTreeMap<&str, &Sent> = BTreeMap::new();
        let of_owners = self
            .fresh
            .iter()
            .filter_map(|key| self.sent.get(key))
            .filter(|sent| sent.flag != SHARED);
        last.extend(of_owners.map(|sent| (sent.flag.as_str(), sent)));
        let mut client = server.client()?;
        for (flag, sent) in last {
            let Some(told) = sent.told.as_ref().filter(|told| matches!(told.status, 200 | 202))
            else {
                continue;
            };
            let stopped =
                told.body["flag"]["live"].as_str().is_some_and(|live| live.starts_with("STOPPED"));
            let answer = client
                .ask(flag, &json!({ "targetingKey": "u-1" }).to_string())
                .map_err(|error| error.to_string())?;
            let (answer, position) = (answer.json(), answer.position);
            self.outcome.check(!stopped || answer["rule"] == "stop", || {
                format!(
                    "{flag} was stopped when {} was told so, and after the restart it answers {answer} at {position}",
                    sent.key
                )
            });
        }
        Ok(())
    }

    /// A slow machine may open the database later than the start waits for it.
    fn reach_database(&mut self, operator: &mut Wire) -> Result<Json, String> {
        let began = Instant::now();
        let mut late = false;
        loop {
            let (_, status) = get(operator, "/v1/status")?;
            if status["database"]["state"] == "up" && status["pending"] == 0 {
                self.counts.started_without_database += u64::from(late);
                return Ok(status);
            }
            late = true;
            if began.elapsed() > Duration::from_secs(30) {
                return Err(format!("the database never came back: {}", status["database"]));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What only the database can tell. On a starved machine it may be given up for a moment; that
    /// is counted, and it must come back.
    fn read(&mut self, operator: &mut Wire, path: &str) -> Result<Json, String> {
        for _ in 0..3 {
            match get(operator, path)? {
                (200, body) => return Ok(body),
                (503, body) if body["code"] == "database-down" => {
                    self.counts.late_while_checked += 1;
                    self.reach_database(operator)?;
                }
                (status, body) => return Err(format!("GET {path}: {status} {body}")),
            }
        }
        Err(format!("GET {path}: the database was given up three times"))
    }

    /// Follows the history from where it was left.
    fn read_history(&mut self, operator: &mut Wire) -> Result<(), String> {
        let (mut rows, mut before) = (Vec::new(), String::new());
        loop {
            let page = self
                .read(operator, &format!("/v1/history?limit=200&after={}{before}", self.checked))?;
            let page = page["revisions"].as_array().cloned().unwrap_or_default();
            let Some(last) = page.last() else { break };
            before = format!("&before={}", last["revision"]);
            let full = page.len() == 200;
            rows.extend(page);
            if !full {
                break;
            }
        }
        for row in rows.into_iter().rev() {
            let number = row["revision"].as_u64().unwrap_or_default();
            self.outcome.check(number == self.checked + 1, || {
                format!("revision {number} follows {}", self.checked)
            });
            self.checked = number;
            self.read_row(number, &row);
        }
        Ok(())
    }

    fn read_row(&mut self, number: u64, row: &Json) {
        for change in row["changes"].as_array().into_iter().flatten() {
            let flag = change["key"].as_str().unwrap_or_default().to_owned();
            let was = self.serves.insert(flag, change["is"].clone()).unwrap_or_default();
            self.outcome.check(was == change["was"], || {
                format!("revision {number} found {}, not {was}", change["was"])
            });
        }
        let Some(key) = row["idempotencyKey"].as_str() else {
            return self.outcome.check(row["origin"] == "file", || {
                format!("revision {number} came from nowhere: {row}")
            });
        };
        let doubled = self.done.insert(key.to_owned(), number);
        self.outcome
            .check(doubled.is_none(), || format!("{key} made revisions {doubled:?} and {number}"));
        let change = &row["changes"][0];
        let same = self.sent.get(key).is_some_and(|sent| {
            change["key"] == sent.flag.as_str()
                && change["action"] == sent.verb
                && row["changes"].as_array().map(Vec::len) == Some(1)
        });
        self.outcome
            .check(same, || format!("revision {number} is not what {key} asked for: {row}"));
    }

    /// What was said is in the history, and nothing else is.
    fn check_fresh(&mut self) {
        let mut last: BTreeMap<&str, (&Sent, &Told)> = BTreeMap::new();
        let mut cut_off: BTreeSet<&str> = BTreeSet::new();
        let keys = std::mem::take(&mut self.fresh);
        for sent in keys.iter().filter_map(|key| self.sent.get(key)) {
            let found = self.done.get(&sent.key).copied();
            let Some(told) = &sent.told else {
                self.counts.cut_off_and_done += u64::from(found.is_some());
                if found.is_some() {
                    cut_off.insert(&sent.flag);
                }
                continue;
            };
            let said = told.body["revision"].as_u64();
            let holds = match (told.status, told.body["outcome"].as_str()) {
                (200, Some("committed" | "repeated")) => found.is_some() && found == said,
                (200, Some("unchanged")) => found.is_none(),
                (202, _) => found.is_some(),
                // Refused, or the database did not say.
                (400..500, _) => found.is_none(),
                (503, _) => true,
                _ => false,
            };
            self.outcome.check(holds, || {
                format!(
                    "{} was told {} {said:?}, and the history says {found:?}",
                    sent.key, told.status
                )
            });
            if sent.flag != SHARED && (told.status == 200 || told.status == 202) {
                last.insert(&sent.flag, (sent, told));
            }
        }
        // Only its owner changes it: it stands as that was told last, but for what was cut off.
        for (flag, (sent, told)) in last.into_iter().filter(|(flag, _)| !cut_off.contains(flag)) {
            let (said, serves) = (&told.body["flag"]["live"], &self.serves[flag]);
            self.outcome.check(said == serves, || {
                format!("{flag} serves {serves}, and {} was told {said}", sent.key)
            });
        }
    }

    fn check_live(&mut self, status: &Json, server: &Server) -> Result<(), String> {
        let mut client = server.client()?;
        for flag in self.flags.clone() {
            let live = status["flags"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|live| live["flag"] == flag.as_str());
            let live = live.map_or(Json::Null, |live| live["live"].clone());
            let serves = &self.serves[&flag];
            self.outcome.check(live == *serves, || {
                format!("{flag} serves {live}, and the history says {serves}")
            });
            let answer = client
                .ask(&flag, &json!({ "targetingKey": "u-1" }).to_string())
                .map_err(|error| error.to_string())?;
            let stopped = live.as_str().is_some_and(|live| live.starts_with("STOPPED"));
            let answers = answer.json()["rule"] == "stop";
            self.outcome.check(stopped == answers, || {
                format!("{flag} serves {live} and answers {}", answer.json())
            });
        }
        Ok(())
    }

    /// What was cut off, under the same key: at most one revision comes of both.
    fn send_again(&mut self, server: &Server) -> Result<(), String> {
        let cut_off: Vec<Sent> =
            self.sent.values().filter(|sent| sent.told.is_none()).cloned().collect();
        for sent in cut_off {
            let told = again(server, &sent)?;
            if let Some(revision) = self.done.get(&sent.key) {
                let repeated = told.status == 200
                    && told.body["outcome"] == "repeated"
                    && told.body["revision"] == *revision;
                self.outcome.check(repeated, || {
                    format!(
                        "{} is revision {revision}; sent again it was told {} {}",
                        sent.key, told.status, told.body
                    )
                });
            }
            self.fresh.push(sent.key.clone());
            self.sent.insert(sent.key.clone(), Sent { told: Some(told), ..sent });
        }
        Ok(())
    }
}

fn get(wire: &mut Wire, path: &str) -> Result<(u16, Json), String> {
    let answer = wire.get(path).map_err(|error| format!("GET {path}: {error}"))?;
    Ok((answer.status, answer.json()))
}
