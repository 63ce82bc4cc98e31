//! What a reading of the folder changes: a definition is recorded if it means something else than the one recorded last.
//!
//! A file owns its definition and nothing an operator laid over it, so overrides pass through untouched (law 8).

use std::sync::Arc;

use bytes::Bytes;

use super::action::{Action, Change};
use super::book::{FlagEntry, SegmentEntry};
use super::content::{ContentId, Texts};
use super::forms::Forms;
use super::narrowing::is_narrowing;
use super::pending::{Narrowed, Op};
use super::record::{FlagRecord, SegmentRecord, UsersFile};
use super::standing::Truth;
use crate::definition::{Library, WrittenFlag, WrittenSegment};
use crate::flag::{FlagKey, SegmentKey};

/// The longest definition that is journaled; a longer one waits for its commit like any other change.
const MAX_JOURNALED_BYTES: usize = 64 * 1024;

/// What is to be recorded of a folder.
#[derive(Debug, Default)]
pub struct Recording {
    /// What may be live at once.
    pub narrowed: Vec<Narrowed>,
    pub changes: Vec<Change>,
    /// What the changes speak of.
    pub forms: Forms,
}

/// Compares what the folder says with how things stand.
pub fn record_files(truth: &Truth, library: &Library) -> Recording {
    let mut recording = Recording::default();
    for (key, written) in library.written_segments() {
        recording.segment(key, written, truth.book.segment(key.as_str()));
    }
    for (key, written) in library.written_flags() {
        recording.flag(key, written, truth.flag(key.as_str()));
    }
    let is_written = |key: &FlagKey| library.written_flags().any(|(written, _)| written == key);
    let never_good = truth.book.flags().filter(|(_, entry)| entry.record == FlagRecord::default());
    for (key, entry) in never_good.filter(|(key, _)| !is_written(key)) {
        recording.changes.push(Change::of_flag(key, Action::Remove, Some(entry.record.clone()), None));
    }
    recording
}

impl Recording {
    pub fn is_empty(&self) -> bool {
        self.narrowed.is_empty() && self.changes.is_empty()
    }

    fn flag(&mut self, key: &FlagKey, written: Option<WrittenFlag<'_>>, current: Option<FlagEntry>) {
        let Some(WrittenFlag { form, text }) = written else {
            if current.is_none() {
                self.changes.push(Change::of_flag(key, Action::Define, None, Some(FlagRecord::default())));
            }
            return;
        };
        if current.as_ref().is_some_and(|current| current.definition.as_ref().is_some_and(|known| same(known, form))) {
            return;
        }
        let id = ContentId::from(text.digest);
        let old = current.clone().unwrap_or_default();
        let record = FlagRecord { definition: Some(id), ..old.record.clone() };
        let new = FlagEntry { definition: Some(form.clone()), ..old.with(record) };
        let mut forms = Forms::default();
        forms.texts.insert(id, text.bytes.clone());
        forms.definitions.insert(id, form.clone());
        if is_narrowing(&old, &new) && text.bytes.len() <= MAX_JOURNALED_BYTES {
            let text = String::from_utf8_lossy(&text.bytes).into_owned();
            let op = Op::Define { before: old.record.definition, after: id, text, forms };
            self.narrowed.push(Narrowed { flag: key.clone(), action: Action::Define, op });
        } else {
            let before = current.map(|current| current.record);
            self.changes.push(Change::of_flag(key, Action::Define, before, Some(new.record)));
            self.forms.texts.extend(forms.texts);
            self.forms.definitions.extend(forms.definitions);
        }
    }

    fn segment(&mut self, key: &SegmentKey, written: Option<WrittenSegment<'_>>, current: Option<&SegmentEntry>) {
        let Some(written) = written else {
            if current.is_none() {
                self.changes.push(Change::of_segment(key, Action::Define, None, Some(SegmentRecord::default())));
            }
            return;
        };
        if current.is_some_and(|current| current.form.as_ref().is_some_and(|known| same(known, written.form))) {
            return;
        }
        let record = SegmentRecord::of(&written, &mut self.forms.texts);
        self.forms.segments.insert(key.clone(), written.form.clone());
        let before = current.map(|current| current.record.clone());
        self.changes.push(Change::of_segment(key, Action::Define, before, Some(record)));
    }
}

impl SegmentRecord {
    /// The record of a segment as the folder has it; its texts are added to `texts`.
    pub fn of(written: &WrittenSegment<'_>, texts: &mut Texts) -> SegmentRecord {
        let mut keep = |id: ContentId, bytes: &Bytes| {
            texts.insert(id, bytes.clone());
            id
        };
        let file = written.file.map(|text| keep(text.digest.into(), &text.bytes));
        let users_file = written.users_file.map(|(path, text)| {
            let content = keep(text.digest.into(), &text.bytes);
            UsersFile { path: path.to_owned(), content }
        });
        let ids = (!written.internal_user_ids.is_empty()).then(|| written.internal_user_ids.join("\n"));
        let internal_user_ids = ids.map(|ids| keep(ContentId::of(ids.as_bytes()), &ids.into()));
        SegmentRecord { file, users_file, internal_user_ids }
    }
}

/// Whether two forms mean the same. The very same one does, however long its lists are.
fn same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}
