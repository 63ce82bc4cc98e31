//! `POST /v1/sessions/revoke`: whatever was issued to a user until now is refused.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use turnout_api::sessions::{RevokeSessions, SessionsRevoked};

use super::answer::unkept;
use super::body::{OF_A_USER, asked};
use crate::auth::ServerAction;
use crate::flag::TargetingKey;
use crate::http::error::ApiError;
use crate::http::public::{server, with_body};
use crate::http::request_body::MAX_BODY_BYTES;
use crate::http::state::PublicState;

pub const REVOKE_PATH: &str = "/v1/sessions/revoke";

pub async fn revoke(State(state): State<PublicState>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let done = async {
        // A user's sessions are for every flag, so a key for some flags does not do.
        let server = server(&state, &head.headers, ServerAction::Sessions, None)?;
        let (_, bytes) = with_body(&state, server, MAX_BODY_BYTES, body).await?;
        revoked(&state, &bytes).await
    };
    match done.await {
        Ok((status, revoked)) => unkept(&state, status, &revoked),
        Err(refusal) => refusal.problem(&state),
    }
}

/// Revokes the sessions of the user whom a body names, for a caller who may. The streams end
/// whatever the disk does. 202 says that it is not durable yet.
///
/// # Errors
/// What is wrong with the body.
pub async fn revoked(
    state: &PublicState,
    body: &[u8],
) -> Result<(StatusCode, SessionsRevoked), ApiError> {
    let asked: RevokeSessions = asked(body, OF_A_USER)?;
    let user = user(&asked)?;
    let revocation = state.revoker.refuse(user);
    state.hub.look_at_streams_of(revocation.is_of_one_user().then(|| user.as_str()));
    let survives_restart = state.revoker.keep(revocation).await;
    let status = if survives_restart { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, SessionsRevoked { revoked_at_ms: revocation.at_ms, survives_restart }))
}

fn user(asked: &RevokeSessions) -> Result<TargetingKey<'_>, ApiError> {
    let wrong = || {
        let what = "`targetingKey` is the user's id, a text of 1 to 256 bytes";
        ApiError::InvalidRequest(what.to_owned())
    };
    TargetingKey::parse(&asked.targeting_key).ok().flatten().ok_or_else(wrong)
}
