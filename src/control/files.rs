//! What a reading of the folder changes. A file that only narrows is live at once; the rest is committed first, or waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::lane::{Draft, NotCommitted};
use super::{Corridor, Inner, News, Trouble, TroubleKind, lock};
use crate::definition::{Contents, INTERNAL};
use crate::token::random_name;
use crate::truth::{Change, Origin, Pending, Recording, Subject, Unknown, record_files};

const ACTOR: &str = "file";
/// How long a reading waits for the changes before it.
const LANE: Duration = Duration::from_secs(5);

/// What came of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenIn {
    /// Whether the findings are others than before.
    pub findings_changed: bool,
}

impl Corridor {
    /// Takes in what the folder holds. When this returns it is live, or waits for the database.
    pub async fn take_in(&self, contents: &Contents) -> TakenIn {
        let internal_is_recorded = self.0.truth().book.segment(INTERNAL).is_some_and(|entry| !entry.record.is_empty());
        let findings = {
            let mut library = lock(&self.0.library);
            if internal_is_recorded {
                library.know_internal();
            }
            library.update(contents)
        };
        let findings_changed = self.0.problems.replace(findings);
        let inner = self.0.clone();
        // Carried to its end also when whoever read the folder goes away.
        let _ = tokio::spawn(async move { inner.record().await }).await;
        TakenIn { findings_changed }
    }
}

impl Inner {
    /// Records what the folder says and the store does not.
    pub(super) async fn record(self: &Arc<Self>) {
        self.share_lists();
        if self.is_held() {
            let recording = self.recording();
            let narrowed = recording.narrowed.iter().map(|narrowed| Subject::Flag(narrowed.flag.clone()));
            let waiting: Vec<Subject> = recording.changes.iter().map(|change| change.subject.clone()).chain(narrowed).collect();
            return self.wait_for_a_person(&waiting);
        }
        self.narrow_by_file().await;
        if !self.recording().changes.is_empty() {
            self.record_by_the_lane().await;
        } else {
            self.trouble(TroubleKind::FilesWait, Vec::new());
        }
        self.find_missing_files();
    }

    /// Whether a file waits to be recorded.
    pub(super) fn files_wait(&self) -> bool {
        self.problems.has(TroubleKind::FilesWait)
    }

    fn recording(&self) -> Recording {
        let library = lock(&self.library);
        record_files(&self.truth(), &library)
    }

    fn settled_recording(&self) -> Option<Recording> {
        let library = lock(&self.library);
        let truth = self.truth();
        truth.pending().is_empty().then(|| record_files(&truth, &library))
    }

    async fn narrow_by_file(self: &Arc<Self>) {
        let began = Instant::now();
        let guard = self.narrow.lock().await;
        let narrowed = self.recording().narrowed;
        if narrowed.is_empty() {
            return;
        }
        let flags: Vec<_> = narrowed.iter().map(|narrowed| narrowed.flag.clone()).collect();
        let at_ms = self.clock.wall_ms();
        let id = random_name().unwrap_or_else(|| format!("{ACTOR}-{at_ms}"));
        let (actor, origin) = (ACTOR.into(), Origin::File);
        let revoked = Vec::new();
        let pending = Pending {
            id: id.clone(),
            at_ms,
            actor,
            origin,
            reason: None,
            request: None,
            narrowed,
            revoked,
            superseded: Vec::new(),
            unknown: Unknown::default(),
        };
        let (waiting, journaled) = self.push(pending).await;
        drop(guard);
        self.await_commit(began, &id, waiting, journaled, Vec::new()).await;
        flags.iter().for_each(|flag| self.tell_drift(flag.as_str()));
    }

    async fn record_by_the_lane(self: &Arc<Self>) {
        let Ok(mut lane) = timeout(LANE, self.lane.clone().lock_owned()).await else {
            let waiting: Vec<Subject> = self.recording().changes.into_iter().map(|change| change.subject).collect();
            return self.wait_for_the_database(&waiting, &NotCommitted::Unknown);
        };
        let (settled, recording) = match self.decide_settled(&mut lane, || self.settled_recording()).await {
            Ok(recording) => (Ok(()), recording),
            Err(not) => (Err(not), self.recording()),
        };
        let Recording { changes, forms, .. } = recording;
        if changes.is_empty() {
            return self.trouble(TroubleKind::FilesWait, Vec::new());
        }
        let subjects: Vec<Subject> = changes.iter().map(|change| change.subject.clone()).collect();
        let committed = match settled {
            Ok(()) => {
                let (actor, origin) = (ACTOR.into(), Origin::File);
                let draft = Draft {
                    actor,
                    origin,
                    reason: None,
                    effective_at_ms: None,
                    key: None,
                    changes: changes.clone(),
                    forms: forms.clone(),
                };
                self.commit(&mut lane, draft, None).await.map(drop)
            }
            Err(not) => Err(not),
        };
        match committed {
            Ok(()) => {
                self.trouble(TroubleKind::FilesWait, Vec::new());
                subjects.iter().for_each(|subject| self.tell_drift(subject.key()));
            }
            // Nothing was ever recorded here: the files are all there is.
            Err(_) if self.truth().book.head.revision == 0 => self.serve_unrecorded(&changes, &forms),
            Err(not) => self.wait_for_the_database(&subjects, &not),
        }
    }

