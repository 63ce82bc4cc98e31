//! The effective state of every flag: the catalog with the pending entries laid over it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalog::{Catalog, Credentials};
use super::credential::{Credential, CredentialId};
use super::doubt::{Doubt, Doubted};
use super::entry::FlagEntry;
use super::pending::PendingEntry;
use super::pending_set::PendingSet;
use super::unrecorded::Unrecorded;
use crate::flag::{Definition, Flag, FlagKey, Segments};
use crate::snapshot::{EffectiveFlag, Position, State};

/// The database's revision and the pending entries.
#[derive(Clone, Debug)]
pub struct EffectiveState {
    pub catalog: Catalog,
    pending: Arc<PendingSet>,
    /// The names of entries whose commit was begun, here or before a start: the database may have
    /// them.
    tried: BTreeSet<String>,
    /// Revocations known from a state that was kept elsewhere: they hold whatever the database
    /// says.
    revoked_before: Arc<Credentials>,
    /// The names of entries that were committed before they were pushed.
    early: Vec<String>,
    /// The flags whose first definition was read and is not recorded yet.
    coming: BTreeSet<FlagKey>,
    /// The files that are served and not recorded.
    unrecorded: Unrecorded,
    /// The highest position so far: a position only rises.
    floor: Position,
    doubt: Doubt,
    /// Since when flags are in doubt, in milliseconds since 1970.
    doubted_since_ms: i64,
}

/// Compared by identity: while this value exists, none of its parts can be reused for another.
#[derive(Clone, Debug)]
pub struct CredentialsBasis {
    catalog: Arc<Credentials>,
    revoked_before: Arc<Credentials>,
    pending: Vec<String>,
    doubt: Doubted<CredentialId>,
}

impl PartialEq for CredentialsBasis {
    fn eq(&self, other: &CredentialsBasis) -> bool {
        Arc::ptr_eq(&self.catalog, &other.catalog)
            && Arc::ptr_eq(&self.revoked_before, &other.revoked_before)
            && self.pending == other.pending
            && self.doubt == other.doubt
    }
}

impl EffectiveState {
    /// `pending` comes from a journal: whether any entry was committed is not known here.
    pub fn of(catalog: Catalog, mut pending: Vec<PendingEntry>) -> EffectiveState {
        pending.iter_mut().for_each(PendingEntry::read);
        let tried = pending.iter().map(|pending| pending.id.clone()).collect();
        EffectiveState {
            catalog,
            pending: Arc::new(pending.into_iter().collect()),
            tried,
            revoked_before: Arc::default(),
            early: Vec::new(),
            coming: BTreeSet::new(),
            unrecorded: Unrecorded::default(),
            floor: Position::default(),
            doubt: Doubt::NONE,
            doubted_since_ms: 0,
        }
    }

    pub fn position(&self) -> Position {
        let now = Position {
            revision: self.catalog.head.revision,
            pending: self.pending.len() as u32 + self.unrecorded.served(),
        };
        now.max(self.floor)
    }

    /// Whether a comparison with the files gives the same as with another state, as far as that is
    /// known without one.
    pub fn compares_as(&self, other: &EffectiveState) -> bool {
        self.catalog.shares_all(&other.catalog)
            && Arc::ptr_eq(&self.pending, &other.pending)
            && self.doubt == other.doubt
            && self.doubted_since_ms == other.doubted_since_ms
    }

    /// Whether nothing was ever known here.
    pub fn is_cold(&self) -> bool {
        self.catalog.head.revision == 0 && self.is_recorded()
    }

    /// Notes flags that have a file and are not known yet: their commit may be under way. Of those
    /// that were noted before, these stay that `may_still_come`.
    pub fn note_coming(
        &mut self,
        flags: impl IntoIterator<Item = FlagKey>,
        may_still_come: impl Fn(&FlagKey) -> bool,
    ) {
        self.coming.retain(may_still_come);
        self.coming.extend(flags);
    }

    /// The flags that are not known yet and may be live in a moment.
    pub fn coming(&self) -> impl Iterator<Item = &FlagKey> {
        self.coming.iter().filter(|key| self.flag_as_known(key.as_str()).is_none())
    }

    /// Whether a flag that is not known may be live in a moment. A stop of it holds then.
    pub fn may_come(&self, key: &FlagKey) -> bool {
        self.is_cold() || self.coming.contains(key)
    }

