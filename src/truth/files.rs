//! What a reading of the folder changes: a definition is recorded if it means something else than the one recorded last.
//!
//! A file owns its definition and nothing an operator laid over it, so overrides pass through untouched (law 8).

use std::sync::Arc;

use bytes::Bytes;

use super::action::{Action, Change};
use super::book::{Book, FlagEntry, SegmentEntry};
use super::content::{ContentId, Texts};
use super::forms::Forms;
use super::narrowing::is_narrowing;
use super::pending::{Narrowed, Op};
use super::record::{FlagRecord, SegmentRecord, UsersFile};
use super::standing::Truth;
use super::unknown::Unknown;
use crate::definition::{INTERNAL, Library, WrittenFlag, WrittenSegment};
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
    let internal = internal_without_a_file(&truth.book, library);
    if let Some((key, record)) = &internal {
        recording.internal(key, record, library, &truth.book);
    }
    if !library.was_read() {
        return recording;
    }
    let is_done = |key: &SegmentKey| internal.as_ref().is_some_and(|(internal, _)| internal == key);
    for (key, written) in library.written_segments().filter(|(key, _)| !is_done(key)) {
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

/// The segment `internal` as it is to be recorded where it has a record and the folder has no good file of it: with its file as that was
/// last, and with the ids that the environment gives now. What the environment gave it takes back, whatever became of the file.
fn internal_without_a_file(book: &Book, library: &Library) -> Option<(SegmentKey, SegmentRecord)> {
    let key: SegmentKey = INTERNAL.parse().ok()?;
    let has_good_file = library
        .written_segments()
        .any(|(known, written)| *known == key && written.is_some_and(|written| written.file.is_some()));
    let recorded = &book.segment(INTERNAL)?.record;
    if has_good_file || recorded.is_empty() {
        return None;
    }
    let internal_user_ids = internal_user_ids(library.internal_user_ids(), recorded.file.is_some());
    Some((
        key,
        SegmentRecord { internal_user_ids: internal_user_ids.map(|ids| ContentId::of(ids.as_bytes())), ..recorded.clone() },
    ))
}

/// The ids of the environment as a text, one a line. Where there is nothing else an empty text says that the segment is known and has no
/// users.
fn internal_user_ids(ids: &[String], has_file: bool) -> Option<String> {
    (!ids.is_empty() || !has_file).then(|| ids.join("\n"))
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
            let op = Op::Define { before: old.record.definition, after: id, text, forms, unknown: Unknown::default() };
            self.narrowed.push(Narrowed { flag: key.clone(), action: Action::Define, op, unknown: Unknown::default() });
        } else {
            let before = current.map(|current| current.record);
            self.changes.push(Change::of_flag(key, Action::Define, before, Some(new.record)));
            self.forms.texts.extend(forms.texts);
            self.forms.definitions.extend(forms.definitions);
        }
    }

    fn internal(&mut self, key: &SegmentKey, record: &SegmentRecord, library: &Library, book: &Book) {
        let Some(current) = book.segment(key.as_str()) else { return };
        let ids = internal_user_ids(library.internal_user_ids(), record.file.is_some());
        let ids = ids.map(|ids| (ContentId::of(ids.as_bytes()), Bytes::from(ids)));
        let texts = record.texts().filter_map(|id| Some((id, book.texts().get(&id)?.clone()))).chain(ids);
        let mut forms = Forms { texts: texts.collect(), ..Forms::default() };
        // A form that does not read any more is for whoever reads the database to say.
        if current.record == *record || forms.read_segment(key, record).is_err() {
            return;
        }
        self.forms.texts.extend(forms.texts);
        self.forms.segments.extend(forms.segments);
        self.changes.push(Change::of_segment(key, Action::Define, Some(current.record.clone()), Some(record.clone())));
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
            UsersFile { path: path.to_owned(), content, unknown: Unknown::default() }
        });
        let ids = internal_user_ids(written.internal_user_ids, written.file.is_some());
        let internal_user_ids = ids.map(|ids| keep(ContentId::of(ids.as_bytes()), &ids.into()));
        SegmentRecord { file, users_file, internal_user_ids, unknown: Unknown::default() }
    }
}

/// Whether two forms mean the same. The very same one does, however long its lists are.
fn same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}
