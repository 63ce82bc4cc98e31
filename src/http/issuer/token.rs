//! `POST /v1/token`: a verified user whose strategy is `realtime-v2` gets a token for streams.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use tokio::time::timeout;
use turnout_api::question::Question;
use turnout_api::sessions::{NewToken as Wanted, StreamToken};

use super::answer::unkept;
use super::body::asked;
use super::context::{MAX_CONTEXT_BYTES, TokenContext};
use crate::auth::{NewToken, Session};
use crate::feeds::{Reader, StreamKey};
use crate::flag::{ContextNeeds, Strategy};
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::feeds::check_flag;
use crate::http::headers::{FLAG_REVISION, TIME};
use crate::http::public::{Caller, EvaluationRequest, KeptContext, user, with_body};
use crate::http::rate_limit;
use crate::http::request_body::MAX_BODY_BYTES;
use crate::http::state::PublicState;
use crate::quota::Policy;
use crate::snapshot::{Position, Snapshot};

pub const TOKEN_PATH: &str = "/v1/token";
/// What a body looks like.
const LIKE: &str = r#"{"flag": "…", "stream": "…"}"#;
/// The most streams of a token.
pub const MAX_TOKEN_STREAMS: usize = 20;
/// A token that lives less is not made: it ends by whole seconds, and could be over at once.
const MIN_LIFE: Duration = Duration::from_secs(1);
/// How long a node that is behind may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(1);
/// What a client has at least to get the next token in, unless that is more than half of the life.
const REFRESH_MARGIN: Duration = Duration::from_secs(120);

pub async fn token(State(state): State<PublicState>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let caller = match user(&state, &head.headers) {
        Ok(caller) => caller,
        Err(refusal) => return refusal.problem(&state),
    };
    let who = caller.clone();
    let answer = async {
        match minted(&state, &head.headers, caller, body).await {
            Ok(token) => {
                let mut response = unkept(&state, StatusCode::OK, &token);
                // A client that enters realtime may have had no poll by which to set its clock.
                let time = state.clock.wall_ms().max(0) as u64;
                response.headers_mut().insert(TIME, time.into());
                response
            }
            Err(refusal) => refusal.problem(&state),
        }
    };
    rate_limit::limited(&state, Policy::Token, &who, answer).await
}

async fn minted(
    state: &PublicState,
    headers: &HeaderMap,
    caller: Caller,
    body: Body,
) -> Result<StreamToken, ApiError> {
    let (caller, bytes) = with_body(state, caller, MAX_BODY_BYTES, body).await?;
    let Caller::User(session) = &caller else { return Err(ApiError::Unauthenticated) };
    let Wanted { flag, stream, streams, attributes } = asked(&bytes, LIKE)?;
    let streams = named_once(stream, streams)?;
    catch_up(state, headers).await?;
    let question = Question { targeting_key: None, attributes };
    let question = serde_json::to_vec(&question).unwrap_or_default();
    let question = EvaluationRequest::native(&question)?;
    question.context(&caller)?;
    let named = readable(state, session, &flag, &streams).await?;
    // Nothing is awaited from here on: what is signed is what holds now.
    let snapshot = state.live.current().clone();
    check_flag(&snapshot, &flag)?;
    let entry = snapshot.flag(&flag).ok_or(ApiError::NotRealtime)?;
    let needs = entry.flag().map(ContextNeeds::by).unwrap_or_default();
    let kept = KeptContext::of(question, &caller, &needs);
    if !is_realtime(&snapshot, &flag, &kept) {
        return Err(ApiError::NotRealtime);
    }
    let context = TokenContext::new(kept, named, session).to_bytes().ok_or_else(|| {
        BadRequest::TooLarge(format!(
            "what the flag asks of this user takes more than {MAX_CONTEXT_BYTES} bytes"
        ))
    })?;
    let now = state.clock.now();
    let realtime = entry.flag().map(|flag| flag.definition.transports.realtime.token_ttl);
    let life = realtime.unwrap_or_default().min(session.lives_for(now));
    // The session is over, or as good as over.
    if life < MIN_LIFE {
        return Err(ApiError::Unauthenticated);
    }
    let issuer = state.authenticator.issuer.as_ref().ok_or(ApiError::IssuerUnavailable)?;
    let token = issuer.mint_token(
        &NewToken {
            subject: session.subject().ok_or(ApiError::Unauthenticated)?,
            flag: entry.key(),
            streams: &streams,
            flag_revision: std::str::from_utf8(entry.changed_at()).unwrap_or_default(),
            context: &context,
            ttl: life,
        },
        now,
    )?;
    // Sessions that were revoked while the node caught up; a revocation from here on is not before
    // the token's `iat`, and so covers the token.
    if !caller.is_still_let_in(&state.authenticator, || state.clock.now()) {
        return Err(ApiError::Unauthenticated);
    }
    Ok(StreamToken {
        token,
        token_type: "Bearer".to_owned(),
        expires_in_ms: life.as_millis() as u64,
        refresh_after_ms: refresh_after(life).as_millis() as u64,
    })
}

