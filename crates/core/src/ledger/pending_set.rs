//! The pending entries in the order of their arrival, indexed by flag and name: the state of one
//! flag costs only that flag's entries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::credential::Credential;
use super::pending::{Overlay, PendingEntry};
use super::superseded::{MAX_SUPERSEDED, MAX_SUPERSEDED_IN_ALL, Superseded};
use crate::flag::FlagKey;
use crate::snapshot::Position;

/// The pending entries; see the module's documentation. An order is a number that rises with each
/// entry.
#[derive(Clone, Debug, Default)]
pub struct PendingSet {
    entries: BTreeMap<u64, Laid>,
    /// The order of the next entry.
    next: u64,
    /// Entries by their names and by the names of the requests they superseded.
    by_name: BTreeMap<String, u64>,
    /// The changes of each flag: the entry's order, and the index in it.
    by_flag: BTreeMap<FlagKey, Vec<(u64, usize)>>,
    /// The entries that revoke credentials.
    revoking: BTreeSet<u64>,
    /// The number of superseded requests that all entries remember.
    superseded: usize,
}

#[derive(Clone, Debug)]
struct Laid {
    pending: Arc<PendingEntry>,
    /// The position that resulted from the entry when it came.
    came_at: Position,
}

impl PendingSet {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The oldest entry.
    pub fn first(&self) -> Option<&PendingEntry> {
        self.entries.first_key_value().map(|(_, laid)| &*laid.pending)
    }

    /// All entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &PendingEntry> {
        self.entries.values().map(|laid| &*laid.pending)
    }

    pub fn to_vec(&self) -> Vec<PendingEntry> {
        self.iter().cloned().collect()
    }

    /// The entry of this name, or the one that superseded the request of this name.
    pub fn named(&self, name: &str) -> Option<&PendingEntry> {
        self.get(*self.by_name.get(name)?)
    }

    /// What the caller's key of this name stands for; `None` if nothing with this name is pending.
    pub fn request_of(&self, name: &str) -> Option<Option<super::ContentHash>> {
        let pending = self.named(name)?;
        if pending.id == name {
            return Some(pending.request);
        }
        pending
            .superseded
            .iter()
            .rev()
            .find(|superseded| superseded.id == name)
            .map(|superseded| superseded.request)
    }

    /// The flags with pending changes, ordered by key.
    pub fn flags(&self) -> impl Iterator<Item = &FlagKey> {
        self.by_flag.keys()
    }

    /// The pending operations on one flag, oldest first.
    pub fn ops_of(&self, flag: &str) -> impl Iterator<Item = &Overlay> {
        self.ordered_ops_of(flag).map(|(_, op)| op)
    }

    pub(super) fn ordered_ops_of(&self, flag: &str) -> impl Iterator<Item = (u64, &Overlay)> {
        let places = self.by_flag.get(flag).into_iter().flatten();
        places.filter_map(|(order, place)| {
            Some((*order, &self.get(*order)?.narrowed.get(*place)?.op))
        })
    }

    /// The entries that revoke credentials.
    pub(super) fn revoking(&self) -> impl Iterator<Item = &PendingEntry> {
        self.revoking.iter().filter_map(|order| self.get(*order))
    }

    /// Each credential that is revoked, in its revoked form.
    pub(super) fn revoked(&self) -> impl Iterator<Item = &Credential> {
        self.revoking().flat_map(|pending| &pending.revoked)
    }

    pub(super) fn get(&self, order: u64) -> Option<&PendingEntry> {
        self.entries.get(&order).map(|laid| &*laid.pending)
    }

    /// The position at which each entry changed its flags: the one that resulted from it, or its
    /// count once there is a newer revision.
    pub(super) fn positions(&self, revision: u64) -> BTreeMap<u64, Position> {
        let counted = self.entries.iter().zip(1..).map(|((order, laid), pending)| {
            let counted = Position { revision, pending };
            let came_at = Some(laid.came_at)
                .filter(|came_at| came_at.revision == revision)
                .unwrap_or_default();
            (*order, counted.max(came_at))
        });
        counted.collect()
    }

    /// Adds an entry, removes the ones it supersedes, and returns its order.
    pub(super) fn put(&mut self, mut pending: PendingEntry, in_place_of: &[u64]) -> u64 {
        let order = self.next;
        self.next += 1;
        let mut superseded: Vec<Superseded> = Vec::new();
        for older in in_place_of.iter().rev().filter_map(|order| self.take(*order)) {
            superseded.extend(older.superseded.iter().cloned());
            superseded.push(older.name());
        }
        superseded.append(&mut pending.superseded);
        let room = MAX_SUPERSEDED_IN_ALL.saturating_sub(self.superseded).min(MAX_SUPERSEDED);
        superseded.drain(..superseded.len().saturating_sub(room));
        pending.superseded = superseded;
        self.superseded += pending.superseded.len();

        let names = pending.superseded.iter().map(|superseded| &superseded.id).chain([&pending.id]);
        self.by_name.extend(names.map(|name| (name.clone(), order)));
        for (place, flag) in pending.flags().enumerate() {
            self.by_flag.entry(flag.clone()).or_default().push((order, place));
        }
        if !pending.revoked.is_empty() {
            self.revoking.insert(order);
        }
        self.entries
            .insert(order, Laid { pending: Arc::new(pending), came_at: Position::default() });
        order
    }

    pub(super) fn came_at(&mut self, order: u64, position: Position) {
        if let Some(laid) = self.entries.get_mut(&order) {
            laid.came_at = position;
        }
    }

    /// Removes the entry of this name.
    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<PendingEntry>> {
        let order = *self.by_name.get(id)?;
        let is_own = self.get(order).is_some_and(|pending| pending.id == id);
        if is_own { self.take(order) } else { None }
    }

    fn take(&mut self, order: u64) -> Option<Arc<PendingEntry>> {
        let pending = self.entries.remove(&order)?.pending;
        let names = pending.superseded.iter().map(|superseded| &superseded.id).chain([&pending.id]);
        for name in names {
            if self.by_name.get(name) == Some(&order) {
                self.by_name.remove(name);
            }
        }
        for flag in pending.flags() {
            let Some(places) = self.by_flag.get_mut(flag) else { continue };
            places.retain(|(of, _)| *of != order);
            if places.is_empty() {
                self.by_flag.remove(flag);
            }
        }
        self.revoking.remove(&order);
        self.superseded -= pending.superseded.len();
        Some(pending)
    }

    /// The changes of a flag: the entry's order, and the index in it.
    pub(super) fn places_of(&self, flag: &str) -> &[(u64, usize)] {
        self.by_flag.get(flag).map_or(&[], Vec::as_slice)
    }
}

impl FromIterator<PendingEntry> for PendingSet {
    fn from_iter<I: IntoIterator<Item = PendingEntry>>(entries: I) -> PendingSet {
        let mut set = PendingSet::default();
        for pending in entries {
            set.put(pending, &[]);
        }
        set
    }
}
