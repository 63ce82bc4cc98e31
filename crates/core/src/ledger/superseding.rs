//! Which pending entries a newer one supersedes: the pending entries are a state of each flag, not
//! a log of requests.
//!
//! A split is accepted because it narrows the one in force, which includes every older pending
//! split. So at every moment it is at most what each of those asked for, and applied alone it gives
//! the same result as all of them in turn. The same holds for a definition that a file brings over
//! one that it brought before. Stops, revocations and entries whose commit was begun are never
//! superseded.

use std::collections::{BTreeMap, BTreeSet};

use super::blob::ContentHash;
use super::pending::{Overlay, PendingChange, PendingEntry};
use super::pending_set::PendingSet;
use super::superseded::{MAX_SUPERSEDED, Superseded};
use super::timeline::Timeline;
use crate::flag::FlagKey;

/// Removes the entries that later ones superseded, and adds their names to those. The order is that
/// of the journal.
pub fn without_superseded(entries: Vec<PendingEntry>) -> Vec<PendingEntry> {
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<Option<PendingEntry>> = Vec::with_capacity(entries.len());
    for mut pending in entries {
        let places = pending.superseded.iter().filter_map(|superseded| order.get(&superseded.id));
        let places: BTreeSet<usize> = places.copied().collect();
        let mut before: Vec<Superseded> = Vec::new();
        for older in places.into_iter().filter_map(|place| kept[place].take()) {
            before.extend(older.superseded);
        }
        let known: BTreeSet<&str> =
            pending.superseded.iter().map(|superseded| superseded.id.as_str()).collect();
        before.retain(|superseded| !known.contains(superseded.id.as_str()));
        before.append(&mut pending.superseded);
        before.drain(..before.len().saturating_sub(MAX_SUPERSEDED));
        pending.superseded = before;
        order.insert(pending.id.clone(), kept.len());
        kept.push(Some(pending));
    }
    kept.into_iter().flatten().collect()
}

impl PendingEntry {
    /// What is remembered of an entry once it is superseded.
    pub(super) fn name(&self) -> Superseded {
        Superseded {
            id: self.id.clone(),
            at_ms: self.at_ms,
            actor: self.actor.clone(),
            request: self.request,
        }
    }
}

impl PendingSet {
    /// The orders of the entries that this one supersedes, newest first, among those that `may_go`.
    /// A definition among its parts then replaces what the superseded ones replaced.
    pub(super) fn superseded_by(
        &self,
        pending: &mut PendingEntry,
        may_go: impl Fn(&PendingEntry) -> bool,
    ) -> Vec<u64> {
        if !pending.revoked.is_empty() {
            return Vec::new();
        }
        let own = pending.narrowed.iter().enumerate().filter(|(_, narrowed)| !is_stop(narrowed));
        let mut parts: BTreeMap<&FlagKey, PassedChange<'_>> = own
            .map(|(place, narrowed)| (&narrowed.flag, PassedChange::of(place, &narrowed.op)))
            .collect();
        let places = parts.keys().flat_map(|flag| self.places_of(flag.as_str()));
        let orders: BTreeSet<u64> = places.map(|(order, _)| *order).collect();
        let mut superseded = Vec::new();
        for order in orders.into_iter().rev() {
            let Some(older) = self.get(order) else { continue };
            let is_taken_over = |PendingChange { flag, op, .. }: &PendingChange| {
                parts.get(flag).is_some_and(|newer| newer.takes_over(op))
            };
            let fits = older.narrowed.len() <= parts.len()
                && older.revoked.is_empty()
                && !older.is_of_newer_build();
            let goes = fits && may_go(older) && older.narrowed.iter().all(is_taken_over);
            if goes {
                superseded.push(order);
            }
            let moving = older.narrowed.iter().filter(|narrowed| !is_stop(narrowed));
            if older.narrowed.len() <= parts.len() {
                for PendingChange { flag, op, .. } in moving {
                    parts.entry(flag).and_modify(|newer| newer.passes(op, goes));
                }
            } else {
                for (flag, newer) in &mut parts {
                    let places =
                        self.places_of(flag.as_str()).iter().filter(|(of, _)| *of == order);
                    let ops = places
                        .filter_map(|(_, place)| older.narrowed.get(*place))
                        .filter(|narrowed| !is_stop(narrowed));
                    ops.for_each(|narrowed| newer.passes(&narrowed.op, goes));
                }
            }
        }
        let before: Vec<(usize, Option<ContentHash>)> =
            parts.into_values().filter_map(|part| Some((part.place, part.before?))).collect();
        for (place, first) in before {
            if let Some(PendingChange { op: Overlay::Define { before, .. }, .. }) =
                pending.narrowed.get_mut(place)
            {
                *before = first;
            }
        }
        superseded
    }
}

/// One part of the newer entry, compared with older entries from new to old.
struct PassedChange<'a> {
    place: usize,
    op: &'a Overlay,
    /// What a definition replaces, so far.
    before: Option<Option<ContentHash>>,
    /// Whether a newer entry of the flag, before the next older one, stays.
    is_closed: bool,
}

impl<'a> PassedChange<'a> {
    fn of(place: usize, op: &'a Overlay) -> PassedChange<'a> {
        let before = match op {
            Overlay::Define { before, .. } => Some(*before),
            Overlay::Split { .. } | Overlay::Stop(_) => None,
        };
        PassedChange { place, op, before, is_closed: false }
    }

    /// Whether this operation alone gives the same as the older one followed by it.
    fn takes_over(&self, older: &Overlay) -> bool {
        match (self.op, older) {
            _ if self.is_closed => false,
            (
                Overlay::Split { requested, held, .. },
                Overlay::Split { requested: older, held: older_held, .. },
            ) => Timeline::requested(*requested, held)
                .narrows(Timeline::requested(*older, older_held)),
            (Overlay::Define { .. }, Overlay::Define { after, .. }) => {
                self.before == Some(Some(*after))
            }
            _ => false,
        }
    }

    fn passes(&mut self, older: &Overlay, goes: bool) {
        match older {
            Overlay::Define { before, .. } if goes => self.before = Some(*before),
            _ => self.is_closed |= !goes,
        }
    }
}

fn is_stop(narrowed: &PendingChange) -> bool {
    matches!(narrowed.op, Overlay::Stop(_))
}
