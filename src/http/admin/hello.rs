//! A server proves that it is the one a token is for, to a caller that has not sent the token yet.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use turnout_api::admin::hello::{Hello, HelloRequest};
use turnout_api::strict;

use super::answer::{json as answer, refuse};
use super::body::{invalid_request, one_line};
use super::state::AdminState;
use crate::auth::{MAX_NONCE_BYTES, MIN_NONCE_BYTES, TokenId};
use crate::http::error::ApiError;
use crate::http::request_body::body as read_body;

pub async fn hello(State(state): State<AdminState>, body: Body) -> Response<Body> {
    match prove(&state, body).await {
        Ok(proof) => {
            answer(&state, StatusCode::OK, &Hello { address: state.address.to_string(), proof })
        }
        Err(refusal) => refuse(&state, &refusal),
    }
}

async fn prove(state: &AdminState, body: Body) -> Result<String, ApiError> {
    let bytes = read_body(&state.public.incoming_commands, true, body).await?;
    let HelloRequest { nonce, token } = strict::read(&bytes)?;
    one_line("nonce", MAX_NONCE_BYTES, Some(&nonce))?;
    if nonce.len() < MIN_NONCE_BYTES {
        return Err(invalid_request(format!(
            "`nonce` has {MIN_NONCE_BYTES} to {MAX_NONCE_BYTES} bytes"
        )));
    }
    one_line("token", TokenId::DIGITS, Some(&token))?;
    let token = TokenId::parse(&token)
        .ok_or_else(|| invalid_request(format!("`token` has {} hex digits", TokenId::DIGITS)))?;
    let proof = state.operators.prove(
        token,
        &nonce,
        &state.address.to_string(),
        state.coordinator.clock().now(),
    );
    // The same response as to a bad token: guessing here reveals no more than trying the token
    // would.
    proof.map(|proof| proof.as_str().to_owned()).ok_or(ApiError::NoToken)
}
