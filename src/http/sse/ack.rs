//! `POST /v1/watch/ack`: a client says which position it holds. No client can say so for another:
//! only a stream's own client knows its name.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::Value as Json;
use turnout_api::strict;
use turnout_api::watch::Acknowledgement;

use crate::convergence::{AckId, BadAck};
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::public::ResponseBuilder;
use crate::http::request_body::body;
use crate::http::state::PublicState;
use crate::snapshot::Position;

pub async fn acknowledge(State(state): State<PublicState>, request: Request) -> Response<Body> {
    match take(&state, request.into_body()).await {
        Ok(()) => ResponseBuilder {
            state: &state,
            snapshot: &state.live.current(),
            flag_changed_at: None,
        }
        .no_content(),
        Err(refusal) => refusal.problem(&state),
    }
}

async fn take(state: &PublicState, request: Body) -> Result<(), ApiError> {
    let bytes = body(&state.incoming_questions, true, request).await?;
    let Acknowledgement { ack_id, position } = read(&bytes)?;
    let position: Position = position
        .parse()
        .map_err(|_| invalid_body("`position` is the id of an event, like 213 or 213+2"))?;
    let name: AckId = ack_id.parse()?;
    Ok(state.hub.streams().acknowledge(name, position, state.hub.now_ms())?)
}

fn read(bytes: &[u8]) -> Result<Acknowledgement, ApiError> {
    // What is no JSON is told apart from JSON of another form; an empty body is none.
    const LIKE: &str = r#"{"ackId": "…", "position": "…"}"#;
    serde_json::from_slice::<Json>(bytes).map_err(|error| BadRequest::NotJson {
        line: error.line(),
        column: error.column(),
        like: Some(LIKE),
    })?;
    strict::read(bytes).map_err(|_| invalid_body(&format!("the body is {LIKE}")))
}

fn invalid_body(message: &str) -> ApiError {
    BadRequest::Shape(message.to_owned()).into()
}

impl From<BadAck> for ApiError {
    fn from(bad: BadAck) -> ApiError {
        match bad {
            BadAck::NoSuchStream => ApiError::NoSuchStream,
            BadAck::NeverTold => invalid_body("this stream was never told of that position"),
        }
    }
}
