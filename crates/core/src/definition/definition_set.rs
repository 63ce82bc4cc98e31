//! Every known definition, with its last good form.
//!
//! Given the content of the folder, it decides per subject, whole or not at all (law 6): a sound
//! file replaces the old form, a broken file leaves it, and a vanished file takes nothing with it.
//! One bad file never holds back another that does not name it. `testing` decides which tests a new
//! form still has to pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decode::similar;
use super::files::{File, FlagFiles, Subject, Text};
use super::finding::{Code, Finding, SourceSpan};
use super::flag_file::read_flag;
use super::limits::{MAX_FINDINGS, MAX_FLAGS, MAX_SEGMENTS, MAX_TABLES, MAX_YAML_BYTES};
use super::segment::{INTERNAL, internal_segment, read_segment, users_file_of};
use super::source::{Source, TrackedSource};
use super::test_table::{Table, read_table};
use super::testing::Candidate;
use super::trial::Trial;
use crate::flag::{Definition, FlagKey, Segment, SegmentKey, Segments};

/// The definitions in force, and the findings of their files.
///
/// ```
/// use turnout_core::definition::{DefinitionSet, FlagFiles};
///
/// let mut set = DefinitionSet::default();
/// let good = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n";
/// assert!(set.update(&FlagFiles::of([("chat.yaml", good)])).is_empty());
///
/// let findings = set.update(&FlagFiles::of([("chat.yaml", "version: 1\nflag: chat\nenabled: maybe\n")]));
/// assert_eq!(findings[0].place.unwrap().line, 1);
/// assert!(set.flags().any(|(key, form)| key.as_str() == "chat" && form.is_some()), "the last good form stays");
/// ```
#[derive(Default)]
pub struct DefinitionSet {
    pub(super) flags: BTreeMap<FlagKey, TrackedSource<Candidate, Definition>>,
    segments: BTreeMap<SegmentKey, TrackedSource<(), Segment>>,
    /// By path.
    pub(super) tables: BTreeMap<Arc<str>, TrackedSource<(), Table>>,
    /// The paths of each flag's test tables.
    pub(super) tables_of: BTreeMap<FlagKey, Vec<Arc<str>>>,
    /// The test results of the forms in force.
    pub(super) live: BTreeMap<FlagKey, Trial>,
    /// Findings of files that belong to no subject.
    orphan_findings: Vec<Finding>,
    folder: Option<Finding>,
    /// The subfolders that cannot be read.
    folders: BTreeMap<String, Finding>,
    /// Whether the folder was ever readable: until then nothing counts as missing.
    was_read: bool,
    internal_user_ids: Vec<String>,
    /// Whether the segment `internal` was ever recorded: then it is known even when it is empty.
    knows_internal: bool,
}

/// Prints counts, never content: definitions and their tests name users.
impl std::fmt::Debug for DefinitionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library({} flags, {} segments)", self.flags.len(), self.segments.len())
    }
}

/// A flag as its file says.
#[derive(Clone, Copy, Debug)]
pub struct WrittenFlag<'a> {
    pub form: &'a Arc<Definition>,
    pub text: &'a Text,
}

/// A segment as its file and `INTERNAL_USER_IDS` say.
#[derive(Clone, Copy)]
pub struct WrittenSegment<'a> {
    pub form: &'a Arc<Segment>,
    pub file: Option<&'a Text>,
    /// With the list's path inside the folder.
    pub users_file: Option<(&'a str, &'a Text)>,
    pub internal_user_ids: &'a [String],
}

/// The form of a flag that is in force; `None` while no good one is known.
pub type Form = Option<(Arc<Definition>, Segments)>;

impl DefinitionSet {
    /// Takes in the content of the folder, runs all its tests, and returns every finding.
    pub fn update(&mut self, contents: &FlagFiles) -> Vec<Finding> {
        self.read(contents, u64::MAX);
        self.findings()
    }

    /// Takes in the content of the folder. Tests are run here as long as they cost at most
    /// `checks_at_once` checks in all, the cheapest first.
    /// [`pending_tests`](DefinitionSet::pending_tests) returns the others.
    pub fn read(&mut self, contents: &FlagFiles, checks_at_once: u64) {
        self.folder = contents.unreadable.as_ref().map(|why| {
            Finding::of_file("", Code::FolderMissing, why.clone()).with_hint(
                "make it, or name another with --flags; it is read as soon as it is there, and what is live stays live",
            )
        });
        self.internal_user_ids.clone_from(&contents.internal_user_ids);
        if self.folder.is_none() {
            self.was_read = true;
            self.folders = contents
                .unreadable_folders
                .iter()
                .map(|(folder, why)| (folder.clone(), unreadable(folder, why)))
                .collect();
            self.read_files(contents);
            self.link_flags();
            self.sort_tables();
            self.test_at_once(checks_at_once);
        }
    }

