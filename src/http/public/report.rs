//! `POST /v1/reports`: a client reports how following went. Who reports is what the session token
//! says, and which strategy the user has is what the server knows.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use turnout_api::bounds::MAX_REPORT_BYTES;

use super::auth::{caller, with_body};
use super::caller::Caller;
use super::evaluation_request::EvaluationRequest;
use super::response::ResponseBuilder;
use crate::http::error::ApiError;
use crate::http::rate_limit::limited;
use crate::http::state::PublicState;
use crate::quota::Policy;
use crate::reports::CheckedReport;

pub const PATH: &str = "/v1/reports";

pub async fn report(State(state): State<PublicState>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let user = match user(&state, &head.headers) {
        Ok(user) => user,
        Err(refusal) => return refusal.problem(&state),
    };
    let taken = take(&state, user.clone(), body);
    let answer = async {
        match taken.await {
            Ok(()) => ResponseBuilder {
                state: &state,
                snapshot: &state.live.current(),
                flag_changed_at: None,
            }
            .no_content(),
            Err(refusal) => refusal.problem(&state),
        }
    };
    limited(&state, Policy::Reports, &user, answer).await
}

/// The user who reports.
fn user(state: &PublicState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    match caller(state, headers)? {
        Caller::Plain => Err(ApiError::Unauthenticated),
        Caller::Server(_) => Err(ApiError::UserNeeded),
        user @ Caller::User(_) => Ok(user),
    }
}

async fn take(state: &PublicState, user: Caller, body: Body) -> Result<(), ApiError> {
    let (user, bytes) = with_body(state, user, MAX_REPORT_BYTES, body).await?;
    let report = CheckedReport::read(&bytes).map_err(ApiError::BadReport)?;
    let question = EvaluationRequest::empty();
    let context = question.context(&user)?;
    let Some(subject) = context.targeting_key() else { return Err(ApiError::Unauthenticated) };
    let snapshot = state.live.current();
    let now_ms = state.clock.now().steady_ms.max(0) as u64;
    state.reports.take(subject.as_str(), &report, now_ms, |flag| {
        let entry = snapshot.flag(flag)?;
        Some((entry.key().clone(), snapshot.evaluate(entry, &context).strategy))
    });
    Ok(())
}
