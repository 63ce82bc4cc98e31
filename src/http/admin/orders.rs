//! The verbs that change something. Each becomes an order for the corridor; what came of it is told with what is live then.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::AdminSurface;
use super::answer::{json as answer, refuse};
use super::flags::of_flag;
use super::guard::Permission;
use super::view;
use crate::control::{Done, Order};
use crate::flag::{FlagKey, Share};
use crate::http::error::Refusal;
use crate::http::question::{FlagPath, body as read_body, key};
use crate::token::Caller;
use crate::truth::{Action, ContentId, Ends, Part, Truth, Wish};

/// The longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 500;
/// The longest idempotency key, in bytes.
pub const MAX_KEY_BYTES: usize = 128;
/// A header of any value: what would widen is refused, whatever the role. Whoever wants to ask a person first learns so whether to.
pub const NARROW_ONLY: &str = "turnout-narrow-only";
/// The longest a split is held before its end.
const MAX_HELD_MS: i64 = 366 * 86_400_000;

/// What any verb may be told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Told {
    reason: Option<String>,
    expected_revision: Option<u64>,
    // `set`
    #[serde(rename = "realtime-v2")]
    realtime: Option<Share>,
    disabled: Option<Share>,
    for_ms: Option<i64>,
    then: Option<Share>,
    // `resume`
    at: Option<Share>,
    // `rollback`
    to: Option<u64>,
}

/// A request as it came.
struct Asked {
    surface: AdminSurface,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
}

type Makes = fn(FlagKey, &Told) -> Result<Wish, &'static str>;

pub async fn set(
    State(surface): State<AdminSurface>,
    Extension(caller): Extension<Caller>,
    path: FlagPath,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    Asked { surface, caller, headers, body }.carry_out("set", key(&path), make_set).await
}

pub async fn unset(
    State(surface): State<AdminSurface>,
    Extension(caller): Extension<Caller>,
    path: FlagPath,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    Asked { surface, caller, headers, body }.carry_out("unset", key(&path), |flag, _| Ok(Wish::Unset { flag })).await
}

pub async fn stop(
    State(surface): State<AdminSurface>,
    Extension(caller): Extension<Caller>,
    path: FlagPath,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    Asked { surface, caller, headers, body }.carry_out("stop", key(&path), |flag, _| Ok(Wish::Stop { flag })).await
}

pub async fn resume(
    State(surface): State<AdminSurface>,
    Extension(caller): Extension<Caller>,
    path: FlagPath,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let make: Makes = |flag, told| Ok(Wish::Resume { flag, at: told.at });
    Asked { surface, caller, headers, body }.carry_out("resume", key(&path), make).await
}

pub async fn rollback(
    State(surface): State<AdminSurface>,
    Extension(caller): Extension<Caller>,
    path: FlagPath,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let make: Makes = |flag, told| Ok(Wish::Rollback { flag, to: told.to });
    Asked { surface, caller, headers, body }.carry_out("rollback", key(&path), make).await
}

pub async fn stop_all(
    State(surface): State<AdminSurface>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let asked = Asked { surface, caller, headers, body };
    let surface = asked.surface.clone();
    if asked.caller.flags.is_some() {
        return refuse(&surface, &Refusal::OtherFlags);
    }
    match asked.order("stop --all", |_| Ok(Wish::StopAll)).await {
        Ok(order) => carried_out(&surface, order).await,
        Err(refusal) => refuse(&surface, &refusal),
    }
}

impl Asked {
    async fn carry_out(self, verb: &'static str, key: &str, make: Makes) -> Response<Body> {
        let surface = self.surface.clone();
        let Ok(flag) = key.parse::<FlagKey>() else { return refuse(&surface, &Refusal::UnknownFlag) };
        if !self.caller.reaches(flag.as_str()) {
            return refuse(&surface, &Refusal::OtherFlags);
        }
        let name = format!("{verb} {flag}");
        match self.order(&name, |told| make(flag, told)).await {
            Ok(order) => carried_out(&surface, order).await,
            Err(refusal) => refuse(&surface, &refusal),
        }
    }

    /// The order a request makes. An empty body asks for nothing particular.
    async fn order(self, name: &str, make: impl FnOnce(&Told) -> Result<Wish, &'static str>) -> Result<Order, Refusal> {
        let Asked { caller, headers, body, .. } = self;
        let bytes = read_body(body).await?;
        let told: Told = match bytes.is_empty() {
            true => Told::default(),
            false => serde_json::from_slice(&bytes).map_err(|error| Refusal::BadOrder(bad_json(&error)))?,
        };
        let reason = told.reason.clone().map(checked_reason).transpose()?;
        let wish = make(&told).map_err(|fault| Refusal::BadOrder(fault.to_owned()))?;
        let key = idempotency_key(&headers)?.map(|key| {
            let request = [name.as_bytes(), b"\0", &bytes].concat();
            (key, ContentId::of(&request))
        });
        let may_widen = Permission::Change.is_given_to(caller.role) && !headers.contains_key(NARROW_ONLY);
        Ok(Order { wish, actor: caller.name, reason, key, expected: told.expected_revision, may_widen })
    }
}

