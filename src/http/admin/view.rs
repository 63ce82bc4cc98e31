//! A flag as operators see it: what is live, what its file says, and who holds what.

use serde_json::{Value as Json, json};

use crate::flag::{FlagKey, Strategy};
pub use crate::truth::rollout_in_words as rollout;
use crate::truth::{End, FlagEntry, Held, Mark, Pin, Truth};

/// One flag.
pub fn flag(truth: &Truth, key: &FlagKey, entry: &FlagEntry) -> Json {
    let written = entry.definition.as_ref();
    let file = written.map(|definition| definition.rollout);
    json!({
        "flag": key,
        "revision": truth.changed_at(key.as_str()),
        "state": state(entry),
        "live": serves(entry),
        "file": written.map(|_| as_written(entry)),
        "drift": drifts(entry),
        "split": entry.split(),
        "fileSplit": file.flatten(),
        "owner": written.and_then(|definition| definition.owner.clone()),
        // Filled in by whoever counts them.
        "clients": Json::Null,
        "stop": entry.record.stop.as_ref().map(mark),
        "held": entry.record.split.as_ref().map(held),
        "pin": entry.record.pin.as_ref().map(pin),
    })
}

/// `rollout`, `stopped`, `off` or `no-definition`.
pub fn state(entry: &FlagEntry) -> &'static str {
    match entry.in_force() {
        _ if entry.record.stop.is_some() => "stopped",
        None => "no-definition",
        Some(definition) if !definition.enabled => "off",
        Some(_) => "rollout",
    }
}

/// What is served, in a few words: `realtime-v2 10%`, `STOPPED -> polling`.
pub fn serves(entry: &FlagEntry) -> String {
    match state(entry) {
        "stopped" => format!("STOPPED -> {}", entry.when_stopped()),
        "off" => format!("off -> {}", entry.when_stopped()),
        "no-definition" => "no definition -> polling".to_owned(),
        _ => rollout(entry.split(), default(entry)),
    }
}

/// What would be served by the file alone.
fn as_written(entry: &FlagEntry) -> String {
    match &entry.definition {
        Some(definition) if !definition.enabled => format!("off -> {}", Strategy::from(definition.when_stopped)),
        Some(definition) => rollout(definition.rollout, definition.default.into()),
        None => String::new(),
    }
}

/// Whether an operator holds something the file says otherwise.
pub fn drifts(entry: &FlagEntry) -> bool {
    let own = entry.definition.as_ref().map(|definition| definition.rollout);
    entry.record.stop.is_some()
        || entry.record.pin.is_some()
        || own.is_some_and(|own| own.unwrap_or_default() != entry.split().unwrap_or_default())
}

pub fn default(entry: &FlagEntry) -> Strategy {
    entry.in_force().map_or(Strategy::Polling, |definition| definition.default.into())
}

pub fn mark(Mark { by, at_ms, reason, .. }: &Mark) -> Json {
    json!({ "by": by.name, "byId": by.id, "atMs": at_ms, "reason": reason })
}

fn held(Held { split, mark, ends, .. }: &Held) -> Json {
    let ends = ends.as_ref().map(|End { at_ms, split, named, .. }| json!({ "atMs": at_ms, "split": split, "named": named }));
    json!({ "split": split, "by": mark.by.name, "byId": mark.by.id, "atMs": mark.at_ms, "reason": mark.reason, "ends": ends })
}

fn pin(Pin { of, mark, .. }: &Pin) -> Json {
    json!({ "revision": of, "by": mark.by.name, "byId": mark.by.id, "atMs": mark.at_ms, "reason": mark.reason })
}