    /// The flags that are served as stopped, and the credentials that may only narrow, because their
    /// state may be lost.
    pub fn doubt(&self) -> &Doubt {
        &self.doubt
    }

    /// From now on serves exactly these flags as stopped for doubt, and lets these credentials only
    /// narrow.
    pub fn set_doubt(&mut self, doubt: Doubt, now_ms: i64) {
        (self.doubt, self.doubted_since_ms) = (doubt, now_ms);
    }

    /// Adds revocations that the database may not know: an older state of it that is restored must
    /// not revive a credential.
    pub fn know_revoked(&mut self, credentials: impl IntoIterator<Item = Credential>) {
        let revoked =
            credentials.into_iter().filter(|credential| credential.record.revoked_at_ms.is_some());
        self.revoked_before =
            Arc::new(revoked.map(|Credential { id, record }| (id, record)).collect());
    }

    /// The revocations that neither the database nor a pending entry has.
    pub fn revocations_to_carry(&self, now_ms: i64) -> Vec<Credential> {
        let is_recorded = |id: &CredentialId| {
            self.catalog.credential(id).is_some_and(|record| record.revoked_at_ms.is_some())
        };
        let pending: BTreeSet<&CredentialId> =
            self.pending.revoked().map(|revoked| &revoked.id).collect();
        let needed = self.revoked_before.iter().filter(|(_, record)| record.is_needed(now_ms));
        let missing = needed.filter(|(id, _)| !is_recorded(id) && !pending.contains(id));
        missing.map(|(id, record)| Credential { id: id.clone(), record: record.clone() }).collect()
    }

    /// Removes credentials that ended long ago. The history keeps them.
    pub fn forget_dead_credentials(&mut self, now_ms: i64) {
        self.catalog.forget_dead_credentials(now_ms);
        if self.revoked_before.values().any(|record| !record.is_needed(now_ms)) {
            Arc::make_mut(&mut self.revoked_before).retain(|_, record| record.is_needed(now_ms));
        }
    }

    /// Every credential in its present state: revoked, if the database, a pending entry or a kept
    /// state says so.
    pub fn credentials(&self) -> Credentials {
        self.credentials_over(&self.catalog)
    }

    /// The same over another catalog.
    pub fn credentials_over(&self, catalog: &Catalog) -> Credentials {
        let mut credentials = (**catalog.credentials()).clone();
        let pending = self.pending.revoked().map(|revoked| (&revoked.id, &revoked.record));
        for (id, revoked) in self.revoked_before.iter().chain(pending) {
            match credentials.get_mut(id) {
                Some(record) if record.revoked_at_ms.is_some() => {}
                Some(record) => {
                    record.revoked_at_ms = revoked.revoked_at_ms;
                    (record.revoked_by, record.revoked_by_id) =
                        (revoked.revoked_by.clone(), revoked.revoked_by_id.clone());
                }
                None => drop(credentials.insert(id.clone(), revoked.clone())),
            }
        }
        credentials
    }

    /// The basis of [`credentials`](EffectiveState::credentials): while it is the same, they are
    /// the same.
    pub fn credentials_basis(&self) -> CredentialsBasis {
        CredentialsBasis {
            catalog: self.catalog.credentials().clone(),
            revoked_before: self.revoked_before.clone(),
            pending: self.pending.revoking().map(|pending| pending.id.clone()).collect(),
            doubt: self.doubt.credentials.clone(),
        }
    }

    /// Whether no flag and no segment is known.
    pub fn has_no_flags(&self) -> bool {
        self.catalog.flags().next().is_none()
            && self.catalog.segments().next().is_none()
            && self.pending.flags().next().is_none()
            && !self.unrecorded.has_files()
    }

    pub fn pending(&self) -> &PendingSet {
        &self.pending
    }

    /// The oldest pending entry, for its commit: from here on no other entry supersedes it.
    pub fn claim_first(&mut self) -> Option<PendingEntry> {
        let pending = self.pending.first()?.clone();
        self.claim(&pending.id);
        Some(pending)
    }

    /// Notes that the commit of an entry begins. From now on the database may have it.
    pub fn claim(&mut self, id: &str) {
        self.tried.insert(id.to_owned());
    }

