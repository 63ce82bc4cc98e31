//! `POST /v1/strategy/{flag}` and `POST /v1/strategy`: the strategy document of one flag, or of all.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};

use super::Surface;
use super::answer::{Answer, all_flags, holds};
use super::error::Refusal;
use super::question::{FlagPath, Question, body, key};
use crate::document::{Document, etag};
use crate::flag::FlagKey;

pub async fn one(State(surface): State<Surface>, path: FlagPath, request: Request) -> Response<Body> {
    answer_one(&surface, key(&path), request).await.unwrap_or_else(|refusal| refusal.problem(&surface))
}

async fn answer_one(surface: &Surface, key: &str, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, request_body) = request.into_parts();
    let bytes = body(request_body).await?;
    let question = Question::native(&bytes)?;
    let snapshot = surface.live.current();
    let respond = |document: &Document, flag_changed_at| {
        let matched = holds(&head.headers, &document.etag);
        let answer = Answer { surface, snapshot: &snapshot, flag_changed_at };
        answer.json(StatusCode::OK, document.strategy.clone(), Some((&document.etag, matched)))
    };
    match snapshot.flag(key) {
        Some(entry) => {
            let resolution = snapshot.evaluate(entry, &question.context());
            Ok(entry.document(resolution, |document| respond(document, Some(entry.changed_at()))))
        }
        None if snapshot.is_cold() && FlagKey::accepts(key) => Ok(respond(&Document::cold_start(key), None)),
        None => Err(Refusal::UnknownFlag),
    }
}

pub async fn all(State(surface): State<Surface>, request: Request) -> Response<Body> {
    answer_all(&surface, request).await.unwrap_or_else(|refusal| refusal.problem(&surface))
}

async fn answer_all(surface: &Surface, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, request_body) = request.into_parts();
    let bytes = body(request_body).await?;
    let question = Question::native(&bytes)?;
    let snapshot = surface.live.current();
    let json = all_flags(&snapshot, &question.context(), |document| &document.strategy);
    let tag = etag([&*json]);
    let matched = holds(&head.headers, &tag);
    Ok(Answer { surface, snapshot: &snapshot, flag_changed_at: None }.json(StatusCode::OK, json, Some((&tag, matched))))
}