/// Whether what was asked is answered `realtime-v2` at a snapshot.
pub fn is_realtime(snapshot: &Snapshot, flag: &str, kept: &KeptContext) -> bool {
    let strategy = snapshot
        .flag(flag)
        .zip(kept.context())
        .map(|(entry, context)| snapshot.evaluate(entry, &context).strategy);
    strategy == Some(Strategy::RealtimeV2)
}

/// The names of a body, each once, in their order.
fn named_once(
    stream: Option<String>,
    streams: Option<Vec<String>>,
) -> Result<Vec<String>, ApiError> {
    let all = match (stream, streams) {
        (Some(stream), None) => vec![stream],
        (None, Some(streams)) => streams,
        _ => {
            return Err(ApiError::InvalidRequest(
                "the body has a `stream`, or several `streams`".to_owned(),
            ));
        }
    };
    let mut seen = BTreeSet::new();
    let all: Vec<String> = all.into_iter().filter(|name| seen.insert(name.clone())).collect();
    match all.len() {
        0 => Err(ApiError::InvalidRequest("`streams` names one stream at least".to_owned())),
        1..=MAX_TOKEN_STREAMS => Ok(all),
        _ => {
            Err(BadRequest::TooLarge(format!("a token is for at most {MAX_TOKEN_STREAMS} streams"))
                .into())
        }
    }
}

/// Checks that the user may read all of these streams. Returns those that the session names.
async fn readable(
    state: &PublicState,
    session: &Arc<Session>,
    flag: &str,
    streams: &[String],
) -> Result<BTreeSet<String>, ApiError> {
    check_flag(&state.live.current(), flag)?;
    let mut named = BTreeSet::new();
    for stream in streams {
        let key = StreamKey::parse(flag, stream).ok_or(ApiError::StreamNotFound)?;
        let is_named = session.names_stream(flag, stream);
        let reader = match session.subject() {
            _ if is_named => Reader::Any,
            Some(subject) => Reader::User(subject.as_str()),
            None => return Err(ApiError::Unauthenticated),
        };
        state.feeds.check(&key, reader).await?;
        if is_named {
            named.insert(stream.clone());
        }
    }
    Ok(named)
}

/// Waits until this node knows the revision of the flag that the client has heard of.
async fn catch_up(state: &PublicState, headers: &HeaderMap) -> Result<(), ApiError> {
    let heard = headers.get_all(FLAG_REVISION).iter();
    let heard = heard.filter_map(|text| text.to_str().ok()?.parse::<Position>().ok()).max();
    let Some(heard) = heard else { return Ok(()) };
    let mut positions = state.live.positions();
    let reached = positions.wait_for(|position| *position >= heard);
    match timeout(CATCH_UP, reached).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(ApiError::Behind),
    }
}

/// The larger of half the life, and what leaves a quarter of it or the margin.
fn refresh_after(life: Duration) -> Duration {
    (life / 2).max(life.saturating_sub((life / 4).max(REFRESH_MARGIN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_refreshed_while_enough_of_it_is_left() {
        for (life, expected) in [(600, 450), (400, 280), (3_600, 2_700), (200, 100), (2, 1)] {
            let life = Duration::from_secs(life);
            assert_eq!(refresh_after(life), Duration::from_secs(expected), "{life:?}");
        }
    }
}