    /// Whether the folder was ever readable. Until then a missing file means nothing.
    pub fn was_read(&self) -> bool {
        self.was_read
    }

    /// Whether a subfolder can be read. In one that cannot, a missing file means nothing.
    pub fn can_read(&self, folder: &str) -> bool {
        !self.folders.contains_key(folder)
    }

    /// From the next reading on, the segment `internal` is known even when it is empty.
    pub fn know_internal(&mut self) {
        self.knows_internal = true;
    }

    /// The present value of `INTERNAL_USER_IDS`, also while no file can be read.
    pub fn internal_user_ids(&self) -> &[String] {
        &self.internal_user_ids
    }

    /// Every flag with its form in force, ordered by key.
    pub fn flags(&self) -> impl Iterator<Item = (&FlagKey, Form)> {
        self.flags.iter().map(|(key, tracked)| {
            (
                key,
                tracked
                    .good
                    .as_ref()
                    .map(|definition| (definition.clone(), self.segments_of(definition))),
            )
        })
    }

    /// Every flag with the source of its last good form.
    pub fn written_flags(&self) -> impl Iterator<Item = (&FlagKey, Option<WrittenFlag<'_>>)> {
        self.flags.iter().map(|(key, tracked)| (key, written_flag(tracked)))
    }

    /// Every segment with the source of its last good form.
    pub fn written_segments(
        &self,
    ) -> impl Iterator<Item = (&SegmentKey, Option<WrittenSegment<'_>>)> {
        self.segments.iter().map(|(key, tracked)| (key, written_segment(tracked)))
    }

