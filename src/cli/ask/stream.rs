//! The life of one stream, from its client's side: what its events mean, and what is acknowledged.
//!
//! After every event the client acknowledges the position it holds, after a random delay so that
//! not all clients do so at once; of several events within the delay it acknowledges the last. A
//! state that the client does not hold is not acknowledged.

use std::pin::pin;
use std::time::Duration;

use reqwest::Response;
use serde_json::Value as Json;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::client::{Acknowledged, StrategyAnswer, StrategyClient};
use super::follow::{Gone, Source, StrategyFollower, at_most_a_day};
use crate::auth::random_number;
use crate::cli::events::{Event, Events};
use crate::cli::remote::text_of;

/// The longest an acknowledgement waits.
const ACK_WITHIN: Duration = Duration::from_millis(500);
/// How often an acknowledgement that gets lost is sent.
const TRIES: usize = 3;
/// Without any event for this long the stream counts as lost, where the server did not say how
/// often one comes.
const SILENCE: Duration = Duration::from_secs(60);

/// Why a stream ended, and how long a client is to wait before it reconnects, if that was said.
pub struct Ended {
    pub why: String,
    pub back_in: Back,
}

/// When a client reconnects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// After exactly this, as a goodbye said.
    After(Duration),
    /// After about this, chosen by the client.
    About(Option<Duration>),
}

/// What is to be acknowledged: a stream's name and a position.
type Held = Option<(String, String)>;

/// Reads a stream until it ends.
pub async fn read(
    follower: &mut StrategyFollower<'_>,
    mut response: Response,
) -> Result<Ended, Gone> {
    let mut events = Events::default();
    let (held, newest) = watch::channel(None);
    let mut acknowledging = pin!(acknowledge(follower.client(), newest));
    let (mut name, mut silence) = (String::new(), SILENCE);
    loop {
        let broken = |events: &Events, why: &str| {
            Ok(Ended {
                why: why.to_owned(),
                back_in: Back::About(events.retry_ms().map(at_most_a_day)),
            })
        };
        let piece = tokio::select! {
            piece = timeout(silence, response.chunk()) => piece,
            () = &mut acknowledging => return broken(&events, "the server has lost the stream"),
        };
        let piece = match piece {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None) | Err(_)) => return broken(&events, "the stream broke"),
            Err(_) => return broken(&events, "nothing came on the stream for too long"),
        };
        let Ok(whole) = events.feed(&piece) else { return broken(&events, "an event had no end") };
        for event in whole {
            let Ok(state) = serde_json::from_str::<Json>(&event.data) else { continue };
            if let Some(ack_id) = state["ackId"].as_str() {
                name = ack_id.to_owned();
                // Two heartbeats may be late before a stream is given up.
                let every = state["heartbeatMs"].as_u64().filter(|ms| *ms > 0).map(at_most_a_day);
                silence = every.map_or(SILENCE, |every| every * 5 / 2);
            }
            match &*text_of(&state["type"]) {
                "goodbye" => return Ok(goodbye(&state)),
                "strategy" => follower.take(answer(&state, &event), Source::Stream)?,
                // The state the server expects here, and the state this client holds: two things.
                "heartbeat" if !follower.still_holds(&state["etag"]) => {
                    if !follower.resync().await? {
                        continue;
                    }
                }
                "heartbeat" => {}
                _ => continue,
            }
            held.send_replace(Some((name.clone(), event.id)));
        }
    }
}

fn answer(state: &Json, event: &Event) -> StrategyAnswer {
    StrategyAnswer {
        document: state["document"].clone(),
        etag: text_of(&state["etag"]),
        position: event.id.clone(),
    }
}

fn goodbye(state: &Json) -> Ended {
    let why = match &*text_of(&state["reason"]) {
        "stopping" => "the server stops".to_owned(),
        "age" => "the stream was old enough".to_owned(),
        "expired" => "the token's time is over".to_owned(),
        "unknown-flag" => "there is no such flag any more".to_owned(),
        reason => format!("the server says goodbye ({reason})"),
    };
    let after = state["afterMs"].as_u64().map(at_most_a_day);
    Ended { why, back_in: after.map_or(Back::About(None), Back::After) }
}

/// Acknowledges the newest position, until the stream it belongs to is gone.
async fn acknowledge(client: &StrategyClient, mut newest: watch::Receiver<Held>) {
    while newest.changed().await.is_ok() {
        for _ in 0..TRIES {
            sleep(jitter(ACK_WITHIN)).await;
            let Some((name, position)) = newest.borrow_and_update().clone() else { break };
            match client.acknowledge(&name, &position).await {
                Acknowledged::Yes => break,
                Acknowledged::NoSuchStream => return,
                Acknowledged::Lost => {}
            }
        }
    }
    std::future::pending::<()>().await;
}

/// A random part of a duration.
pub fn jitter(time: Duration) -> Duration {
    let chance = random_number().unwrap_or(u64::MAX) >> 32;
    time.mul_f64(chance as f64 / f64::from(u32::MAX))
}
