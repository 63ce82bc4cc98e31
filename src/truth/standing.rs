//! How every flag stands: the book, with the pending entries laid over it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::book::{Book, Credentials, FlagEntry};
use super::credential::{Credential, CredentialId};
use super::doubt::Doubt;
use super::pending::{Op, Pending};
use crate::flag::{Definition, Flag, FlagKey, Segments};
use crate::snapshot::{Position, Standing, State};

/// The store's revision and the pending entries.
#[derive(Clone, Debug)]
pub struct Truth {
    pub book: Book,
    pending: Vec<Pending>,
    /// What was revoked before, as far as a state that was kept elsewhere knows: it holds over whatever the store says.
    revoked_before: Arc<Credentials>,
    /// The names of entries that were committed before they came.
    early: Vec<String>,
    /// How often files were served that no store recorded.
    unrecorded: u32,
    /// The highest position there was: one only rises.
    floor: Position,
    doubt: Doubt,
    /// Since when, in milliseconds since 1970.
    doubted_since_ms: i64,
}

/// Told apart by what it holds: while this is held, none of it can come again as something else.
#[derive(Clone, Debug)]
pub struct CredentialsBasis {
    book: Arc<Credentials>,
    revoked_before: Arc<Credentials>,
    pending: Vec<String>,
}

impl PartialEq for CredentialsBasis {
    fn eq(&self, other: &CredentialsBasis) -> bool {
        Arc::ptr_eq(&self.book, &other.book)
            && Arc::ptr_eq(&self.revoked_before, &other.revoked_before)
            && self.pending == other.pending
    }
}

impl Truth {
    pub fn of(book: Book, mut pending: Vec<Pending>) -> Truth {
        pending.iter_mut().for_each(Pending::read);
        Truth {
            book,
            pending,
            revoked_before: Arc::default(),
            early: Vec::new(),
            unrecorded: 0,
            floor: Position::default(),
            doubt: Doubt::None,
            doubted_since_ms: 0,
        }
    }

    pub fn position(&self) -> Position {
        let now = Position { revision: self.book.head.revision, pending: self.pending.len() as u32 + self.unrecorded };
        now.max(self.floor)
    }

    /// Whether nothing was ever known here.
    pub fn is_cold(&self) -> bool {
        self.book.head.revision == 0 && self.unrecorded == 0
    }

    /// Which flags are served as stopped, as their state may be lost.
    pub fn doubt(&self) -> &Doubt {
        &self.doubt
    }

    /// Serves these flags as stopped from now on, and those no more that were before.
    pub fn set_doubt(&mut self, doubt: Doubt, now_ms: i64) {
        (self.doubt, self.doubted_since_ms) = (doubt, now_ms);
    }

    /// Knows of revocations that the store may not know: an older state of it that is brought back revives nobody.
    pub fn know_revoked(&mut self, credentials: impl IntoIterator<Item = Credential>) {
        let revoked = credentials.into_iter().filter(|credential| credential.record.revoked_at_ms.is_some());
        self.revoked_before = Arc::new(revoked.map(|Credential { id, record }| (id, record)).collect());
    }

    /// The revocations that the store does not know and nothing pending will bring there.
    pub fn revocations_to_carry(&self, now_ms: i64) -> Vec<Credential> {
        let is_recorded = |id: &CredentialId| self.book.credential(id).is_some_and(|record| record.revoked_at_ms.is_some());
        let is_pending =
            |id: &CredentialId| self.pending.iter().flat_map(|pending| &pending.revoked).any(|revoked| revoked.id == *id);
        let needed = self.revoked_before.iter().filter(|(_, record)| record.is_needed(now_ms));
        let missing = needed.filter(|(id, _)| !is_recorded(id) && !is_pending(id));
        missing.map(|(id, record)| Credential { id: id.clone(), record: record.clone() }).collect()
    }

    /// Lets go of credentials that ended long ago. The history keeps them.
    pub fn forget_dead_credentials(&mut self, now_ms: i64) {
        self.book.forget_dead_credentials(now_ms);
        if self.revoked_before.values().any(|record| !record.is_needed(now_ms)) {
            Arc::make_mut(&mut self.revoked_before).retain(|_, record| record.is_needed(now_ms));
        }
    }

    /// Every credential as it stands: revoked, if the store, a pending entry or a state that was kept says so.
    pub fn credentials(&self) -> Credentials {
        let mut credentials = (**self.book.credentials()).clone();
        let pending = self.pending.iter().flat_map(|pending| &pending.revoked).map(|revoked| (&revoked.id, &revoked.record));
        for (id, revoked) in self.revoked_before.iter().chain(pending) {
            match credentials.get_mut(id) {
                Some(record) if record.revoked_at_ms.is_some() => {}
                Some(record) => {
                    record.revoked_at_ms = revoked.revoked_at_ms;
                    (record.revoked_by, record.revoked_by_id) = (revoked.revoked_by.clone(), revoked.revoked_by_id.clone());
                }
                None => drop(credentials.insert(id.clone(), revoked.clone())),
            }
        }
        credentials
    }

    /// What [`credentials`](Truth::credentials) is made of: it may be something else only where this is.
    pub fn credentials_basis(&self) -> CredentialsBasis {
        let pending = self.pending.iter().filter(|pending| !pending.revoked.is_empty());
        CredentialsBasis {
            book: self.book.credentials().clone(),
            revoked_before: self.revoked_before.clone(),
            pending: pending.map(|pending| pending.id.clone()).collect(),
        }
    }

