//! The OpenFeature Remote Evaluation Protocol 0.3: one flag, or all of them with a tag.
//!
//! In the protocol the single call has neither tag nor 304; the bulk call has both, and a failure
//! of one flag never fails the others.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri};

use super::all_flags::Tagged;
use super::auth;
use super::caller::Caller;
use super::error_attribute::name_mistyped_attribute;
use super::evaluation_request::EvaluationRequest;
use super::response::ResponseBuilder;
use crate::document::{Document, Form};
use crate::flag::{FlagKey, Step};
use crate::http::error::ApiError;
use crate::http::flag_path::{FlagPath, key};
use crate::http::sse::CHANGES_PATH;
use crate::http::state::PublicState;
use crate::public_path::PublicPath;
use crate::snapshot::Position;
use crate::telemetry;

/// The path on which one flag is asked for.
pub const ONE_PATH: &str = "/ofrep/v1/evaluate/flags/{key}";

pub async fn one(
    State(state): State<PublicState>,
    path: FlagPath,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    evaluate_posted(&state, key(&path), &head.headers, body).await
}

/// Evaluates for the user that the body names.
pub async fn evaluate_posted(
    state: &PublicState,
    key: &str,
    headers: &HeaderMap,
    request_body: Body,
) -> Response<Body> {
    let answer = async {
        let (caller, bytes) =
            auth::caller_with_body(state, headers, Some(key), request_body).await?;
        answer_one(state, key, &EvaluationRequest::ofrep(&bytes)?, &caller)
    };
    answer.await.unwrap_or_else(|refusal| refusal.ofrep(state, Some(key)))
}

fn answer_one(
    state: &PublicState,
    key: &str,
    question: &EvaluationRequest<'_>,
    caller: &Caller,
) -> Result<Response<Body>, ApiError> {
    let context = question.context(caller)?;
    let snapshot = state.live.current();
    let respond = |status, document: &Document, flag_changed_at| {
        ResponseBuilder { state, snapshot: &snapshot, flag_changed_at }.json(
            status,
            document.ofrep.clone(),
            None,
        )
    };
    match snapshot.flag(key) {
        Some(entry) => {
            state.hub.record_poller(key, &context);
            let resolution = snapshot.evaluate(entry, &context);
            telemetry::evaluation(key, resolution);
            let status = match resolution.step {
                Step::NoUnit | Step::Error => StatusCode::BAD_REQUEST,
                _ => StatusCode::OK,
            };
            let mut response = entry.document(resolution, |document| {
                respond(status, document, Some(entry.changed_at()))
            });
            if resolution.step == Step::Error {
                name_mistyped_attribute(state, entry, &context, response.headers_mut());
            }
            Ok(response)
        }
        None if snapshot.is_cold() && FlagKey::accepts(key) => {
            Ok(respond(StatusCode::OK, &Document::cold_start(key, snapshot.public_path()), None))
        }
        None => Err(ApiError::UnknownFlag),
    }
}

pub async fn all(State(state): State<PublicState>, request: Request) -> Response<Body> {
    answer_all(&state, request).await.unwrap_or_else(|refusal| refusal.ofrep(&state, None))
}

async fn answer_all(state: &PublicState, request: Request) -> Result<Response<Body>, ApiError> {
    let (head, request_body) = request.into_parts();
    let (caller, bytes) = auth::caller_with_body(state, &head.headers, None, request_body).await?;
    let (snapshot, every) =
        state.decide_every(Form::Ofrep, bytes, &caller, state.event_streams.clone()).await?;
    let tagged = match () {
        () if snapshot.is_cold() => Tagged::Never,
        () if awaits_another_configuration(&head.uri, snapshot.configured_at()) => Tagged::Always,
        () => Tagged::AndCompared,
    };
    let answer = ResponseBuilder { state, snapshot: &snapshot, flag_changed_at: None };
    Ok(every.answer(&answer, &head.headers, tagged, &caller))
}

/// The member of the bulk response that says where to hear of changes (ADR 8): an address without a
/// host, as the caller may have come through any proxy.
pub fn event_streams(public_path: &PublicPath) -> String {
    let address = public_path.address(CHANGES_PATH);
    format!(r#","eventStreams":[{{"type":"sse","endpoint":{{"requestUri":"{address}"}}}}]"#)
}

/// Whether an event announced a configuration to the caller that is not this node's: then the
/// caller must get this node's state, never a 304 (ADR 8).
fn awaits_another_configuration(uri: &Uri, position: Position) -> bool {
    let own = format!("r{position}");
    // `+` stands for a blank in a query, so a position with pending entries arrives as `%2B`, or
    // raw from careless clients.
    let decoded = |value: &str| {
        value.replace("%2B", "+").replace("%2b", "+").replace("%22", "").replace('"', "")
    };
    uri.query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, value)| name == "flagConfigEtag" && decoded(value) != own)
}
