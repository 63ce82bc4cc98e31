//! The status: the database first, then every flag.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::AdminState;
use super::answer::{json as answer, refuse};
use super::view::FlagView;
use crate::control::{CommandRejected, Database};
use crate::convergence::Counts;
use crate::definition::similar;
use crate::flag::FlagKey;
use crate::http::error::ApiError;
use crate::http::request::{FlagPath, key};
use crate::ledger::{CommandError, EffectiveState};

/// The whole status. It is serialised flag by flag: neither a copy of the state nor a tree of
/// values is built, whatever its size.
#[derive(Serialize)]
struct Status<'a> {
    revision: u64,
    position: String,
    pending: usize,
    database: DatabaseView,
    problems: usize,
    streams: StreamsView,
    flags: Flags<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DatabaseView {
    state: &'static str,
    why: Option<String>,
    since_ms: Option<i64>,
}

#[derive(Serialize)]
struct StreamsView {
    open: usize,
    limit: usize,
}

struct Flags<'a> {
    truth: &'a EffectiveState,
    clients: HashMap<FlagKey, Counts>,
}

impl Serialize for Flags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut flags = serializer.serialize_seq(None)?;
        for key in keys(self.truth) {
            if let Some(entry) = self.truth.flag(key.as_str()) {
                let clients = self.clients.get(key).copied();
                flags.serialize_element(&FlagView::of(self.truth, key, &entry, clients))?;
            }
        }
        flags.end()
    }
}

/// Every flag, also those that are only pending, in the order of their keys.
fn keys(truth: &EffectiveState) -> Vec<&FlagKey> {
    let mut keys: Vec<&FlagKey> = truth.book.flags().map(|(key, _)| key).collect();
    let recorded = keys.len();
    let pending = truth.pending().flags();
    keys.extend(pending.filter(|key| truth.book.flag(key.as_str()).is_none()));
    if keys.len() > recorded {
        keys.sort_unstable();
        keys.dedup();
    }
    keys
}

pub async fn status(State(surface): State<AdminState>) -> Response<Body> {
    let truth = surface.coordinator.truth();
    let truth: &EffectiveState = &truth;
    let hub = &surface.public.hub;
    let clients =
        Counts::of_every_flag(&surface.public.live.current(), hub.streams(), hub.now_ms());
    let status = Status {
        revision: truth.book.head.revision,
        position: truth.position().to_string(),
        pending: truth.pending().len(),
        database: database(&surface),
        problems: surface.public.problems.count(),
        streams: StreamsView { open: hub.streams().count(), limit: hub.streams().most() },
        flags: Flags { truth, clients },
    };
    answer(&surface, StatusCode::OK, &status)
}

pub async fn one(State(surface): State<AdminState>, path: FlagPath) -> Response<Body> {
    let truth = surface.coordinator.truth();
    match of_flag(&surface, &truth, key(&path)) {
        Some(flag) => answer(&surface, StatusCode::OK, &flag),
        None => refuse(&surface, &unknown(&truth, key(&path))),
    }
}

/// The error for an unknown flag, with a flag that may have been meant.
pub fn unknown(truth: &EffectiveState, key: &str) -> ApiError {
    let Ok(flag) = key.parse() else { return ApiError::UnknownFlag };
    let similar = similar(key, truth.book.flags().map(|(key, _)| key.as_str())).map(str::to_owned);
    CommandRejected::Refused(CommandError::UnknownFlag { flag, similar }).into()
}

/// The status of one flag.
pub fn of_flag(surface: &AdminState, truth: &EffectiveState, key: &str) -> Option<Json> {
    let entry = truth.flag(key)?;
    let key: FlagKey = key.parse().ok()?;
    let hub = &surface.public.hub;
    let report = hub.landed().of_flag(
        &surface.public.live.current(),
        key.as_str(),
        hub.streams(),
        hub.now_ms(),
    );
    Some(json!(FlagView::of(truth, &key, &entry, report.map(|report| report.counts))))
}

fn database(surface: &AdminState) -> DatabaseView {
    let (state, why, since_ms) = match surface.coordinator.store_status().database {
        Database::Up => ("up", None, None),
        Database::Down { why, since_ms } => ("down", Some(why), Some(since_ms)),
        Database::Held { why, since_ms } => ("held", Some(why), Some(since_ms)),
    };
    DatabaseView { state, why, since_ms }
}
