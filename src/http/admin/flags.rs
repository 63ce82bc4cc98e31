//! How it stands: the database first, then every flag.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::AdminSurface;
use super::answer::{json as answer, refuse};
use super::convergence::counts;
use super::view;
use crate::control::{Database, Rejected};
use crate::convergence::Counts;
use crate::definition::similar;
use crate::flag::FlagKey;
use crate::http::error::Refusal;
use crate::http::question::{FlagPath, key};
use crate::truth::{Refused, Truth};

pub async fn status(State(surface): State<AdminSurface>) -> Response<Body> {
    let truth = surface.corridor.truth();
    let keys = truth.standings().into_iter().map(|standing| standing.key.clone());
    let hub = &surface.public.hub;
    let clients = Counts::of_every_flag(&surface.public.live.current(), hub.streams(), hub.now_ms());
    let flag = |key: FlagKey| {
        let mut flag = truth.flag(key.as_str()).map(|entry| view::flag(&truth, &key, &entry))?;
        flag["clients"] = clients.get(&key).map(counts).unwrap_or_default();
        Some(flag)
    };
    let flags: Vec<Json> = keys.filter_map(flag).collect();
    let body = json!({
        "revision": truth.book.head.revision,
        "position": truth.position().to_string(),
        "pending": truth.pending().len(),
        "database": database(&surface),
        "problems": surface.public.problems.count(),
        "streams": { "open": hub.streams().count(), "limit": hub.streams().most() },
        "flags": flags,
    });
    answer(&surface, StatusCode::OK, &body)
}

pub async fn one(State(surface): State<AdminSurface>, path: FlagPath) -> Response<Body> {
    match of_flag(&surface, &surface.corridor.truth(), key(&path)) {
        Some(flag) => answer(&surface, StatusCode::OK, &flag),
        None => refuse(&surface, &unknown(&surface.corridor.truth(), key(&path))),
    }
}

/// There is no such flag, but perhaps one that was meant.
pub fn unknown(truth: &Truth, key: &str) -> Refusal {
    let Ok(flag) = key.parse() else { return Refusal::UnknownFlag };
    let similar = similar(key, truth.book.flags().map(|(key, _)| key.as_str())).map(str::to_owned);
    Rejected::Refused(Refused::UnknownFlag { flag, similar }).into()
}

/// A flag as it stands.
pub fn of_flag(surface: &AdminSurface, truth: &Truth, key: &str) -> Option<Json> {
    let entry = truth.flag(key)?;
    let mut flag = view::flag(truth, &key.parse().ok()?, &entry);
    let hub = &surface.public.hub;
    let report = hub.landed().of_flag(&surface.public.live.current(), key, hub.streams(), hub.now_ms());
    flag["clients"] = report.map(|report| counts(&report.counts)).unwrap_or_default();
    Some(flag)
}

fn database(surface: &AdminSurface) -> Json {
    match surface.corridor.standing().database {
        Database::Up => json!({ "state": "up", "why": null, "sinceMs": null }),
        Database::Down { why, since_ms } => json!({ "state": "down", "why": why, "sinceMs": since_ms }),
        Database::Held { why, since_ms } => json!({ "state": "held", "why": why, "sinceMs": since_ms }),
    }
}
