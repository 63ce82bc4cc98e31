//! `POST /v1/sessions`: a server of the application gets a session for one of its users.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use turnout_api::sessions::{NewSession as Wanted, Session};

use super::answer::unkept;
use super::body::{OF_A_USER, asked};
use crate::auth::{
    MAX_SESSION_STREAMS, MAX_SESSION_TTL_MS, MintError, NewSession, SESSION_TTL_MS, ServerAction,
};
use crate::feeds::is_stream;
use crate::flag::{FlagKey, MAX_ATTRIBUTES, MAX_UNIT_BYTES, TargetingKey};
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::public::{server, with_body};
use crate::http::request_body::MAX_BODY_BYTES;
use crate::http::state::PublicState;

pub const SESSIONS_PATH: &str = "/v1/sessions";
/// The shortest life of a session, in milliseconds.
const MIN_TTL_MS: u64 = 1_000;

pub async fn create(State(state): State<PublicState>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let done = async {
        // A session counts for every flag, so a key that reaches some of them makes none.
        let server = server(&state, &head.headers, ServerAction::Sessions, None)?;
        let (_, bytes) = with_body(&state, server, MAX_BODY_BYTES, body).await?;
        made(&state, &bytes)
    };
    match done.await {
        Ok(session) => unkept(&state, StatusCode::OK, &session),
        Err(refusal) => refusal.problem(&state),
    }
}

/// Makes the session that a body asks for, for a caller who may.
pub fn made(state: &PublicState, body: &[u8]) -> Result<Session, ApiError> {
    let Wanted { targeting_key, attributes, streams, ttl_ms } = asked(body, OF_A_USER)?;
    let subject = TargetingKey::parse(&targeting_key).ok().flatten().ok_or_else(|| {
        invalid(format!("`targetingKey` has 1 to {MAX_UNIT_BYTES} bytes: who the session is for"))
    })?;
    let attributes = attributes.unwrap_or_default();
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(too_large(format!("a session has at most {MAX_ATTRIBUTES} attributes")));
    }
    let streams = named(streams.unwrap_or_default())?;
    let ttl_ms = ttl_ms.unwrap_or(SESSION_TTL_MS);
    if !(MIN_TTL_MS..=MAX_SESSION_TTL_MS).contains(&ttl_ms) {
        return Err(invalid(format!(
            "`ttlMs` is a time from {MIN_TTL_MS} to {MAX_SESSION_TTL_MS} milliseconds"
        )));
    }
    let issuer = state.authenticator.issuer.as_ref().ok_or(ApiError::IssuerUnavailable)?;
    let new = NewSession {
        subject,
        attributes: &attributes,
        streams: &streams,
        ttl: Duration::from_millis(ttl_ms),
    };
    let session = issuer.mint_session(&new, state.clock.now())?;
    Ok(Session { session, expires_in_ms: ttl_ms })
}

/// The streams of a body, by flag.
fn named(
    streams: std::collections::BTreeMap<String, Vec<String>>,
) -> Result<Vec<(FlagKey, String)>, ApiError> {
    if streams.values().map(Vec::len).sum::<usize>() > MAX_SESSION_STREAMS {
        return Err(too_large(format!("a session names at most {MAX_SESSION_STREAMS} streams")));
    }
    let mut named = Vec::new();
    for (flag, streams) in streams {
        let flag: FlagKey =
            flag.parse().map_err(|_| invalid("`streams` names each flag by its key".to_owned()))?;
        for stream in streams {
            if !is_stream(&stream) {
                return Err(invalid("`streams` holds a name that no stream can have".to_owned()));
            }
            named.push((flag.clone(), stream));
        }
    }
    Ok(named)
}

fn invalid(message: String) -> ApiError {
    ApiError::InvalidRequest(message)
}

fn too_large(message: String) -> ApiError {
    BadRequest::TooLarge(message).into()
}

impl From<MintError> for ApiError {
    fn from(error: MintError) -> ApiError {
        match error {
            MintError::NoKey => ApiError::IssuerUnavailable,
            MintError::TooLarge => too_large(error.to_string()),
        }
    }
}