fn make_set(flag: FlagKey, told: &Told) -> Result<Wish, &'static str> {
    let ends = match (told.for_ms, told.then) {
        (None, Some(_)) => return Err("`then` says what comes after `forMs`, which is missing"),
        (None, None) => None,
        (Some(after_ms), then) if (1..=MAX_HELD_MS).contains(&after_ms) => Some(Ends { after_ms, then }),
        (Some(_), _) => return Err("`forMs` is a time from 1 ms to a year"),
    };
    match (told.realtime, told.disabled) {
        (None, None) => Err("name a share: {\"realtime-v2\": \"25%\"}"),
        (realtime, disabled) => Ok(Wish::Set { flag, realtime, disabled, ends }),
    }
}

/// The library's words, without what was sent.
fn bad_json(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.is_data() {
        true => {
            let text = error.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        }
        false => format!("the body is not JSON (line {line}, column {column})"),
    }
}

fn checked_reason(reason: String) -> Result<String, Refusal> {
    match () {
        () if reason.len() > MAX_REASON_BYTES => {
            Err(Refusal::BadOrder(format!("a reason has at most {MAX_REASON_BYTES} bytes")))
        }
        () if reason.contains(char::is_control) => Err(Refusal::BadOrder("a reason is one line of text".to_owned())),
        () => Ok(reason),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len()));
    let fault = || Refusal::BadOrder(format!("an Idempotency-Key has 1 to {MAX_KEY_BYTES} printable ASCII characters"));
    key.map(|key| Some(key.to_owned())).ok_or_else(fault)
}

async fn carried_out(surface: &AdminSurface, order: Order) -> Response<Body> {
    let wish = order.wish.clone();
    match surface.corridor.order(order).await {
        Ok(done) => {
            let status = if matches!(done, Done::Pending { .. }) { StatusCode::ACCEPTED } else { StatusCode::OK };
            answer(surface, status, &told(&surface.corridor.truth(), &wish, &done))
        }
        Err(rejected) => refuse(surface, &rejected.into()),
    }
}

/// What came of it, what is live now, and how to undo it.
fn told(truth: &Truth, wish: &Wish, done: &Done) -> Json {
    let (outcome, revision, survives, parts): (_, _, _, &[Part]) = match done {
        Done::Committed { revision, parts } => ("committed", Some(*revision), true, parts),
        Done::Pending { survives_restart, parts, .. } => ("pending", None, *survives_restart, parts),
        Done::Unchanged => ("unchanged", None, true, &[]),
        Done::Repeated { revision } => ("repeated", Some(*revision), true, &[]),
    };
    let part = |part: &Part| {
        json!({
            "flag": part.flag,
            "action": part.action.as_str(),
            "backTo": part.action.to(),
            "was": part.before.as_ref().map(view::serves),
            "wanted": view::rollout(part.after.split(), view::default(&part.after)),
            "live": truth.flag(part.flag.as_str()).map(|entry| view::serves(&entry)),
        })
    };
    json!({
        "outcome": outcome,
        "revision": revision,
        "position": truth.position().to_string(),
        "survivesRestart": survives,
        "changes": parts.iter().map(part).collect::<Vec<_>>(),
        "flag": wish.flag().and_then(|flag| of_flag(truth, flag.as_str())),
        "notes": notes(truth, wish, parts),
        "undo": parts.first().and_then(|part| undo(wish, part)),
    })
}

/// What an operator must not overlook.
fn notes(truth: &Truth, wish: &Wish, parts: &[Part]) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(entry) = wish.flag().and_then(|flag| truth.flag(flag.as_str())) else { return notes };
    if let (Some(stop), false) = (&entry.record.stop, matches!(wish, Wish::Stop { .. })) {
        let reason = stop.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        notes.push(format!("saved, NOT live: stopped by {}{reason}", stop.by));
    } else if view::state(&entry) == "off" {
        notes.push("saved, NOT live: its file says `enabled: false`".to_owned());
    }
    let ends = entry.record.split.as_ref().and_then(|held| held.ends.as_ref());
    if let (Wish::Set { .. }, Some(ends), false) = (wish, ends, parts.is_empty()) {
        let back = ends.split.unwrap_or_default();
        if !ends.named && !back.narrows(entry.split().unwrap_or_default()) {
            notes.push(format!("at its end nothing happens: going back to {back} would widen, and was not named with --then"));
        }
    }
    notes
}

fn undo(wish: &Wish, part: &Part) -> Option<String> {
    let flag = &part.flag;
    match (wish, part.action) {
        (Wish::StopAll, _) => None,
        (_, Action::Stop) => Some(format!("turnout resume {flag}")),
        (_, Action::Resume) => Some(format!("turnout stop {flag}")),
        (_, Action::Rollback { .. }) => {
            let before = part.before.as_ref().map(|entry| entry.changed_at)?;
            Some(format!("turnout rollback {flag} --to {before}"))
        }
        _ => Some(format!("turnout rollback {flag}")),
    }
}
