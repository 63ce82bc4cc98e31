//! Every known definition, with its last good form.
//!
//! Law 6: a sound file replaces the old form, a broken file leaves it, and a vanished file takes
//! nothing with it. `folder_reader` takes the files in; `testing` decides which tests a new form
//! still has to pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::candidate::Candidate;
use super::finding::Finding;
use super::limits::MAX_FINDINGS;
use super::segment_names::SegmentUses;
use super::source::TrackedSource;
use super::test_table::Table;
use super::trial::Trial;
use super::written::{WrittenFlag, WrittenSegment, written_flag, written_segment};
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
    pub(super) segments: BTreeMap<SegmentKey, TrackedSource<(), Segment>>,
    /// The segments that each flag's newest file names, until its form is in force.
    pub(super) uses: BTreeMap<FlagKey, SegmentUses>,
    /// What is wrong with them.
    pub(super) findings_of_uses: BTreeMap<FlagKey, Vec<Finding>>,
    /// By path.
    pub(super) tables: BTreeMap<Arc<str>, TrackedSource<(), Table>>,
    /// The paths of each flag's test tables.
    pub(super) tables_of: BTreeMap<FlagKey, Vec<Arc<str>>>,
    /// The test results of the forms in force.
    pub(super) live: BTreeMap<FlagKey, Trial>,
    /// The flags that were given up.
    pub(super) retired: BTreeSet<FlagKey>,
    /// Findings of files that belong to no subject.
    pub(super) orphan_findings: Vec<Finding>,
    pub(super) folder: Option<Finding>,
    /// The subfolders that cannot be read.
    pub(super) folders: BTreeMap<String, Finding>,
    /// Whether the folder was ever readable: until then nothing counts as missing.
    pub(super) was_read: bool,
    pub(super) internal_user_ids: Vec<String>,
    /// Whether the segment `internal` was ever recorded: then it is known even when it is empty.
    pub(super) knows_internal: bool,
}

/// Prints counts, never content: definitions and their tests name users.
impl std::fmt::Debug for DefinitionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DefinitionSet({} flags, {} segments)", self.flags.len(), self.segments.len())
    }
}

/// The form of a flag that is in force; `None` while no good one is known.
pub type Form = Option<(Arc<Definition>, Segments)>;

impl DefinitionSet {
    /// Whether the folder was ever readable. Until then a missing file means nothing.
    pub fn was_read(&self) -> bool {
        self.was_read
    }

    /// Whether a subfolder can be read. In one that cannot, a missing file means nothing.
    pub fn can_read(&self, folder: &str) -> bool {
        !self.folders.contains_key(folder)
    }

    /// Whether a flag was given up, and has no file.
    pub fn is_retired(&self, key: &FlagKey) -> bool {
        self.refuses(key) && !self.flags.contains_key(key)
    }

    /// Whether a file for this key is refused, as the list of retired flags has it.
    pub fn refuses(&self, key: &FlagKey) -> bool {
        self.retired.contains(key)
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

    /// The newest form of a flag as its file says, whether or not its tests pass: what a person asks
    /// about while they fail. `None` without a file that reads.
    pub fn as_its_file_says(&self, key: &str) -> Form {
        let tracked = self.flags.get(key)?;
        let candidate = tracked.candidate.as_ref().map(|candidate| candidate.trial.definition());
        let definition = candidate.or(tracked.good.as_ref())?;
        Some((definition.clone(), self.segments_of(definition)))
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
            .chain(self.findings_of_uses.values().flatten().cloned())
            .chain(self.findings_of_tests())
            .chain(self.orphan_findings.iter().cloned());
        let mut all: Vec<Finding> = of_files.chain(self.folders.values().cloned()).collect();
        all.sort_by(|a, b| (&a.file, a.place, &a.message).cmp(&(&b.file, b.place, &b.message)));
        // A table may refuse a new form and fail the live one with the same words.
        all.dedup();
        bound_each_file(&mut all);
        self.folder.iter().cloned().chain(all).collect()
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

/// Keeps the first findings of each file; a file's findings are adjacent.
fn bound_each_file(findings: &mut Vec<Finding>) {
    let mut of_file: (Arc<str>, usize) = ("".into(), 0);
    findings.retain(|finding| {
        let count = if of_file.0 == finding.file { of_file.1 + 1 } else { 1 };
        of_file = (finding.file.clone(), count);
        count <= MAX_FINDINGS
    });
}
