//! Compares a reading of the folder with the state: a definition is recorded if its meaning differs
//! from the one recorded last.
//!
//! A file owns its definition and no override of an operator, so overrides pass through unchanged
//! (law 8).

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::blob::{Blobs, ContentHash};
use super::change::{Action, Change, Subject};
use super::compared::Compared;
use super::content_cache::ContentCache;
use super::effective::EffectiveState;
use super::entry::FlagEntry;
use super::narrowing::is_narrowing;
use super::pending::{Overlay, PendingChange};
use super::record::{FlagRecord, SegmentRecord, UsersFile};
use super::unknown::Unknown;
use crate::definition::{DefinitionSet, INTERNAL, WrittenFlag, WrittenSegment};
use crate::flag::{Definition, FlagKey, SegmentKey};

/// The longest definition that is journaled, in bytes; a longer one waits for its commit like all
/// other changes.
const MAX_JOURNALED_BYTES: usize = 64 * 1024;

/// How the folder differs from the state.
#[derive(Debug, Default)]
pub struct Reconciliation {
    /// The changes that may be live at once.
    pub narrowed: Vec<PendingChange>,
    pub changes: Vec<Change>,
    /// The content that the changes refer to.
    pub content: ContentCache,
    /// How many subjects were compared.
    pub compared: usize,
}

/// Compares the whole folder with the state.
pub fn reconcile(state: &EffectiveState, definitions: &DefinitionSet) -> Reconciliation {
    of_all(Reconciler::new(state, definitions, &Compared::default(), true))
}

/// Compares the whole folder, or only one subject, with a state of which parts were compared before.
pub fn reconcile_again(
    state: &EffectiveState,
    definitions: &DefinitionSet,
    only: Option<&Subject>,
    compared: &Compared,
) -> Reconciliation {
    let reconciler = Reconciler::new(state, definitions, compared, true);
    match only {
        Some(subject) => of_subjects(reconciler, [subject]),
        None => of_all(reconciler),
    }
}

fn of_all(mut reconciler: Reconciler<'_>) -> Reconciliation {
    let (state, definitions) = (reconciler.state, reconciler.definitions);
    let internal = reconciler.internal_without_a_file();
    if !definitions.was_read() {
        return reconciler.found;
    }
    for (key, written) in
        definitions.written_segments().filter(|(key, _)| internal.as_ref() != Some(*key))
    {
        reconciler.segment(key, written);
    }
    for (key, written) in definitions.written_flags() {
        reconciler.flag(key, written);
    }
    for (key, _) in state.catalog.flags() {
        reconciler.gone(key);
    }
    reconciler.found
}

/// Compares only these subjects, for a revision: nothing is to be live before it is committed.
pub fn reconcile_for_revision<'a>(
    state: &EffectiveState,
    definitions: &DefinitionSet,
    subjects: impl IntoIterator<Item = &'a Subject>,
) -> Reconciliation {
    of_subjects(Reconciler::new(state, definitions, &Compared::default(), false), subjects)
}

fn of_subjects<'a>(
    mut reconciler: Reconciler<'_>,
    subjects: impl IntoIterator<Item = &'a Subject>,
) -> Reconciliation {
    let definitions = reconciler.definitions;
    let (mut flags, mut segments) = (BTreeSet::new(), BTreeSet::new());
    for subject in subjects {
        match subject {
            Subject::Flag(key) => drop(flags.insert(key)),
            Subject::Segment(key) => drop(segments.insert(key)),
            Subject::Credential(_) => {}
        }
    }
    let internal = if segments.iter().any(|key| key.as_str() == INTERNAL) {
        reconciler.internal_without_a_file()
    } else {
        None
    };
    if !definitions.was_read() {
        return reconciler.found;
    }
    for key in segments.into_iter().filter(|key| internal.as_ref() != Some(*key)) {
        if let Some(written) = definitions.written_segment(key) {
            reconciler.segment(key, written);
        }
    }
    for key in flags {
        match definitions.written_flag(key) {
            Some(written) => reconciler.flag(key, written),
            None => reconciler.gone(key),
        }
    }
    reconciler.found
}