    /// An entry as it is journaled before it is pushed: it names the entries it supersedes, and a
    /// start leaves those out.
    pub fn to_journal(&self, pending: &PendingEntry) -> PendingEntry {
        let mut written = pending.clone();
        let superseded =
            self.pending.superseded_by(&mut written, |older| !self.tried.contains(&older.id));
        written.superseded.extend(
            superseded.into_iter().rev().filter_map(|order| Some(self.pending.get(order)?.name())),
        );
        written
    }

    /// Adds a pending entry, and removes the entries it supersedes. The position rises, as the new
    /// state would otherwise not be swapped in. An entry that was forgotten before it came is
    /// ignored, as the catalog has it already; then this returns false.
    pub fn apply_pending(&mut self, pending: PendingEntry) -> bool {
        self.push_over(pending, |_| true)
    }

    /// The same, but removes only superseded entries that `may_go`. An entry that a start finds in
    /// the journal must stay unless the start finds the new one too: it would come back, and
    /// nothing would say that it was committed as part of the new one.
    pub fn push_over(
        &mut self,
        mut pending: PendingEntry,
        may_go: impl Fn(&PendingEntry) -> bool,
    ) -> bool {
        if let Some(index) = self.early.iter().position(|id| *id == pending.id) {
            self.early.swap_remove(index);
            return false;
        }
        pending.read();
        let before = self.position();
        let superseded = self
            .pending
            .superseded_by(&mut pending, |older| !self.tried.contains(&older.id) && may_go(older));
        let set = Arc::make_mut(&mut self.pending);
        let order = set.put(pending, &superseded);
        if self.position() <= before {
            self.floor = Position { pending: before.pending + 1, ..before };
        }
        let position = self.position();
        Arc::make_mut(&mut self.pending).came_at(order, position);
        true
    }

    /// Forgets an entry that was committed or read back from the database. If its revision is an
    /// older one, the position stays as it was. An entry that was claimed and is not pushed yet is
    /// ignored when it comes; one that was marked before is not known any more, and a later entry may
    /// have its name.
    pub fn mark_committed(&mut self, id: &str) {
        self.floor = self.position();
        let is_claimed = self.tried.remove(id);
        if Arc::make_mut(&mut self.pending).remove(id).is_none() && is_claimed {
            self.early.push(id.to_owned());
        }
    }

    /// Forgets entries that turned out to be committed, before they were visible as pending.
    pub fn drop_committed(&mut self, ids: &[String]) {
        let pending = Arc::make_mut(&mut self.pending);
        for id in ids {
            self.tried.remove(id);
            pending.remove(id);
        }
    }

    /// Replaces the catalog by one that no database has recorded.
    pub fn serve_unrecorded(&mut self, catalog: Catalog) {
        self.catalog = catalog;
        self.unrecorded.note_served();
    }

    /// Replaces the catalog by the database's. The files that were served stay live over one that is
    /// empty, until [`EffectiveState::note_files_recorded`].
    pub fn serve_recorded(&mut self, catalog: Catalog) {
        let before = std::mem::replace(&mut self.catalog, catalog);
        self.unrecorded.note_opened(before, self.catalog.head.revision == 0);
    }

    /// Notes that the database has what the files say.
    pub fn note_files_recorded(&mut self) {
        self.unrecorded.note_recorded();
    }

    /// Whether the catalog is the database's, and everything that is served is in it.
    pub fn is_recorded(&self) -> bool {
        self.unrecorded.is_none()
    }

    /// Moves the position above another one, because the state differs from the one it had there.
    pub fn rise_above(&mut self, position: Position) {
        if self.position() <= position {
            self.floor = Position { pending: position.pending + 1, ..position };
        }
    }

    /// A flag in its effective state.
    pub fn flag(&self, key: &str) -> Option<FlagEntry> {
        self.flag_as_known(key).map(|entry| self.doubt.over(key, entry, self.doubted_since_ms))
    }

    /// A flag as its readable parts say, without the stop for doubt.
    pub fn flag_as_known(&self, key: &str) -> Option<FlagEntry> {
        self.pending_over(key, self.base(key).map(Cow::into_owned))
    }

    /// A flag as it will be recorded if nothing more comes: without a file that no database has.
    pub fn flag_to_record(&self, key: &str) -> Option<FlagEntry> {
        let entry = self.pending_over(key, self.catalog.flag(key).cloned());
        entry.map(|entry| self.doubt.over(key, entry, self.doubted_since_ms))
    }

