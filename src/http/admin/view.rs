//! A flag as operators see it: what is live, what its file says, and which overrides are held.

use serde::Serialize;

use crate::convergence::Counts;
use crate::flag::{FlagKey, Split, Strategy};
pub use crate::ledger::rollout_in_words as rollout;
use crate::ledger::{Attribution, EffectiveState, Expiry, FlagEntry, Pin, SplitOverride};

/// One flag, as it is written into a response.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagView<'a> {
    flag: &'a FlagKey,
    revision: u64,
    state: &'static str,
    live: String,
    file: Option<String>,
    drift: bool,
    split: Option<Split>,
    file_split: Option<Split>,
    owner: Option<&'a str>,
    /// The streams that follow the flag.
    clients: Option<CountsView>,
    stop: Option<MarkView<'a>>,
    held: Option<HeldView<'a>>,
    pin: Option<PinView<'a>>,
}

/// What an operator holds over the file, by its slots.
#[derive(Debug, Serialize)]
pub struct SlotsView<'a> {
    stop: Option<MarkView<'a>>,
    held: Option<HeldView<'a>>,
    pin: Option<PinView<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MarkView<'a> {
    by: &'a str,
    by_id: Option<&'a str>,
    at_ms: i64,
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct HeldView<'a> {
    split: Split,
    #[serde(flatten)]
    mark: MarkView<'a>,
    ends: Option<EndView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EndView {
    at_ms: i64,
    split: Option<Split>,
    named: bool,
}

#[derive(Debug, Serialize)]
struct PinView<'a> {
    revision: u64,
    #[serde(flatten)]
    mark: MarkView<'a>,
}

/// Open streams by their delivery state.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountsView {
    open: usize,
    confirmed: usize,
    not_needed: usize,
    told: usize,
    missing: usize,
}

impl<'a> FlagView<'a> {
    pub fn of(
        effective: &EffectiveState,
        flag: &'a FlagKey,
        entry: &'a FlagEntry,
        clients: Option<Counts>,
    ) -> FlagView<'a> {
        let written = entry.definition.as_deref();
        let SlotsView { stop, held, pin } = SlotsView::of(entry);
        FlagView {
            flag,
            revision: effective.changed_at(flag.as_str()),
            state: state(entry),
            live: serves(entry),
            file: written.map(|_| as_written(entry)),
            drift: drifts(entry),
            split: entry.split(),
            file_split: written.and_then(|definition| definition.rollout),
            owner: written.and_then(|definition| definition.owner.as_deref()),
            clients: clients.map(CountsView::from),
            stop,
            held,
            pin,
        }
    }
}

impl SlotsView<'_> {
    pub fn of(entry: &FlagEntry) -> SlotsView<'_> {
        let record = &entry.record;
        let end = |Expiry { at_ms, split, named, .. }: &Expiry| EndView {
            at_ms: *at_ms,
            split: *split,
            named: *named,
        };
        SlotsView {
            stop: record.stop.as_ref().map(MarkView::of),
            held: record.split.as_ref().map(|SplitOverride { split, mark, ends, .. }| HeldView {
                split: *split,
                mark: MarkView::of(mark),
                ends: ends.as_ref().map(end),
            }),
            pin: record
                .pin
                .as_ref()
                .map(|Pin { of, mark, .. }| PinView { revision: *of, mark: MarkView::of(mark) }),
        }
    }
}

impl MarkView<'_> {
    fn of(Attribution { by, at_ms, reason, .. }: &Attribution) -> MarkView<'_> {
        MarkView { by: &by.name, by_id: by.id.as_deref(), at_ms: *at_ms, reason: reason.as_deref() }
    }
}

impl From<Counts> for CountsView {
    fn from(Counts { open, confirmed, not_needed, told, missing }: Counts) -> CountsView {
        CountsView { open, confirmed, not_needed, told, missing }
    }
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
        Some(definition) if !definition.enabled => {
            format!("off -> {}", Strategy::from(definition.when_stopped))
        }
        Some(definition) => rollout(definition.rollout, definition.default.into()),
        None => String::new(),
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