/// Checks the changes that were to be live at once again. Returns those that still narrow the
/// present state, and those that must be committed first after all.
pub fn still_narrowing(
    state: &EffectiveState,
    narrowed: Vec<PendingChange>,
) -> (Vec<PendingChange>, Vec<Subject>) {
    let (mut narrows, mut waits) = (Vec::new(), Vec::new());
    for narrowed in narrowed {
        let Overlay::Define { after, content, .. } = &narrowed.op else { continue };
        let Some(definition) = content.definitions.get(after) else { continue };
        let current = state.flag(narrowed.flag.as_str()).unwrap_or_default();
        if current.definition.as_ref().is_some_and(|known| same(known, definition)) {
            continue;
        }
        if !is_narrowing(&current, &redefined(&current, *after, definition)) {
            waits.push(Subject::Flag(narrowed.flag));
            continue;
        }
        let mut narrowed = narrowed;
        if let Overlay::Define { before, .. } = &mut narrowed.op {
            *before = current.record.definition;
        }
        narrows.push(narrowed);
    }
    (narrows, waits)
}

/// A flag with another definition. An operator's overrides stay.
fn redefined(old: &FlagEntry, id: ContentHash, definition: &Arc<Definition>) -> FlagEntry {
    let record = FlagRecord { definition: Some(id), ..old.record.clone() };
    FlagEntry { definition: Some(definition.clone()), ..old.with(record) }
}

struct Reconciler<'a> {
    state: &'a EffectiveState,
    definitions: &'a DefinitionSet,
    compared: &'a Compared,
    /// Whether narrowing changes may be live before they are committed.
    narrows_at_once: bool,
    found: Reconciliation,
}

impl<'a> Reconciler<'a> {
    fn new(
        state: &'a EffectiveState,
        definitions: &'a DefinitionSet,
        compared: &'a Compared,
        narrows_at_once: bool,
    ) -> Reconciler<'a> {
        let found = Reconciliation::default();
        Reconciler { state, definitions, compared, narrows_at_once, found }
    }

    /// Compares a flag with its file. Nothing is copied if the flag is as its file says.
    fn flag(&mut self, key: &FlagKey, written: Option<WrittenFlag<'_>>) {
        self.found.compared += 1;
        let is_pending = self.state.pending().ops_of(key.as_str()).next().is_some();
        let recorded = self.state.catalog.flag(key.as_str()).filter(|_| !is_pending);
        let compared = self.compared;
        let is_as_written = |current: &FlagEntry| match written {
            Some(WrittenFlag { form, .. }) => current
                .definition
                .as_ref()
                .is_some_and(|known| compared.are_same_definitions(known, form)),
            None => true,
        };
        if recorded.is_some_and(is_as_written) {
            return;
        }
        let current = self.state.flag_to_record(key.as_str());
        if current.as_ref().is_some_and(is_as_written) {
            return;
        }
        let Some(WrittenFlag { form, text }) = written else {
            // A key that was given up stays unknown, whatever its file says.
            if !self.definitions.refuses(key) {
                self.found.changes.push(Change::of_flag(
                    key,
                    Action::Define,
                    None,
                    Some(FlagRecord::default()),
                ));
            }
            return;
        };
        let id = ContentHash::from(text.digest);
        let old = current.clone().unwrap_or_default();
        let new = redefined(&old, id, form);
        let mut content = ContentCache::default();
        content.blobs.insert(id, text.bytes.clone());
        content.definitions.insert(id, form.clone());
        if self.narrows_at_once
            && text.bytes.len() <= MAX_JOURNALED_BYTES
            && is_narrowing(&old, &new)
        {
            let text = String::from_utf8_lossy(&text.bytes).into_owned();
            let op = Overlay::Define {
                before: old.record.definition,
                after: id,
                text,
                content,
                unknown: Unknown::default(),
            };
            self.found.narrowed.push(PendingChange {
                flag: key.clone(),
                action: Action::Define,
                op,
                unknown: Unknown::default(),
            });
        } else {
            let before = current.map(|current| current.record);
            self.found.changes.push(Change::of_flag(key, Action::Define, before, Some(new.record)));
            self.found.content.blobs.extend(content.blobs);
            self.found.content.definitions.extend(content.definitions);
        }
    }

    /// A flag that never had a good form is removed with its file. So is one that was given up, once
    /// no operator holds anything of it: only `resume` lifts a stop.
    fn gone(&mut self, key: &FlagKey) {
        if self.definitions.written_flag(key).is_some() {
            return;
        }
        let is_pending = self.state.pending().ops_of(key.as_str()).next().is_some();
        let is_given_up = self.definitions.is_retired(key) && !is_pending;
        let goes = |record: &FlagRecord| {
            *record == FlagRecord::default() || is_given_up && record.is_as_its_file()
        };
        let entry = self.state.catalog.flag(key.as_str()).filter(|entry| goes(&entry.record));
        if let Some(entry) = entry {
            let before = Some(entry.record.clone());
            self.found.changes.push(Change::of_flag(key, Action::Remove, before, None));
        }
    }

    /// Compares the segment `internal` where it has a record and the folder has no good file for
    /// it: it keeps the file it had last, and gets the ids that the environment gives now. Ids from
    /// the environment are removed with the variable, whatever became of the file.
    fn internal_without_a_file(&mut self) -> Option<SegmentKey> {
        let key: SegmentKey = INTERNAL.parse().ok()?;
        let written = self.definitions.written_segment(&key).flatten();
        let current = self.state.catalog.segment(INTERNAL)?;
        if written.is_some_and(|written| written.file.is_some()) || current.record.is_empty() {
            return None;
        }
        self.found.compared += 1;
        let ids =
            internal_user_ids(self.definitions.internal_user_ids(), current.record.file.is_some());
        let ids = ids.map(|ids| (ContentHash::of(ids.as_bytes()), Bytes::from(ids)));
        let record = SegmentRecord {
            internal_user_ids: ids.as_ref().map(|(id, _)| *id),
            ..current.record.clone()
        };
        let known = self.state.catalog.blobs();
        let blobs = record.blobs().filter_map(|id| Some((id, known.get(&id)?.clone()))).chain(ids);
        let mut content = ContentCache { blobs: blobs.collect(), ..ContentCache::default() };
        // A form that cannot be read any more is reported by the code that reads the database.
        if current.record != record && content.read_segment(&key, &record).is_ok() {
            self.found.content.blobs.extend(content.blobs);
            self.found.content.segments.extend(content.segments);
            self.found.changes.push(Change::of_segment(
                &key,
                Action::Define,
                Some(current.record.clone()),
                Some(record),
            ));
        }
        Some(key)
    }

    fn segment(&mut self, key: &SegmentKey, written: Option<WrittenSegment<'_>>) {
        self.found.compared += 1;
        let current = self.state.catalog.segment(key.as_str());
        let Some(written) = written else {
            if current.is_none() {
                let change =
                    Change::of_segment(key, Action::Define, None, Some(SegmentRecord::default()));
                self.found.changes.push(change);
            }
            return;
        };
        if current.is_some_and(|current| {
            current
                .form
                .as_ref()
                .is_some_and(|known| self.compared.are_same_segments(known, written.form))
        }) {
            return;
        }
        let record = SegmentRecord::of(&written, &mut self.found.content.blobs);
        self.found.content.segments.insert(key.clone(), written.form.clone());
        let before = current.map(|current| current.record.clone());
        self.found.changes.push(Change::of_segment(key, Action::Define, before, Some(record)));
    }
}

