//! The status: the database first, then every flag.

use std::collections::HashMap;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use turnout_api::admin::flags::{self as messages, DatabaseStatus, FlagState, Status, StreamRoom};

use super::answer::{json as answer, refuse};
use super::state::AdminState;
use super::view::flag_state;
use crate::auth::Caller;
use crate::control::{CommandRejected, Database};
use crate::convergence::Counts;
use crate::definition::similar;
use crate::flag::FlagKey;
use crate::http::error::ApiError;
use crate::http::flag_path::{FlagPath, key};
use crate::ledger::{CommandError, EffectiveState};

/// Every flag, serialised one after the other: neither a copy of the state nor a list of them all is
/// built, whatever its size.
struct Flags<'a> {
    effective: &'a EffectiveState,
    clients: HashMap<FlagKey, Counts>,
}

impl Serialize for Flags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut flags = serializer.serialize_seq(None)?;
        for key in keys(self.effective) {
            if let Some(entry) = self.effective.flag(key.as_str()) {
                let clients = self.clients.get(key).copied();
                flags.serialize_element(&flag_state(self.effective, key, &entry, clients))?;
            }
        }
        flags.end()
    }
}

/// Every flag, also those that are only pending, in the order of their keys.
fn keys(effective: &EffectiveState) -> Vec<&FlagKey> {
    let mut keys: Vec<&FlagKey> = effective.known_flags().collect();
    let recorded = effective.catalog.flags().count();
    let pending = effective.pending().flags();
    keys.extend(pending.filter(|key| effective.catalog.flag(key.as_str()).is_none()));
    if keys.len() > recorded {
        keys.sort_unstable();
        keys.dedup();
    }
    keys
}

pub async fn status(
    State(state): State<AdminState>,
    Extension(caller): Extension<Caller>,
) -> Response<Body> {
    let effective = state.coordinator.state();
    let effective: &EffectiveState = &effective;
    let hub = &state.public.hub;
    let clients = Counts::of_every_flag(&state.public.live.current(), hub.streams(), hub.now_ms());
    let status = Status {
        revision: effective.catalog.head.revision,
        position: effective.position().to_string(),
        pending: effective.pending().len(),
        database: database(&state),
        problems: state.public.problems.count(),
        server_auth: is_clamped(&state),
        streams: StreamRoom { open: hub.streams().count(), limit: hub.streams().most() },
        caller: Some(messages::Caller { role: caller.role.into(), flags: caller.flags }),
        flags: Flags { effective, clients },
    };
    answer(&state, StatusCode::OK, &status)
}

/// Whether server-auth mode answers `polling` for every `realtime-v2`.
pub fn is_clamped(state: &AdminState) -> bool {
    state.public.live.current().server_auth().clamps()
}

pub async fn one(State(state): State<AdminState>, path: FlagPath) -> Response<Body> {
    let effective = state.coordinator.state();
    match of_flag(&state, &effective, key(&path)) {
        Some(flag) => answer(&state, StatusCode::OK, &flag),
        None => refuse(&state, &unknown(&effective, key(&path))),
    }
}

/// The error for an unknown flag, with a flag that may have been meant.
pub fn unknown(effective: &EffectiveState, key: &str) -> ApiError {
    let Ok(flag) = key.parse() else { return ApiError::UnknownFlag };
    let similar = similar(key, effective.known_flags().map(FlagKey::as_str)).map(str::to_owned);
    CommandRejected::Refused(CommandError::UnknownFlag { flag, similar }).into()
}

/// The status of one flag.
pub fn of_flag(state: &AdminState, effective: &EffectiveState, key: &str) -> Option<FlagState> {
    let entry = effective.flag(key)?;
    let key: FlagKey = key.parse().ok()?;
    let hub = &state.public.hub;
    let report = hub.landed().of_flag(
        &state.public.live.current(),
        key.as_str(),
        hub.streams(),
        hub.now_ms(),
    );
    Some(flag_state(effective, &key, &entry, report.map(|report| report.counts)))
}

fn database(state: &AdminState) -> messages::Database {
    let (state, why, since_ms) = match state.coordinator.store_status().database {
        Database::Up => (DatabaseStatus::Up, None, None),
        Database::Down { why, since_ms } => (DatabaseStatus::Down, Some(why), Some(since_ms)),
        Database::Held { why, since_ms } => (DatabaseStatus::Held, Some(why), Some(since_ms)),
    };
    messages::Database { state, why, since_ms }
}
