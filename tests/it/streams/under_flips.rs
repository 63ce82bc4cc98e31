//! Every stream under flips, restarts and lag: positions never fall within one stream, every state
//! sent is the one that held for that user at that position, and whatever happened on the way, each
//! stream ends on the current state.
//!
//! Heartbeats are an hour apart here, so that nothing recovers by itself: a stream that misses a
//! change stays behind, and is found.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::random::Random;
use crate::support::watcher::{Event, Watcher};
use crate::support::{Service, flag, wait_until};
use serde_json::{Value as Json, json};
use tokio::time::sleep;
use turnout::http::StreamLimits;
use turnout::snapshot::Position;

const FLAGS: [&str; 3] = ["a", "b", "c"];
const USERS: usize = 8;
const FLIPS: usize = 90;
const FLIPS_A_LIFE: usize = 30;

/// Which user watches which flag; `None` for all flags.
#[derive(Clone, Copy, Debug)]
struct Who {
    flag: Option<&'static str>,
    user: usize,
}

/// What was received: a position and the state that held from it on. A stream's end is a line of
/// its own.
type Heard = Arc<Mutex<Vec<Option<(Position, Json)>>>>;

impl Who {
    fn everybody() -> Vec<Who> {
        let flags = FLAGS.iter().map(|flag| Some(*flag)).chain([None]);
        flags.flat_map(|flag| (0..USERS).map(move |user| Who { flag, user })).collect()
    }

    fn path(&self, all: &str) -> String {
        self.flag.map_or(all.to_owned(), |flag| format!("/v1/strategy/{flag}"))
    }

    fn body(&self) -> String {
        json!({ "targetingKey": format!("u-{}", self.user) }).to_string()
    }

    /// The answer to a question.
    async fn ask(&self, service: &Service) -> Json {
        service.post(&self.path("/v1/strategy"), self.body()).await.json().await.unwrap()
    }

    /// Watches for ever, and reconnects whenever a stream ends.
    async fn watch(self, address: Arc<Mutex<String>>, client: reqwest::Client, heard: Heard) {
        let path = self.flag.map_or("/v1/watch".to_owned(), |_| format!("{}/watch", self.path("")));
        loop {
            let url = format!("{}{path}", address.lock().unwrap());
            let Ok(response) = client.post(url).body(self.body()).send().await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            let mut stream = Watcher::of(response);
            while let Some(Event { id, data, .. }) = stream.maybe_next().await {
                let state = data.get("document").or(data.get("documents")).cloned();
                if let (Some(id), Some(state)) = (id, state) {
                    heard.lock().unwrap().push(Some((id.parse().unwrap(), state)));
                }
                // Some lag, so that states are replaced before they are taken.
                if self.user.is_multiple_of(3) {
                    sleep(Duration::from_millis(40)).await;
                }
            }
            heard.lock().unwrap().push(None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stream_ends_on_the_current_state_and_never_goes_back() {
    let limits = StreamLimits { heartbeat: Duration::from_secs(3_600), ..StreamLimits::default() };
    let files =
        FLAGS.map(|key| (format!("{key}.yaml"), flag(key, "rollout: { realtime-v2: 50% }")));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let mut service = Service::start_streaming(&files, limits).await;
    let address = Arc::new(Mutex::new(service.url("")));
    let watchers: Vec<(Who, Heard)> =
        Who::everybody().into_iter().map(|who| (who, Heard::default())).collect();
    let tasks: Vec<_> = watchers
        .iter()
        .map(|(who, heard)| {
            tokio::spawn(who.watch(address.clone(), service.client.clone(), heard.clone()))
        })
        .collect();

    // The state that held for each user, and up to which position.
    let mut held: Vec<(Position, Vec<Json>)> = Vec::new();
    let mut random = Random(20_261_125);
    for flip in 0..FLIPS {
        if flip > 0 && flip.is_multiple_of(FLIPS_A_LIFE) {
            if flip.is_multiple_of(2) {
                service.stop().await;
            } else {
                service.crash().await;
            }
            service.restart().await;
            *address.lock().unwrap() = service.url("");
        }
        turn(&service, &mut random).await;
        let mut answers = Vec::new();
        for (who, _) in &watchers {
            answers.push(who.ask(&service).await);
        }
        held.push((service.app.coordinator().live().current().position(), answers));
    }

    let (_, now) = held.last().unwrap();
    let newest = |heard: &Heard| {
        heard.lock().unwrap().iter().flatten().next_back().map(|(_, state)| state.clone())
    };
    wait_until("every stream on the state of now", async || {
        watchers.iter().zip(now).all(|((_, heard), now)| newest(heard).as_ref() == Some(now))
    })
    .await;
    tasks.iter().for_each(|task| task.abort());
    let mut events = 0;
    for (index, (who, heard)) in watchers.iter().enumerate() {
        let mut last = None;
        for heard in heard.lock().unwrap().iter() {
            let Some((position, state)) = heard else {
                last = None;
                continue;
            };
            assert!(last.is_none_or(|last| *position > last), "{who:?}: {position} after {last:?}");
            last = Some(*position);
            // A question is asked when a flip is done: the state after the flip before it holds up
            // to its position.
            let then = held.iter().find(|(until, _)| position <= until);
            if position.revision > 1 {
                assert_eq!(
                    Some(state),
                    then.map(|(_, answers)| &answers[index]),
                    "{who:?} at {position}"
                );
            }
            events += 1;
        }
    }
    assert!(events > FLIPS, "{events} events: too few to prove anything");
}

/// One random command, whatever its outcome.
async fn turn(service: &Service, random: &mut Random) {
    let flag = FLAGS[random.below(FLAGS.len() as u64) as usize];
    let (verb, body) = match random.below(8) {
        0 => ("stop", json!({})),
        1 | 2 => ("resume", json!({ "reason": "test" })),
        3 => ("rollback", json!({ "reason": "test" })),
        share => {
            ("set", json!({ "realtime-v2": format!("{}%", (share - 4) * 33), "reason": "test" }))
        }
    };
    service.order(&format!("/v1/flags/{flag}/{verb}"), body).await;
}