impl Reconciliation {
    pub fn is_empty(&self) -> bool {
        self.narrowed.is_empty() && self.changes.is_empty()
    }

    /// The subjects of the changes.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let narrowed = self.narrowed.iter().map(|narrowed| Subject::Flag(narrowed.flag.clone()));
        self.changes.iter().map(|change| change.subject.clone()).chain(narrowed)
    }

    /// The flags that were not known before.
    pub fn new_flags(&self) -> impl Iterator<Item = FlagKey> {
        self.changes.iter().filter_map(|change| match (&change.subject, &change.before) {
            (Subject::Flag(flag), None) => Some(flag.clone()),
            _ => None,
        })
    }
}

/// The ids of the environment as a text, one a line. If a segment has nothing else, an empty text
/// means that it is known and has no users.
fn internal_user_ids(ids: &[String], has_file: bool) -> Option<String> {
    (!ids.is_empty() || !has_file).then(|| ids.join("\n"))
}

impl SegmentRecord {
    /// The record of a segment as its file says; its blobs are added to `blobs`.
    pub fn of(written: &WrittenSegment<'_>, blobs: &mut Blobs) -> SegmentRecord {
        let mut keep = |id: ContentHash, bytes: &Bytes| {
            blobs.insert(id, bytes.clone());
            id
        };
        let file = written.file.map(|text| keep(text.digest.into(), &text.bytes));
        let users_file = written.users_file.map(|(path, text)| {
            let content = keep(text.digest.into(), &text.bytes);
            UsersFile { path: path.to_owned(), content, unknown: Unknown::default() }
        });
        let ids = internal_user_ids(written.internal_user_ids, written.file.is_some());
        let internal_user_ids = ids.map(|ids| keep(ContentHash::of(ids.as_bytes()), &ids.into()));
        SegmentRecord { file, users_file, internal_user_ids, unknown: Unknown::default() }
    }
}

/// Whether two forms have the same meaning. The same `Arc` has, without comparing long lists.
fn same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}
