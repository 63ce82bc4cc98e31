//! `POST /v1/strategy/{flag}` and `POST /v1/strategy`: the strategy document of one flag, or of all
//! flags; `GET /v1/strategy/{flag}`: the same for the user of a session token.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::VARY;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;

use super::all_flags::Tagged;
use super::auth;
use super::caller::Caller;
use super::error_attribute::name_mistyped_attribute;
use super::evaluation_request::EvaluationRequest;
use super::response::{ResponseBuilder, if_none_match};
use crate::document::{Document, Form};
use crate::flag::{FlagKey, Step};
use crate::http::error::ApiError;
use crate::http::flag_path::{FlagPath, key};
use crate::http::state::PublicState;
use crate::telemetry;

/// The path on which one flag is asked for.
pub const ONE_PATH: &str = "/v1/strategy/{flag}";

pub async fn one(
    State(state): State<PublicState>,
    path: FlagPath,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    evaluate_posted(&state, key(&path), &head.headers, body).await
}

pub async fn get_own(
    State(state): State<PublicState>,
    path: FlagPath,
    headers: HeaderMap,
) -> Response<Body> {
    evaluate_own(&state, key(&path), &headers)
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
        answer_one(state, key, headers, &EvaluationRequest::native(&bytes)?, &caller)
    };
    answer.await.unwrap_or_else(|refusal| refusal.problem(state))
}

/// Evaluates for the user that a session token speaks for. It has no body, so the response has an
/// address of its own.
pub fn evaluate_own(state: &PublicState, key: &str, headers: &HeaderMap) -> Response<Body> {
    let answer = auth::own_user(state, headers)
        .and_then(|caller| answer_one(state, key, headers, &EvaluationRequest::empty(), &caller));
    let mut response = answer.unwrap_or_else(|refusal| refusal.problem(state));
    response.headers_mut().append(VARY, HeaderValue::from_static("authorization, x-api-key"));
    response
}

fn answer_one(
    state: &PublicState,
    key: &str,
    headers: &HeaderMap,
    question: &EvaluationRequest<'_>,
    caller: &Caller,
) -> Result<Response<Body>, ApiError> {
    let context = question.context(caller)?;
    let snapshot = state.live.current();
    let respond = |document: &Document, flag_changed_at| {
        let matched = if_none_match(headers, &document.etag);
        let answer = ResponseBuilder { state, snapshot: &snapshot, flag_changed_at };
        answer.json(StatusCode::OK, document.strategy.clone(), Some((&document.etag, matched)))
    };
    match snapshot.flag(key) {
        Some(entry) => {
            state.hub.record_poller(key, &context);
            let resolution = snapshot.evaluate(entry, &context);
            telemetry::evaluation(key, resolution);
            let mut response =
                entry.document(resolution, |document| respond(document, Some(entry.changed_at())));
            if resolution.step == Step::Error {
                name_mistyped_attribute(state, entry, &context, response.headers_mut());
            }
            Ok(response)
        }
        None if snapshot.is_cold() && FlagKey::accepts(key) => {
            Ok(respond(&Document::cold_start(key, snapshot.public_path()), None))
        }
        None => Err(ApiError::UnknownFlag),
    }
}

pub async fn all(State(state): State<PublicState>, request: Request) -> Response<Body> {
    answer_all(&state, request).await.unwrap_or_else(|refusal| refusal.problem(&state))
}

async fn answer_all(state: &PublicState, request: Request) -> Result<Response<Body>, ApiError> {
    let (head, request_body) = request.into_parts();
    let (caller, bytes) = auth::caller_with_body(state, &head.headers, None, request_body).await?;
    let (snapshot, every) =
        state.decide_every(Form::Strategy, bytes, &caller, Bytes::new()).await?;
    let answer = ResponseBuilder { state, snapshot: &snapshot, flag_changed_at: None };
    Ok(every.answer(&answer, &head.headers, Tagged::AndCompared, &caller))
}