    /// A flag with the source of its last good form; the outer `None` where there is no file for
    /// it.
    pub fn written_flag(&self, key: &FlagKey) -> Option<Option<WrittenFlag<'_>>> {
        self.flags.get(key).map(written_flag)
    }

    /// A segment with the source of its last good form; the outer `None` where there is no file for
    /// it.
    pub fn written_segment(&self, key: &SegmentKey) -> Option<Option<WrittenSegment<'_>>> {
        self.segments.get(key).map(written_segment)
    }

    /// Every segment with a good form.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.values().filter_map(|tracked| tracked.good.as_ref())
    }

    /// Every finding of the folder, as far as its tests have run.
    pub fn findings(&self) -> Vec<Finding> {
        let of_segments = self
            .segments
            .iter()
            .flat_map(|(key, tracked)| tracked.all_findings("segments/", key.as_str(), "segment"));
        let of_flags = self
            .flags
            .iter()
            .flat_map(|(key, tracked)| tracked.all_findings("", key.as_str(), "flag"));
        let of_files = of_flags
            .chain(of_segments)
            .chain(self.findings_of_tests())
            .chain(self.orphan_findings.iter().cloned());
        let mut all: Vec<Finding> = of_files.chain(self.folders.values().cloned()).collect();
        all.sort_by(|a, b| (&a.file, a.place, &a.message).cmp(&(&b.file, b.place, &b.message)));
        // A table may refuse a new form and fail the live one with the same words.
        all.dedup();
        bound_each_file(&mut all);
        self.folder.iter().cloned().chain(all).collect()
    }

    fn read_files(&mut self, contents: &FlagFiles) {
        self.orphan_findings.clear();
        self.flags.values_mut().for_each(|tracked| tracked.present = false);
        self.segments.values_mut().for_each(|tracked| tracked.present = false);
        self.tables.values_mut().for_each(|tracked| tracked.present = false);
        for (path, file) in &contents.files {
            match FlagFiles::subject(path) {
                Some(Subject::Flag(stem)) => self.read_flag_file(path, stem, file),
                Some(Subject::Segment(stem)) => self.read_segment_file(path, stem, file, contents),
                Some(Subject::Tests(_)) => self.read_table_file(path, file),
                None => self.note_stray(path),
            }
        }
        self.read_internal_user_ids(contents);
        // A form that waits for tests goes away with its file.
        for tracked in self.flags.values_mut().filter(|tracked| !tracked.present) {
            if tracked.candidate.take().is_some() {
                (tracked.source, tracked.findings) = Default::default();
            }
        }
        // A subject that was never good goes away with its file; a live one stays.
        self.flags.retain(|_, tracked| tracked.present || tracked.good.is_some());
        self.segments.retain(|_, tracked| tracked.present || tracked.good.is_some());
        self.tables.retain(|_, tracked| tracked.present);
    }

    fn read_flag_file(&mut self, path: &str, stem: &str, file: &File) {
        let Some(key) = self.admit::<FlagKey>(path, stem, |definitions| {
            (definitions.flags.len(), MAX_FLAGS, definitions.flags.contains_key(stem))
        }) else {
            return;
        };
        let live = self.live.get(&key);
        let tracked = self.flags.entry(key).or_insert_with(TrackedSource::new);
        tracked.present = true;
        let source = Source { file: Some(file.clone()), ..Source::default() };
        if tracked.source == source {
            return;
        }
        tracked.source = source;
        (tracked.candidate, tracked.findings) =
            match yaml_bytes(path, file).and_then(|bytes| read_flag(path, stem, bytes)) {
                Ok(read) => (Some(Candidate::new(read, live)), Vec::new()),
                Err(findings) => (None, findings),
            };
    }

    fn read_segment_file(&mut self, path: &str, stem: &str, file: &File, contents: &FlagFiles) {
        let count = |definitions: &DefinitionSet| {
            (definitions.segments.len(), MAX_SEGMENTS, definitions.segments.contains_key(stem))
        };
        let Some(key) = self.admit::<SegmentKey>(path, stem, count) else { return };
        let tracked = self.segments.entry(key).or_insert_with(TrackedSource::new);
        tracked.present = true;
        let users_file = match file {
            File::Text(text) => users_file_of(&text.bytes).map(|path| {
                let file = contents.files.get(&path).cloned();
                (path, file)
            }),
            _ => None,
        };
        let internal_user_ids =
            if stem == INTERNAL { contents.internal_user_ids.clone() } else { Vec::new() };
        let source = Source { file: Some(file.clone()), users_file, internal_user_ids };
        if tracked.source == source {
            return;
        }
        tracked.source = source;
        match yaml_bytes(path, file).and_then(|bytes| read_segment(path, stem, bytes, contents)) {
            Ok(segment) => {
                tracked.findings = Vec::new();
                tracked.promote(Arc::new(segment));
            }
            Err(findings) => tracked.findings = findings,
        }
    }

    fn read_table_file(&mut self, path: &str, file: &File) {
        if self.tables.len() >= MAX_TABLES && !self.tables.contains_key(path) {
            let message =
                format!("there are {MAX_TABLES} tables of tests already, the most there may be");
            self.orphan_findings.push(Finding::of_file(path, Code::TooMany, message));
            return;
        }
        let tracked = self.tables.entry(path.into()).or_insert_with(TrackedSource::new);
        tracked.present = true;
        let source = Source { file: Some(file.clone()), ..Source::default() };
        if tracked.source == source {
            return;
        }
        tracked.source = source;
        match yaml_bytes(path, file).and_then(|bytes| read_table(path, bytes)) {
            Ok(table) => (tracked.good, tracked.findings) = (Some(Arc::new(table)), Vec::new()),
            Err(findings) => tracked.findings = findings,
        }
    }

    /// `INTERNAL_USER_IDS` makes the segment where no file does. Once known, the segment stays
    /// known when the variable is empty: a flag that names it must not fail for that.
    fn read_internal_user_ids(&mut self, contents: &FlagFiles) {
        let Ok(key) = INTERNAL.parse::<SegmentKey>() else { return };
        let tracked = self.segments.get(&key);
        let has_file = tracked.is_some_and(|tracked| tracked.source.file.is_some());
        let is_known = tracked.is_some() || self.knows_internal;
        if has_file || contents.internal_user_ids.is_empty() && !is_known {
            return;
        }
        let tracked = self.segments.entry(key.clone()).or_insert_with(TrackedSource::new);
        tracked.present = true;
        let source =
            Source { internal_user_ids: contents.internal_user_ids.clone(), ..Source::default() };
        if tracked.good.is_none() || tracked.source != source {
            tracked.source = source;
            tracked.promote(Arc::new(internal_segment(key, contents)));
        }
    }

    /// The key of a file's subject, if it has a valid one and there is room for it.
    fn admit<Key>(
        &mut self,
        path: &str,
        stem: &str,
        count: impl Fn(&DefinitionSet) -> (usize, usize, bool),
    ) -> Option<Key>
    where
        Key: std::str::FromStr<Err = crate::flag::BadName>,
    {
        let (known, most, is_known) = count(self);
        match stem.parse() {
            Ok(_) if known >= most && !is_known => {
                let message = format!("there are {most} already, the most there may be");
                self.orphan_findings.push(Finding::of_file(path, Code::TooMany, message));
                None
            }
            Ok(key) => Some(key),
            Err(bad) => {
                let message = format!("the file's name is the key, which {bad}");
                self.orphan_findings.push(
                    Finding::of_file(path, Code::BadFileName, message).with_hint("rename the file"),
                );
                None
            }
        }
    }

    /// A `.yml` in the place of a `.yaml` would silently have no effect.
    fn note_stray(&mut self, path: &str) {
        let folder = path.strip_prefix("segments/").unwrap_or(path);
        if folder.ends_with(".yml") && !folder.contains('/') {
            let finding =
                Finding::of_file(path, Code::BadFileName, "only files called `….yaml` are read");
            self.orphan_findings.push(finding.with_hint("rename the file"));
        }
    }

    /// Checks whether the segments that a candidate names exist. A candidate whose segments are
    /// missing is kept: the segment's file may come with the next save.
    fn link_flags(&mut self) {
        for (key, tracked) in &mut self.flags {
            let Some(candidate) = &mut tracked.candidate else { continue };
            let unknown = candidate
                .segment_uses
                .iter()
                .filter(|(segment, _)| !self.segments.contains_key(segment));
            let finding = |(segment, place): &(SegmentKey, SourceSpan)| {
                let hint =
                    match similar(segment.as_str(), self.segments.keys().map(SegmentKey::as_str)) {
                        Some(meant) => format!("a segment with a similar name exists: `{meant}`"),
                        None => format!("no file segments/{segment}.yaml"),
                    };
                let path = format!("{key}.yaml");
                let finding = Finding::of_file(
                    &path,
                    Code::UnknownSegment,
                    format!("unknown segment `{segment}`"),
                );
                Finding { place: Some(*place), ..finding.with_hint(hint) }
            };
            tracked.findings = unknown.take(MAX_FINDINGS).map(finding).collect();
            candidate.is_linked = tracked.findings.is_empty();
        }
    }

    fn segments_of(&self, definition: &Definition) -> Segments {
        let segment = |key| self.segments.get(key).and_then(|tracked| tracked.good.clone());
        definition
            .segments
            .iter()
            .map(segment)
            .collect::<Option<_>>()
            .map_or(Segments::Unusable, Segments::Known)
    }
}