    fn serve_unrecorded(&self, changes: &[Change], forms: &crate::truth::Forms) {
        let mut truth = self.truth();
        let mut book = truth.book.clone();
        book.apply(book.head, changes, forms);
        truth.serve_unrecorded(book);
        self.refresh(&truth);
    }

    fn wait_for_the_database(&self, subjects: &[Subject], why: &NotCommitted) {
        let waiting = |subject: &Subject| Trouble {
            kind: TroubleKind::FilesWait,
            subject: Some(subject.key().to_owned()),
            message: format!("the file of {subject} is not live yet: {why}"),
            hint: "it goes live by itself when the database answers; what lowers or switches off is live at once".to_owned(),
        };
        self.trouble(TroubleKind::FilesWait, subjects.iter().take(10).map(waiting).collect());
    }

    /// A held state takes in no file: which of the two is the older is not known.
    fn wait_for_a_person(&self, subjects: &[Subject]) {
        let waiting = |subject: &Subject| Trouble {
            kind: TroubleKind::FilesWait,
            subject: Some(subject.key().to_owned()),
            message: format!("the file of {subject} is not live: the database is held"),
            hint: "it goes live when the right database is back, or is accepted (turnout problems)".to_owned(),
        };
        self.trouble(TroubleKind::FilesWait, subjects.iter().take(10).map(waiting).collect());
    }

    /// Says so where an operator holds what a file now says otherwise.
    fn tell_drift(&self, flag: &str) {
        let Some(entry) = self.truth().flag(flag) else { return };
        let (Some(held), Some(written), Ok(flag)) = (&entry.record.split, &entry.definition, flag.parse()) else { return };
        let file = written.rollout.unwrap_or_default();
        if file != held.split {
            let (file, live) = (file.to_string(), held.split.to_string());
            let mark = held.mark.clone();
            (self.tell)(&News::Drift { flag, file, live, by: mark.by.name, at_ms: mark.at_ms, reason: mark.reason });
        }
    }

    /// A long list that both the folder and the book hold is held once.
    fn share_lists(&self) {
        let library = lock(&self.library);
        let mut truth = self.truth();
        for (_, written) in library.written_segments() {
            let Some(written) = written else { continue };
            let users_file = written.users_file.map(|(_, text)| (text.digest.into(), &text.bytes));
            truth.book.adopt(written.form, users_file);
        }
    }

    /// Flags and segments whose files went while nobody looked.
    fn find_missing_files(&self) {
        let library = lock(&self.library);
        if !library.was_read() {
            return;
        }
        let truth = self.truth();
        let trouble = |subject: Subject, file: String| Trouble {
            kind: TroubleKind::MissingFile,
            subject: Some(subject.key().to_owned()),
            message: format!("{file} is gone; the {} stays as it last was", subject.kind()),
            hint: "bring the file back".to_owned(),
        };
        let flags: std::collections::BTreeSet<_> = library.written_flags().map(|(key, _)| key).collect();
        // What the environment makes is no file.
        let segments = library.written_segments().filter(|(_, written)| written.is_none_or(|written| written.file.is_some()));
        let segments: std::collections::BTreeSet<_> = segments.map(|(key, _)| key).collect();
        let lost_flags = truth.book.flags().filter(|(key, entry)| entry.definition.is_some() && !flags.contains(key));
        let lost_flags = lost_flags.map(|(key, _)| trouble(Subject::Flag(key.clone()), format!("{key}.yaml")));
        let lost_segments = truth.book.segments().filter(|(key, entry)| entry.record.file.is_some() && !segments.contains(key));
        let lost_segments = lost_segments.filter(|_| library.can_read("segments"));
        let lost_segments =
            lost_segments.map(|(key, _)| trouble(Subject::Segment(key.clone()), format!("segments/{key}.yaml")));
        self.trouble(TroubleKind::MissingFile, lost_flags.chain(lost_segments).collect());
    }
}
