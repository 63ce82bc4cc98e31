//! How a definition set takes in the content of the folder.
//!
//! It decides per subject, whole or not at all: one bad file never holds back another that does not
//! name it.

use std::sync::Arc;

use super::candidate::Candidate;
use super::definition_set::DefinitionSet;
use super::files::{File, FlagFiles, Subject};
use super::finding::{Code, Finding};
use super::flag_file::read_flag;
use super::limits::{MAX_FLAGS, MAX_SEGMENTS, MAX_TABLES, MAX_YAML_BYTES};
use super::retired::{read_retired, retired_key};
use super::segment::{INTERNAL, internal_segment, read_segment};
use super::segment_names::SegmentUses;
use super::source::{Source, TrackedSource};
use super::test_table::read_table;
use super::users_file::users_file_of;
use crate::flag::{FlagKey, SegmentKey};

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

    fn read_files(&mut self, contents: &FlagFiles) {
        self.orphan_findings.clear();
        let (retired, findings) = read_retired(contents);
        self.orphan_findings.extend(findings);
        self.retired = retired.unwrap_or_else(|| std::mem::take(&mut self.retired));
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
        for (key, tracked) in self.flags.iter_mut().filter(|(_, tracked)| !tracked.present) {
            self.uses.remove(key);
            if tracked.candidate.take().is_some() {
                (tracked.source, tracked.findings) = Default::default();
            }
        }
        // A subject that was never good goes away with its file, and so does a flag that was given
        // up; every other one stays.
        self.flags.retain(|key, tracked| {
            tracked.present || tracked.good.is_some() && !self.retired.contains(key)
        });
        self.live.retain(|key, _| self.flags.contains_key(key));
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
        let is_retired = self.retired.contains(&key);
        let retired = is_retired.then(|| retired_key(path, &key));
        let tracked = self.flags.entry(key.clone()).or_insert_with(TrackedSource::new);
        tracked.present = true;
        let source = Source { file: Some(file.clone()), is_retired, ..Source::default() };
        if tracked.source == source {
            return;
        }
        tracked.source = source;
        if let Some(finding) = retired {
            (tracked.candidate, tracked.findings) = (None, vec![finding]);
            self.uses.remove(&key);
            return;
        }
        let (read, uses) = match yaml_bytes(path, file) {
            Ok(bytes) => read_flag(path, stem, bytes),
            Err(findings) => (Err(findings), SegmentUses::default()),
        };
        (tracked.candidate, tracked.findings) = match read {
            Ok(read) => (Some(Candidate::new(read, live)), Vec::new()),
            Err(findings) => (None, findings),
        };
        self.uses.insert(key, uses);
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
        let source =
            Source { file: Some(file.clone()), users_file, internal_user_ids, is_retired: false };
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
            self.orphan_findings.push(
                Finding::of_file(path, Code::TooMany, message)
                    .with_hint("put its cases into a table that there is, and remove the file"),
            );
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
                self.orphan_findings.push(
                    Finding::of_file(path, Code::TooMany, message).with_hint(
                        "remove files that are no longer needed; flags: turnout retire FLAG",
                    ),
                );
                None
            }
            Ok(key) => Some(key),
            Err(bad) => {
                let message = format!("the file's name is the key, which {bad}");
                let hint = format!("rename the file: {}", bad.help());
                self.orphan_findings
                    .push(Finding::of_file(path, Code::BadFileName, message).with_hint(hint));
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
            self.orphan_findings.push(finding.with_hint("rename the file: end it in `.yaml`"));
        }
    }

    /// Checks whether the segments that new files name exist. A candidate whose segments are
    /// missing is kept: the segment's file may come with the next save.
    fn link_flags(&mut self) {
        self.findings_of_uses.clear();
        for (key, uses) in &self.uses {
            let findings = uses.findings(&format!("{key}.yaml"), &self.segments);
            let candidate = self.flags.get_mut(key).and_then(|tracked| tracked.candidate.as_mut());
            if let Some(candidate) = candidate {
                candidate.is_linked = findings.is_empty();
            }
            if !findings.is_empty() {
                self.findings_of_uses.insert(key.clone(), findings);
            }
        }
    }
}

fn unreadable(folder: &str, why: &str) -> Finding {
    let message = format!("the folder cannot be read: {why}");
    let hint = "make it a folder that this user may read; what is known of its files stays, and everything else is read";
    Finding::of_file(folder, Code::UnreadableFile, message).with_hint(hint)
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