    /// Whether no flag and no segment is known.
    pub fn has_no_flags(&self) -> bool {
        let narrows_none = self.pending.iter().all(|pending| pending.narrowed.is_empty());
        self.book.flags().next().is_none() && self.book.segments().next().is_none() && narrows_none
    }

    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// Lays an entry over what is known; the position rises by it, or it would not be swapped in. Not so with one that was forgotten
    /// before it came, which is in the book already.
    pub fn push(&mut self, mut pending: Pending) -> bool {
        if let Some(index) = self.early.iter().position(|id| *id == pending.id) {
            self.early.swap_remove(index);
            return false;
        }
        pending.read();
        let before = self.position();
        self.pending.push(pending);
        if self.position() <= before {
            self.floor = Position { pending: before.pending + 1, ..before };
        }
        true
    }

    /// Forgets an entry that was committed or read back from the store. Should that be of an older revision, the position stays where it was.
    pub fn forget(&mut self, id: &str) {
        self.floor = self.position();
        match self.pending.iter().position(|pending| pending.id == id) {
            Some(index) => drop(self.pending.remove(index)),
            None => self.early.push(id.to_owned()),
        }
    }

    /// Forgets entries that turned out to be committed, before anybody saw them pending.
    pub fn forget_unseen(&mut self, ids: &[String]) {
        self.pending.retain(|pending| !ids.contains(&pending.id));
    }

    /// Takes in a book that no store has recorded.
    pub fn serve_unrecorded(&mut self, book: Book) {
        (self.book, self.unrecorded) = (book, self.unrecorded + 1);
    }

    /// Takes in what the store says.
    pub fn serve_recorded(&mut self, book: Book) {
        (self.book, self.unrecorded) = (book, 0);
    }

    /// A flag as it stands.
    pub fn flag(&self, key: &str) -> Option<FlagEntry> {
        self.flag_as_known(key).map(|entry| self.doubt.over(key, entry, self.doubted_since_ms))
    }

    /// A flag as all that reads says: not stopped for the doubt about what does not.
    pub fn flag_as_known(&self, key: &str) -> Option<FlagEntry> {
        let ops = self.pending.iter().flat_map(|pending| &pending.narrowed).filter(|narrowed| narrowed.flag.as_str() == key);
        ops.fold(self.book.flag(key).cloned(), |entry, narrowed| narrowed.op.over(entry.as_ref()).or(entry))
    }

    /// The revision at which a flag, or a segment it names, last changed.
    pub fn changed_at(&self, key: &str) -> u64 {
        let Some(entry) = self.book.flag(key) else { return 0 };
        self.segments_changed_after(key, entry.changed_at).into_iter().fold(entry.changed_at, u64::max)
    }

    /// The revisions after another one at which segments that a flag names last changed.
    pub fn segments_changed_after(&self, key: &str, revision: u64) -> Vec<u64> {
        let definition = self.book.flag(key).and_then(|entry| entry.in_force());
        let segments = definition.into_iter().flat_map(|definition| &definition.segments);
        let changed_at = segments.filter_map(|segment| self.book.segment(segment.as_str())).map(|segment| segment.changed_at);
        changed_at.filter(|changed_at| *changed_at > revision).collect()
    }

    /// Every flag as it is to stand in a snapshot, in the order of keys.
    pub fn standings(&self) -> Vec<Standing<'_>> {
        let ops = self.ops();
        let mut keys: BTreeSet<&FlagKey> = ops.keys().copied().collect();
        match keys.is_empty() {
            true => self.book.flags().filter_map(|(key, entry)| self.standing(key, Some(entry), &[])).collect(),
            false => {
                keys.extend(self.book.flags().map(|(key, _)| key));
                let of_key = |key: &FlagKey| ops.get(key).map_or(&[][..], Vec::as_slice);
                keys.into_iter().filter_map(|key| self.standing(key, self.book.flag(key.as_str()), of_key(key))).collect()
            }
        }
    }

    /// What is pending of each flag, with the count at which it came.
    fn ops(&self) -> BTreeMap<&FlagKey, Vec<(u32, &Op)>> {
        let mut ops: BTreeMap<&FlagKey, Vec<(u32, &Op)>> = BTreeMap::new();
        for (index, pending) in self.pending.iter().enumerate() {
            for narrowed in &pending.narrowed {
                ops.entry(&narrowed.flag).or_default().push((index as u32 + 1, &narrowed.op));
            }
        }
        ops
    }

    fn standing<'a>(&'a self, key: &'a FlagKey, entry: Option<&FlagEntry>, ops: &[(u32, &Op)]) -> Option<Standing<'a>> {
        let revision = self.book.head.revision;
        let mut changed_at = Position { revision: self.changed_at(key.as_str()), pending: 0 };
        let mut laid = None;
        for (count, op) in ops {
            if let Some(after) = op.over(laid.as_ref().or(entry)) {
                laid = Some(after);
                changed_at = Position { revision, pending: *count };
            }
        }
        let entry = laid.as_ref().or(entry)?;
        let doubted =
            self.doubt.covers(key.as_str()).then(|| self.doubt.over(key.as_str(), entry.clone(), self.doubted_since_ms));
        let entry = doubted.as_ref().unwrap_or(entry);
        if self.unrecorded > 0 {
            changed_at = changed_at.max(self.position());
        }
        Some(Standing { key, state: self.state(entry), changed_at })
    }

    fn state(&self, entry: &FlagEntry) -> State {
        match self.in_force(entry) {
            Some(flag) => State::Usable(flag),
            None => State::Unusable { stopped: entry.record.stop.is_some() },
        }
    }

    /// The flag that evaluates; `None` while no good form is known.
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
        let segment = |key: &crate::flag::SegmentKey| self.book.segment(key.as_str()).and_then(|entry| entry.form.clone());
        definition.segments.iter().map(segment).collect::<Option<_>>().map_or(Segments::Unusable, Segments::Known)
    }
}
