//! `POST /v1/watch/ack`: a client says which position it holds. Nobody can say so for another: the name of a stream is known to its client
//! alone.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::Value as Json;

use crate::convergence::{AckId, BadAck};
use crate::http::Surface;
use crate::http::answer::Answer;
use crate::http::error::Refusal;
use crate::http::question::{BadQuestion, body};
use crate::snapshot::Position;

pub async fn acknowledge(State(surface): State<Surface>, request: Request) -> Response<Body> {
    match take(&surface, request.into_body()).await {
        Ok(()) => Answer { surface: &surface, snapshot: &surface.live.current(), flag_changed_at: None }.nothing(),
        Err(refusal) => refusal.problem(&surface),
    }
}

async fn take(surface: &Surface, request: Body) -> Result<(), Refusal> {
    let bytes = body(&surface.arriving, true, request).await?;
    let said: Json =
        serde_json::from_slice(&bytes).map_err(|error| BadQuestion::NotJson { line: error.line(), column: error.column() })?;
    let members = said.as_object().filter(|members| members.len() == 2);
    let text = |name: &str| members.and_then(|members| members.get(name)?.as_str());
    let (Some(name), Some(position)) = (text("ackId"), text("position")) else {
        return Err(shape("the body is {\"ackId\": \"…\", \"position\": \"…\"}"));
    };
    let position: Position = position.parse().map_err(|_| shape("`position` is the id of an event, like 213 or 213+2"))?;
    let name: AckId = name.parse()?;
    Ok(surface.hub.streams().acknowledge(name, position, surface.hub.now_ms())?)
}

fn shape(fault: &str) -> Refusal {
    BadQuestion::Shape(fault.to_owned()).into()
}

impl From<BadAck> for Refusal {
    fn from(bad: BadAck) -> Refusal {
        match bad {
            BadAck::NoSuchStream => Refusal::NoSuchStream,
            BadAck::NeverTold => shape("this stream was never told of that position"),
        }
    }
}
