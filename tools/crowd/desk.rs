//! Commands in, answers out: one command at a time, a line each, answered by one line of JSON when
//! it is done or its time is over (then with `"late": true`). What there is stands in `main.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Waker;
use serde_json::{Value as Json, json};

use crate::crowd::Crowd;
use crate::told::milliseconds;
use crate::trigger::{Sent, Trigger};

/// A command that is not done yet.
pub struct Task {
    began: Instant,
    until: Instant,
    goal: Goal,
}

enum Goal {
    There(usize),
    Told { wanted: usize, trigger: Option<(Sent, Option<Json>)> },
    Quiet(Duration),
    Checked,
    Churned,
    Nothing,
}

impl Task {
    /// Begins what a line asks for.
    pub fn begin(line: &str, crowd: &mut Crowd, waker: &Arc<Waker>) -> Result<Task, String> {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let mut word =
            |what: &str| words.next().map(str::to_owned).ok_or(format!("`{name}` takes {what}"));
        let began = Instant::now();
        let (goal, within) = match name {
            "open" => {
                let streams = number(&word("how many streams")?)?;
                crowd.invite(streams);
                (Goal::There(streams), seconds(&word("seconds")?)?)
            }
            "back" => {
                (Goal::There(number(&word("how many streams")?)?), seconds(&word("seconds")?)?)
            }
            "acks" => {
                let within = word("milliseconds, or `off`")?;
                crowd.ack_within = if within == "off" {
                    None
                } else {
                    Some(Duration::from_millis(number(&within)? as u64))
                };
                (Goal::Nothing, Duration::ZERO)
            }
            "mark" => {
                crowd.mark(began);
                (Goal::Nothing, Duration::ZERO)
            }
            "wait" => {
                let wanted = number(&word("how many streams")?)?;
                (Goal::Told { wanted, trigger: None }, seconds(&word("seconds")?)?)
            }
            "trigger" => {
                let (wanted, within) =
                    (number(&word("how many streams")?)?, seconds(&word("seconds")?)?);
                let trigger = Trigger {
                    address: word("an address")?
                        .parse::<SocketAddr>()
                        .map_err(|error| error.to_string())?,
                    bearer: Some(word("a bearer, or `-`")?).filter(|bearer| bearer != "-"),
                    path: word("a path")?,
                    body: words.collect::<Vec<_>>().join(" "),
                };
                let sent = trigger.pull(waker.clone()).map_err(|error| error.to_string())?;
                crowd.mark(sent.0);
                (Goal::Told { wanted, trigger: Some((sent, None)) }, within)
            }
            "quiet" => (
                Goal::Quiet(Duration::from_millis(number(&word("milliseconds")?)? as u64)),
                seconds(&word("seconds")?)?,
            ),
            "check" => {
                crowd.check();
                (Goal::Checked, seconds(&word("seconds")?)?)
            }
            "churn" => {
                let (clients, a_second) =
                    (number(&word("how many clients")?)?, number(&word("how many a second")?)?);
                crowd.churn(clients, a_second);
                (Goal::Churned, seconds(&word("seconds")?)?)
            }
            "hold" => (Goal::Nothing, Duration::ZERO),
            other => return Err(format!("what is `{other}`?")),
        };
        Ok(Task { began, until: began + within, goal })
    }

    /// Its answer, once it is done.
    pub fn done(&mut self, crowd: &Crowd, now: Instant) -> Option<Json> {
        let late = now >= self.until;
        let done = match &mut self.goal {
            Goal::There(wanted) => crowd.there() >= *wanted,
            Goal::Told { wanted, trigger } => {
                if let Some((sent, answer @ None)) = trigger {
                    *answer = sent.1.try_recv().ok().map(|(answer, after)| {
                        let body = serde_json::from_str::<Json>(&answer.body).unwrap_or(Json::Null);
                        json!({ "status": answer.status, "afterMs": milliseconds(&after), "body": body })
                    });
                }
                crowd.told.count() >= *wanted
                    && trigger.as_ref().is_none_or(|(_, answer)| answer.is_some())
            }
            Goal::Quiet(still) => now - crowd.last_document >= *still,
            Goal::Checked => crowd.checks.left == 0,
            Goal::Churned => crowd.churn.left + crowd.churn.under_way == 0,
            Goal::Nothing => true,
        };
        if !done && !late {
            return None;
        }
        let mut answer = match &self.goal {
            Goal::Told { trigger, .. } => {
                let mut told = crowd.told.report();
                if let Some((_, Some(answer))) = trigger {
                    told["answer"] = answer.clone();
                }
                told
            }
            Goal::Quiet(_) => crowd.told.report(),
            Goal::Checked => {
                let checks = &crowd.checks;
                json!({ "same": checks.same, "old": checks.old, "failed": checks.failed + checks.left })
            }
            _ => crowd.report(),
        };
        answer["tookMs"] = json!(milliseconds(&(now - self.began)));
        if !done {
            answer["late"] = json!(true);
        }
        Some(answer)
    }

    /// When to look again, if nothing happens until then.
    pub fn look_again(&self, crowd: &Crowd) -> Instant {
        match self.goal {
            Goal::Quiet(still) => self.until.min(crowd.last_document + still),
            _ => self.until,
        }
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    number(text).map(|seconds| Duration::from_secs(seconds as u64))
}
