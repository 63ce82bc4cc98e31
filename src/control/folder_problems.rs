//! What is wrong with the flags folder, and what waits.

use std::collections::BTreeSet;

use super::committer::CommitError;
use super::retirement::flags_without_a_file;
use super::{ControlEvent, Inner, Problem, ProblemKind};
use crate::definition::{DefinitionSet, Progress};
use crate::flag::FlagKey;
use crate::ledger::{EffectiveState, Subject};
use crate::store;

/// The most subjects that are listed as waiting.
const MAX_LISTED: usize = 10;

impl Inner {
    pub(super) fn wait_for_the_database(&self, subjects: &BTreeSet<Subject>, why: &CommitError) {
        let waiting = |subject: &Subject| {
            Problem {
            kind: ProblemKind::FilesWait,
            subject: Some(subject.key().to_owned()),
            message: format!("the file of {subject} is not live yet: {why}"),
            hint: "it goes live by itself when the database answers; what lowers or switches off is live at once".to_owned(),
        }
        };
        self.trouble(
            ProblemKind::FilesWait,
            subjects.iter().take(MAX_LISTED).map(waiting).collect(),
        );
    }

    /// Reports how far the writing of a large change is; `None` once it has ended. The log gets a line
    /// when that begins, not for every step.
    pub(super) fn report_saving(&self, progress: Option<store::Progress>) {
        let was_known = self.problems.has(ProblemKind::Saving);
        let mib = |bytes: u64| bytes / 1024 / 1024;
        let saving = |progress: store::Progress| {
            Problem {
            kind: ProblemKind::Saving,
            subject: None,
            message: format!(
                "a change is being saved and not live yet: {} of {} MiB are written",
                mib(progress.done_bytes),
                mib(progress.total_bytes)
            ),
            hint: "it goes live by itself once it is whole; what lowers or switches off is live at once"
                .to_owned(),
        }
        };
        if progress.is_none() && !was_known {
            return;
        }
        let new_problems =
            self.problems.set(ProblemKind::Saving, progress.map(saving).into_iter().collect());
        if !was_known {
            new_problems
                .into_iter()
                .for_each(|trouble| (self.observer)(&ControlEvent::Problem(trouble)));
        }
    }

    /// While a database is held for a person's decision, no file is taken in: it is not known which
    /// of the two is older.
    pub(super) fn wait_for_a_person(&self, subjects: &BTreeSet<Subject>) {
        let waiting = |subject: &Subject| Problem {
            kind: ProblemKind::FilesWait,
            subject: Some(subject.key().to_owned()),
            message: format!("the file of {subject} is not live: the database is held"),
            hint: "it goes live when the right database is back, or is accepted (turnout problems)"
                .to_owned(),
        };
        self.trouble(
            ProblemKind::FilesWait,
            subjects.iter().take(MAX_LISTED).map(waiting).collect(),
        );
    }

    /// Reports where a file differs from what an operator holds.
    pub(super) fn report_drift(&self, flag: &str) {
        let Some(entry) = self.state().flag(flag) else { return };
        let (Some(held), Some(written), Ok(flag)) =
            (&entry.record.split, &entry.definition, flag.parse())
        else {
            return;
        };
        let file = written.rollout.unwrap_or_default();
        if file != held.split {
            let (file, live) = (file.to_string(), held.split.to_string());
            let mark = held.mark.clone();
            (self.observer)(&ControlEvent::Drift {
                flag,
                file,
                live,
                by: mark.by.name,
                at_ms: mark.at_ms,
                reason: mark.reason,
            });
        }
    }

    /// Reports which new forms wait for their tests, and how far the tests are. The log gets a line
    /// when that begins, not for every step.
    pub(super) fn report_tests(&self, waiting: Vec<(FlagKey, Progress)>) {
        let known: Vec<Option<String>> = self
            .problems
            .troubles()
            .iter()
            .filter(|known| known.kind == ProblemKind::TestsRun)
            .map(|known| known.subject.clone())
            .collect();
        let trouble = |(flag, Progress { tables_done, tables }): (FlagKey, Progress)| {
            Problem {
            kind: ProblemKind::TestsRun,
            message: match tables {
                0 => format!("the file of flag {flag} is not live yet: its tests are still running"),
                _ => format!(
                    "the file of flag {flag} is not live yet: its tests are still running, {tables_done} of {tables} tables are done"
                ),
            },
            subject: Some(flag.to_string()),
            hint: "it goes live by itself when they have passed; no other flag waits for them, and no order".to_owned(),
        }
        };
        let new_problems = self.problems.set(
            ProblemKind::TestsRun,
            waiting.into_iter().take(MAX_LISTED).map(trouble).collect(),
        );
        new_problems
            .into_iter()
            .filter(|trouble| !known.contains(&trouble.subject))
            .for_each(|trouble| (self.observer)(&ControlEvent::Problem(trouble)));
    }
}

/// Flags and segments whose files were removed while the service did not run.
pub(super) fn find_missing_files(
    state: &EffectiveState,
    definitions: &DefinitionSet,
) -> Vec<Problem> {
    if !definitions.was_read() {
        return Vec::new();
    }
    let trouble = |subject: Subject, file: String| Problem {
        kind: ProblemKind::MissingFile,
        subject: Some(subject.key().to_owned()),
        message: format!("{file} is gone; the {} stays as it last was", subject.kind()),
        hint: "bring the file back".to_owned(),
    };
    // A segment made from the environment has no file.
    let has_no_file = |key| {
        definitions
            .written_segment(key)
            .is_none_or(|written| written.is_some_and(|written| written.file.is_none()))
    };
    let segments = state
        .catalog
        .segments()
        .filter(|(key, entry)| entry.record.file.is_some() && has_no_file(key));
    let segments = segments.filter(|_| definitions.can_read("segments"));
    let segments = segments
        .map(|(key, _)| trouble(Subject::Segment(key.clone()), format!("segments/{key}.yaml")));
    flags_without_a_file(state, definitions).into_iter().chain(segments).collect()
}