    fn pending_over(&self, key: &str, entry: Option<FlagEntry>) -> Option<FlagEntry> {
        let ops = self.pending.ops_of(key);
        ops.fold(entry, |entry, op| op.apply_to(entry.as_ref()).or(entry))
    }

    /// The flags that are recorded, and those of files that are served and not recorded yet.
    pub fn known_flags(&self) -> impl Iterator<Item = &FlagKey> {
        let is_new = |key: &&FlagKey| self.catalog.flag(key.as_str()).is_none();
        self.catalog.flags().map(|(key, _)| key).chain(self.unrecorded.flags().filter(is_new))
    }

    /// A flag before what is pending.
    fn base(&self, key: &str) -> Option<Cow<'_, FlagEntry>> {
        self.unrecorded.under(key, self.catalog.flag(key))
    }

    /// The revision of the last change of a flag or of a segment it names.
    pub fn changed_at(&self, key: &str) -> u64 {
        let Some(entry) = self.catalog.flag(key) else { return 0 };
        self.segments_changed_after(key, entry.changed_at)
            .into_iter()
            .fold(entry.changed_at, u64::max)
    }

    /// The revisions after `revision` in which segments of a flag last changed.
    pub fn segments_changed_after(&self, key: &str, revision: u64) -> Vec<u64> {
        let definition = self.catalog.flag(key).and_then(|entry| entry.in_force());
        let segments = definition.into_iter().flat_map(|definition| &definition.segments);
        let changed_at = segments
            .filter_map(|segment| self.catalog.segment(segment.as_str()))
            .map(|segment| segment.changed_at);
        changed_at.filter(|changed_at| *changed_at > revision).collect()
    }

    /// Every flag for a snapshot, ordered by key.
    pub fn effective_flags(&self) -> Vec<EffectiveFlag<'_>> {
        let positions = self.pending.positions(self.catalog.head.revision);
        let mut keys: Vec<&FlagKey> = self.known_flags().chain(self.pending.flags()).collect();
        // Runs that are sorted already.
        keys.sort();
        keys.dedup();
        keys.into_iter().filter_map(|key| self.standing(key, &positions)).collect()
    }

    fn standing<'a>(
        &'a self,
        key: &'a FlagKey,
        positions: &BTreeMap<u64, Position>,
    ) -> Option<EffectiveFlag<'a>> {
        let base = self.base(key.as_str());
        let entry = base.as_deref();
        let mut changed_at = Position { revision: self.changed_at(key.as_str()), pending: 0 };
        let mut laid = None;
        for (order, op) in self.pending.ordered_ops_of(key.as_str()) {
            if let Some(after) = op.apply_to(laid.as_ref().or(entry)) {
                laid = Some(after);
                changed_at = positions.get(&order).copied().unwrap_or_default();
            }
        }
        let entry = laid.as_ref().or(entry)?;
        let doubted = self
            .doubt
            .covers(key.as_str())
            .then(|| self.doubt.over(key.as_str(), entry.clone(), self.doubted_since_ms));
        let entry = doubted.as_ref().unwrap_or(entry);
        if !self.is_recorded() {
            changed_at = changed_at.max(self.position());
        }
        Some(EffectiveFlag { key, state: self.state(entry), changed_at })
    }

    fn state(&self, entry: &FlagEntry) -> State {
        match self.in_force(entry) {
            Some(flag) => State::Usable(flag),
            None => State::Unusable { stopped: entry.record.stop.is_some() },
        }
    }

    /// The flag that is evaluated; `None` while no good form is known.
    pub fn in_force(&self, entry: &FlagEntry) -> Option<Flag> {
        let definition = entry.in_force()?;
        Some(Flag {
            definition: Arc::clone(definition),
            segments: self.segments_of(definition),
            rollout: entry.split(),
            stopped: entry.record.stop.is_some(),
        })
    }

    fn segments_of(&self, definition: &Definition) -> Segments {
        let segment = |key: &crate::flag::SegmentKey| {
            let of_files = || self.unrecorded.segment(key.as_str());
            let entry = self.catalog.segment(key.as_str()).or_else(of_files);
            entry.and_then(|entry| entry.form.clone())
        };
        definition
            .segments
            .iter()
            .map(segment)
            .collect::<Option<_>>()
            .map_or(Segments::Unusable, Segments::Known)
    }
}
