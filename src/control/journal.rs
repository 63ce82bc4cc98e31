//! Writes to the journal, and checks whether a start would find what was written.
//!
//! After each write the journal is checked to be the file at its path. If it is not, a new file is
//! made there with everything that is pending, before any change is reported to survive a restart.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use super::lock_order::AsyncLocked;
use super::{Inner, Problem, ProblemKind};
use crate::data_dir::{Journal, JournalError};
use crate::ledger::{PendingEntry, without_superseded};

/// The longest wait of a change, for those before it and for the journal, before it lives in memory
/// alone.
pub(super) const JOURNAL_TIMEOUT: Duration = Duration::from_millis(300);

impl Inner {
    /// Journals an entry that waits `since` a moment, and returns whether it is durable. A disk that
    /// is slow or hangs does not delay the caller for long, and the callers after it not at all.
    pub(super) async fn journal(self: &Arc<Self>, pending: PendingEntry, since: Instant) -> bool {
        if self.is_journal_late() {
            return false;
        }
        let until = since + JOURNAL_TIMEOUT;
        if until <= Instant::now() {
            self.follow_late_journal();
            return false;
        }
        let (inner, writing) = (self.clone(), self.fast_path.write([&pending]));
        let append = async move {
            let mut journal = inner.fast_path.journal.lock().await.handed_over();
            let append = move || {
                let written = inner.write_to_journal(&mut journal, Some(&pending));
                drop(writing);
                written
            };
            spawn_blocking(append).await
        };
        let written = match timeout_at(until, append).await {
            Ok(Ok(written)) => written,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                self.follow_late_journal();
                return false;
            }
        };
        let journaled = written.is_ok();
        self.report_journal(written.err());
        journaled
    }

    /// Whether a start would find this pending entry. The journal is checked now, and written again
    /// if the entry is missing.
    pub(super) async fn survives(self: &Arc<Self>, id: &str) -> bool {
        // Another entry may have superseded it, and then that one counts.
        let pending = self.state().pending().named(id).cloned();
        let id = pending.as_ref().map_or(id, |pending| &pending.id);
        if !self.is_journaled(id) {
            return match pending {
                Some(pending) if !self.is_journal_late() => {
                    self.journal(pending, Instant::now()).await
                }
                // Those before it come first.
                Some(_) => self.look_at_journal().await && self.is_journaled(id),
                None => false,
            };
        }
        self.look_at_journal().await && self.is_journaled(id)
    }

    /// Whether a start would find an entry of this name, unless the file was deleted since.
    pub(super) fn is_journaled(&self, id: &str) -> bool {
        self.fast_path.journaled.lock().contains(id)
    }

    /// Checks that the journal is at its path, makes it anew if it is not, and adds the pending
    /// entries that it did not take, unless they are being added.
    pub(super) async fn look_at_journal(self: &Arc<Self>) -> bool {
        if self.is_journal_hung() {
            return false;
        }
        let inner = self.clone();
        let look = async move {
            let mut journal = inner.fast_path.journal.lock().await.handed_over();
            let look = move || {
                let looked = inner.write_to_journal(&mut journal, None);
                let is_free = looked.is_ok() && !inner.is_journal_late();
                let added = if is_free { inner.write_left_out(&mut journal) } else { Ok(()) };
                let full = journal.as_ref().and_then(Journal::is_full);
                (looked, added.err().or(full.map(|full| full.to_string())))
            };
            spawn_blocking(look).await
        };
        match timeout(JOURNAL_TIMEOUT, look).await {
            Ok(Ok((looked, trouble))) => {
                let is_there = looked.is_ok();
                self.report_journal(looked.err().or(trouble));
                is_there
            }
            Ok(Err(_)) => false,
            // The disk did not answer.
            Err(_) => {
                self.follow_late_journal();
                false
            }
        }
    }

    /// Adds an entry, or checks that every entry is there.
    pub(super) fn write_to_journal(
        &self,
        journal: &mut AsyncLocked<Option<Journal>>,
        entry: Option<&PendingEntry>,
    ) -> Result<(), String> {
        if let Some(open) = journal.as_mut() {
            let written = match entry {
                Some(entry) => open.append(entry),
                None => open.check(),
            };
            match written {
                Ok(()) => {
                    self.fast_path.journaled.lock().extend(entry.map(|entry| entry.id.clone()));
                    return Ok(());
                }
                Err(JournalError::NotInPlace) => {}
                Err(full @ JournalError::Full { .. }) if open.compacts_for_entry() => {
                    return self.compact_journal(open, entry, &full);
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        self.fast_path.journaled.lock().clear();
        **journal = None;
        // A file that another server writes to is left alone.
        self.hold_folder()?;
        let (mut entries, doubt) = {
            let state = self.state();
            (state.pending().to_vec(), state.doubt().clone())
        };
        entries.extend(
            entry.filter(|entry| entries.iter().all(|known| known.id != entry.id)).cloned(),
        );
        let known = self.witnesses.known.lock().clone();
        let remade = Journal::remake(&self.data.journal(), known, &entries, &doubt);
        let (made, more) = remade.map_err(|error| error.to_string())?;
        let ids =
            entries.iter().chain(&more).map(|entry| &entry.id).filter(|id| !made.leaves_out(id));
        self.fast_path.journaled.lock().extend(ids.cloned());
        let took = entry.map_or(Ok(()), |entry| made.took(entry));
        **journal = Some(made);
        let mut state = self.state();
        let mut is_new = false;
        for entry in more {
            is_new |= state.apply_pending(entry);
        }
        if is_new {
            self.go_live(&state);
        }
        took.map_err(|full| full.to_string())
    }

    /// Rewrites a full journal with what is pending now, so that an entry fits.
    fn compact_journal(
        &self,
        journal: &mut Journal,
        entry: Option<&PendingEntry>,
        full: &JournalError,
    ) -> Result<(), String> {
        self.hold_folder()?;
        let (pending, doubt) = {
            let state = self.state();
            (state.pending().to_vec(), state.doubt().clone())
        };
        let entries = without_superseded(pending.into_iter().chain(entry.cloned()).collect());
        match journal.compact(&entries, &doubt) {
            Ok(()) => {}
            Err(why) => return Err(format!("{full}; it cannot be made anew: {why}")),
        }
        let ids = entries.into_iter().map(|entry| entry.id);
        *self.fast_path.journaled.lock() = ids.filter(|id| !journal.leaves_out(id)).collect();
        entry.map_or(Ok(()), |entry| journal.took(entry)).map_err(|full| full.to_string())
    }

    /// Writes the newest known head to the journal too. This comes before the last good state is
    /// written, so that the journal never names an older head: a start would take the last good state
    /// for one of another history.
    pub(super) async fn note_known(self: &Arc<Self>) -> Result<(), String> {
        let Some(known) = self.witnesses.known.lock().clone() else { return Ok(()) };
        let mut journal = self.fast_path.journal.lock().await.handed_over();
        let note = move || journal.as_mut().map_or(Ok(()), |journal| journal.note_known(&known));
        let noted = spawn_blocking(note).await.map_err(|error| error.to_string())?;
        noted.map_err(|error| format!("{} comes before it: {error}", self.data.journal().display()))
    }

    /// Empties the journal once its entries are committed and also in the last good state: a stop
    /// must be in force at a start that finds no database. Entries that stay are recognised by
    /// their names when the journal is read again.
    pub(super) async fn settle_journal(self: &Arc<Self>) {
        // The journal is locked while a disk hangs in the middle of an entry. Then this function
        // does not wait, as the next stop would have to wait too.
        let Some(journal) = self.fast_path.journal.try_lock() else { return };
        let mut journal = journal.handed_over();
        let (is_settled, committed) = {
            // A narrowing command may just now have journaled an entry that is not in the state
            // yet; a later one waits for the journal.
            let Some(_fast_path) = self.fast_path.try_lock() else { return };
            let is_up = self.store.is_up();
            let state = self.state();
            (
                is_up && state.pending().is_empty() && state.doubt().is_none(),
                self.fast_path.committed.lock().clone(),
            )
        };
        if is_settled && journal.as_ref().is_some_and(Journal::is_empty) {
            self.fast_path.committed.lock().retain(|id| !committed.contains(id));
        }
        if !is_settled && journal.as_ref().is_some_and(Journal::wants_room) {
            let inner = self.clone();
            let _ = spawn_blocking(move || {
                let full = journal.as_mut().and_then(|open| Some((open.is_full()?, open)));
                full.map(|(full, open)| inner.compact_journal(open, None, &full))
            })
            .await;
            return;
        }
        let is_kept = self.store.status().saved_head.map_or(0, |saved_head| saved_head.revision)
            >= self.fast_path.newest_replayed();
        // The last good state may not be written for a long time: then room in the journal matters
        // more.
        let may_forget = |journal: &Journal| {
            is_settled && !journal.is_empty() && (is_kept || journal.is_half_full())
        };
        if !journal.as_ref().is_some_and(may_forget) {
            return;
        }
        let inner = self.clone();
        let forgotten = spawn_blocking(move || {
            let forgotten = journal.as_mut().map(Journal::forget_all);
            inner.fast_path.journaled.lock().clear();
            if matches!(forgotten, Some(Ok(()))) {
                inner.fast_path.committed.lock().retain(|id| !committed.contains(id));
            }
            forgotten
        });
        if let Ok(Some(Err(error))) = forgotten.await {
            self.report_journal(Some(error.to_string()));
        }
    }

    /// Reports what is wrong with the journal now, together with what was found at the start.
    pub(super) fn report_journal(&self, fault: Option<String>) {
        let path = self.data.journal();
        let trouble = |why: String| {
            Problem {
            kind: ProblemKind::Journal,
            subject: None,
            message: format!("{} cannot be written: {why}", path.display()),
            hint: "make room on the disk; a stop made now is lost by a restart while the database is out of reach".to_owned(),
        }
        };
        let mut troubles = self.witnesses.found_at_start.lock().clone();
        troubles.retain(|trouble| trouble.kind == ProblemKind::Journal);
        troubles.extend(fault.map(trouble));
        self.trouble(ProblemKind::Journal, troubles);
    }
}
