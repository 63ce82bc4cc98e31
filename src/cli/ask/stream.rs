//! The life of one stream, from its client's side: what its events mean, and what is acknowledged.
//!
//! After every event the client acknowledges the position it holds, after a random delay so that
//! not all clients do so at once; of several events within the delay it acknowledges the last. A
//! state that the client does not hold is not acknowledged.

use std::pin::pin;
use std::time::Duration;

use reqwest::Response;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use turnout_api::watch::{CloseReason, EventKind, WatchEvent};

use super::client::{Acknowledged, StrategyAnswer, StrategyClient};
use super::follow::{Gone, Source, StrategyFollower, at_most_a_day};
use crate::auth::random_number;
use crate::cli::answer::Answer;
use crate::cli::events::Events;

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
            let url = &follower.client().url;
            let Answer { json, read } =
                match Answer::<WatchEvent>::of(event.data.as_bytes(), url, "public") {
                    Ok(answer) => answer,
                    // What it says may be read where it is asked for.
                    Err(error) => {
                        follower.say(&error.message);
                        continue;
                    }
                };
            if let Some(ack_id) = read.ack_id {
                name = ack_id;
                // Two heartbeats may be late before a stream is given up.
                let every = read.heartbeat_ms.filter(|ms| *ms > 0).map(at_most_a_day);
                silence = every.map_or(SILENCE, |every| every * 5 / 2);
            }
            match read.kind {
                EventKind::Goodbye => return Ok(goodbye(read.reason, read.after_ms)),
                EventKind::Strategy => {
                    let (Some(document), Some(sent)) = (read.document, json.get("document")) else {
                        continue;
                    };
                    let document = Answer { json: sent.clone(), read: document };
                    let etag = read.etag.unwrap_or_default();
                    let position = event.id.clone();
                    follower.take(
                        StrategyAnswer { document, etag, position, error_attribute: None },
                        Source::Stream,
                    )?;
                }
                // The state the server expects here, and the state this client holds: two things.
                EventKind::Heartbeat if !follower.still_holds(read.etag.as_deref()) => {
                    if !follower.resync().await? {
                        continue;
                    }
                }
                EventKind::Heartbeat => {}
                _ => continue,
            }
            held.send_replace(Some((name.clone(), event.id)));
        }
    }
}

fn goodbye(reason: Option<CloseReason>, after_ms: Option<u64>) -> Ended {
    let why = match reason.unwrap_or(CloseReason::Unknown) {
        CloseReason::Stopping => "the server stops".to_owned(),
        CloseReason::Age => "the stream was old enough".to_owned(),
        CloseReason::Expired => "the token's time is over".to_owned(),
        CloseReason::UnknownFlag => "there is no such flag any more".to_owned(),
        reason => format!("the server says goodbye ({reason})"),
    };
    let after = after_ms.map(at_most_a_day);
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
