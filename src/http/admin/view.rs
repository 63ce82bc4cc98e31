//! A flag as operators see it: what is live, what its file says, and which overrides are held.

use turnout_api::admin::commands::FlagChange;
use turnout_api::admin::convergence::StreamCounts;
use turnout_api::admin::flags::{self, End, FlagState, FlagStatus, Held, Overrides};

use crate::convergence::Counts;
use crate::flag::{FlagKey, Strategy};
use crate::ledger::{
    Attribution, EffectiveState, Expiry, FlagEntry, FlagRecord, Pin, PlannedChange, Served,
    SplitOverride, effect_of,
};

/// One flag, as it stands in a response.
pub fn flag_state(
    effective: &EffectiveState,
    flag: &FlagKey,
    entry: &FlagEntry,
    clients: Option<Counts>,
) -> FlagState {
    let written = entry.definition.as_deref();
    FlagState {
        flag: flag.to_string(),
        revision: effective.changed_at(flag.as_str()),
        state: state(entry),
        live: serves(entry).to_string(),
        file: written.map(|file| Served::by(file, file.rollout).to_string()),
        drift: drifts(entry),
        split: entry.split().map(Into::into),
        file_split: written.and_then(|definition| definition.rollout).map(Into::into),
        owner: written.and_then(|definition| definition.owner.as_deref()).map(str::to_owned),
        clients: clients.map(stream_counts),
        overrides: overrides(entry),
    }
}

/// What an operator holds over the file, by its slots.
pub fn overrides(entry: &FlagEntry) -> Overrides {
    let record = &entry.record;
    let end = |Expiry { at_ms, split, named, .. }: &Expiry| End {
        at_ms: *at_ms,
        split: split.map(Into::into),
        named: *named,
    };
    Overrides {
        stop: record.stop.as_ref().map(attribution),
        held: record.split.as_ref().map(|SplitOverride { split, mark, ends, .. }| Held {
            split: (*split).into(),
            mark: attribution(mark),
            ends: ends.as_ref().map(end),
        }),
        pin: record
            .pin
            .as_ref()
            .map(|Pin { of, mark, .. }| flags::Pin { revision: *of, mark: attribution(mark) }),
    }
}

fn attribution(Attribution { by, at_ms, reason, .. }: &Attribution) -> flags::Attribution {
    flags::Attribution {
        by: by.name.clone(),
        by_id: by.id.clone(),
        at_ms: *at_ms,
        reason: reason.clone(),
    }
}

/// Open streams by their delivery state.
pub fn stream_counts(counts: Counts) -> StreamCounts {
    let Counts { open, confirmed, not_needed, told, missing, ended } = counts;
    StreamCounts { open, confirmed, not_needed, told, missing, ended }
}

/// What a command does to a flag, and what the flag serves then.
pub fn flag_change(part: &PlannedChange, then: Option<&FlagEntry>) -> FlagChange {
    let (before, after) = (part.before.clone().unwrap_or_default(), &part.after);
    FlagChange {
        flag: part.flag.to_string(),
        action: part.action.into(),
        back_to: part.action.target_revision(),
        was: part.before.as_ref().map(|before| serves(before).to_string()),
        wanted: Served::Rollout(after.split(), default(after)).to_string(),
        live: then.map(|entry| serves(entry).to_string()),
        effect: effect_of(part.action, &before, after),
        stays_held: stays_held(&after.record),
    }
}

/// Whether what is held over the file's stays until it is taken away.
pub fn stays_held(FlagRecord { pin, split, .. }: &FlagRecord) -> bool {
    pin.is_some() || split.as_ref().is_some_and(|held| held.ends.is_none())
}

/// What decides what the flag serves.
pub fn state(entry: &FlagEntry) -> FlagStatus {
    match entry.in_force() {
        _ if entry.record.stop.is_some() => FlagStatus::Stopped,
        None => FlagStatus::NoDefinition,
        Some(definition) if !definition.enabled => FlagStatus::Off,
        Some(_) => FlagStatus::Rollout,
    }
}

/// What is served.
pub fn serves(entry: &FlagEntry) -> Served {
    match state(entry) {
        FlagStatus::Stopped => Served::Stopped(Some(entry.when_stopped())),
        FlagStatus::Off => Served::Off(entry.when_stopped()),
        FlagStatus::NoDefinition => Served::NoDefinition,
        FlagStatus::Rollout => Served::Rollout(entry.split(), default(entry)),
    }
}

/// Whether an operator's override differs from the file.
pub fn drifts(entry: &FlagEntry) -> bool {
    let own = entry.definition.as_ref().map(|definition| definition.rollout);
    entry.record.stop.is_some()
        || entry.record.pin.is_some()
        || own.is_some_and(|own| own.unwrap_or_default() != entry.split().unwrap_or_default())
}

pub fn default(entry: &FlagEntry) -> Strategy {
    entry.in_force().map_or(Strategy::Polling, |definition| definition.default.into())
}