fn written_flag<Candidate>(
    tracked: &TrackedSource<Candidate, Definition>,
) -> Option<WrittenFlag<'_>> {
    let text = tracked.good_source.file.as_ref().and_then(File::text);
    tracked.good.as_ref().zip(text).map(|(form, text)| WrittenFlag { form, text })
}

fn written_segment(tracked: &TrackedSource<(), Segment>) -> Option<WrittenSegment<'_>> {
    let Source { file, users_file, internal_user_ids } = &tracked.good_source;
    let users_file =
        users_file.as_ref().and_then(|(path, file)| Some((&**path, file.as_ref()?.text()?)));
    let file = file.as_ref().and_then(File::text);
    tracked.good.as_ref().map(|form| WrittenSegment { form, file, users_file, internal_user_ids })
}

fn unreadable(folder: &str, why: &str) -> Finding {
    let message = format!("the folder cannot be read: {why}");
    let hint = "make it a folder that this user may read; what is known of its files stays, and everything else is read";
    Finding::of_file(folder, Code::UnreadableFile, message).with_hint(hint)
}

/// Keeps the first findings of each file; a file's findings are adjacent.
fn bound_each_file(findings: &mut Vec<Finding>) {
    let mut of_file: (Arc<str>, usize) = ("".into(), 0);
    findings.retain(|finding| {
        let count = if of_file.0 == finding.file { of_file.1 + 1 } else { 1 };
        of_file = (finding.file.clone(), count);
        count <= MAX_FINDINGS
    });
}

fn yaml_bytes<'a>(path: &str, file: &'a File) -> Result<&'a [u8], Vec<Finding>> {
    match file {
        File::Text(text) => Ok(&text.bytes),
        File::TooLarge { bytes } => {
            let message = format!("{bytes} bytes; a YAML file may have {MAX_YAML_BYTES}");
            Err(vec![
                Finding::of_file(path, Code::TooLarge, message)
                    .with_hint("put long id lists into a `users_file`"),
            ])
        }
        File::Unreadable { why } => {
            let message = format!("cannot be read: {why}");
            Err(vec![
                Finding::of_file(path, Code::UnreadableFile, message)
                    .with_hint("check its permissions"),
            ])
        }
    }
}
