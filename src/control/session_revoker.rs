//! Revokes the sessions of a user: refused at once, and written to a file of their own beside the
//! journal. The database has no part in it.
//!
//! A revocation counts in memory before it is written, as it narrows. One task writes: all that
//! wait become durable with one sync. What could not be written is written with everything else as
//! soon as that works again.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::committer::LATE;
use super::session_revocations::{WaitingRevocations, take_in};
use super::{Coordinator, Inner, Problem, ProblemKind};
use crate::auth::{
    MAX_REVOKED_USERS, REVOCATION_KEPT_MS, RevokedSessions, SessionRevocation, USER_GROUPS,
};
use crate::clock::{Clock, utc};
use crate::data_dir::{FoundRevocations, ReadRevocations, RevocationsFile};
use crate::flag::TargetingKey;

/// The longest wait of an answer for the disk.
const WRITE_TIMEOUT: Duration = Duration::from_millis(900);
/// How often the file is looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How often what was kept for long enough is forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);
/// From so many on, the bound is near.
const MANY_USERS: usize = MAX_REVOKED_USERS / 5 * 4;

/// Revokes sessions, and does nothing else: for the public listener. It holds no data folder.
#[derive(Clone, Debug)]
pub struct SessionRevoker {
    inner: Weak<Inner>,
    set: Arc<RevokedSessions>,
    clock: Clock,
}

impl Coordinator {
    /// Whose sessions are refused.
    pub fn revoked_sessions(&self) -> &Arc<RevokedSessions> {
        &self.0.revocations.set
    }

    pub fn session_revoker(&self) -> SessionRevoker {
        SessionRevoker {
            inner: Arc::downgrade(&self.0),
            set: self.0.revocations.set.clone(),
            clock: self.0.clock.clone(),
        }
    }
}

impl SessionRevoker {
    /// Refuses from now on whatever was issued to a user until now.
    pub fn refuse(&self, user: TargetingKey<'_>) -> SessionRevocation {
        self.set.revoke(user, self.clock.now())
    }

    /// Makes a revocation durable. Returns whether a start would find it; if not, it is written as
    /// soon as that works again.
    pub async fn keep(&self, revocation: SessionRevocation) -> bool {
        // None while the service ends.
        let Some(inner) = self.inner.upgrade() else { return false };
        let told = inner.revocations.wait_for(revocation);
        drop(inner);
        if let Ok(told) = timeout(WRITE_TIMEOUT, told).await {
            return told.unwrap_or(false);
        }
        if let Some(inner) = self.inner.upgrade() {
            inner.report_revocations(Some(LATE.to_owned()));
        }
        false
    }
}

/// Writes what is revoked until the coordinator is dropped.
pub(super) async fn write_loop(inner: Weak<Inner>) {
    let mut file = None;
    let mut forgets_at = Instant::now();
    loop {
        let Some(strong) = inner.upgrade() else { return };
        if Instant::now() >= forgets_at {
            forgets_at = Instant::now() + FORGET_INTERVAL;
            strong.revocations.set.forget_lapsed(strong.clock.now());
        }
        // The wait has a limit, so that a coordinator that was dropped is released.
        let _ = timeout(CHECK_INTERVAL, strong.revocations.wake.notified()).await;
        let WaitingRevocations { revocations, askers, too_many } =
            strong.revocations.take_waiting();
        if too_many {
            file = None;
        }
        let writer = strong.clone();
        let write = move || {
            let written = writer.write_revocations(&mut file, &revocations);
            (file, written)
        };
        let (open, written) =
            spawn_blocking(write).await.unwrap_or_else(|error| (None, Err(error.to_string())));
        file = open;
        for asker in askers {
            let _ = asker.send(written.is_ok());
        }
        strong.report_revocations(written.err());
    }
}

impl Inner {
    /// Adds revocations to the file, or checks that it is there with all of them.
    fn write_revocations(
        &self,
        file: &mut Option<RevocationsFile>,
        more: &[SessionRevocation],
    ) -> Result<(), String> {
        let set = &self.revocations.set;
        if let Some(open) = file.as_mut() {
            // One that cannot be made anew is gone on with.
            if open.wants_compaction(set.len())
                && open.check().is_ok()
                && self.hold_folder().is_ok()
                && let Ok(made) = make(&self.data.revoked_sessions(), set, &set.all(), false)
            {
                *open = made;
                return Ok(());
            }
            let written = if more.is_empty() { open.check() } else { open.append(more) };
            if written.is_ok() {
                return Ok(());
            }
        }
        // Until a file has everything, a later look at it must not find all well.
        *file = None;
        // A file that another server writes to is left alone.
        self.hold_folder()?;
        let path = self.data.revoked_sessions();
        let found = RevocationsFile::look(&path);
        if let FoundRevocations::OfNewerBuild { format } = found {
            return Err(format!(
                "a newer build wrote it (format {format}), and it is left as it is"
            ));
        }
        take_in(set, &found, self.clock.now());
        let all = set.all();
        *file = Some(match &found {
            FoundRevocations::Good(read) if has_all(read, set, &all) => {
                RevocationsFile::open(&path, read).map_err(|error| error.to_string())?
            }
            _ => make(&path, set, &all, matches!(found, FoundRevocations::Damaged(_)))?,
        });
        Ok(())
    }

    /// Reports what is wrong with revocations now.
    fn report_revocations(&self, fault: Option<String>) {
        let path = self.data.revoked_sessions();
        let path = path.display();
        let problem = |message, hint: &str| Problem {
            kind: ProblemKind::RevokedSessions,
            subject: None,
            message,
            hint: hint.to_owned(),
        };
        let set = &self.revocations.set;
        let unread = set.everyone_at_ms().map(|at_ms| {
            let until = utc(at_ms.saturating_add(REVOCATION_KEPT_MS));
            problem(
                format!(
                    "which sessions were revoked did not read: every session issued before {} is refused, until {until}",
                    utc(at_ms)
                ),
                "let users sign in again; a damaged file is kept as revoked-sessions.damaged",
            )
        });
        let unwritten = fault.map(|why| {
            problem(
                format!("{path} cannot be written: {why}"),
                "make room on the disk, or move a newer build's file away; a session revoked now is accepted again after a restart",
            )
        });
        let full = (set.counts().0 >= MANY_USERS).then(|| {
            problem(
                format!(
                    "the sessions of over {MANY_USERS} users were revoked within 25 h; {MAX_REVOKED_USERS} are kept by user, further ones for a whole group"
                ),
                &format!("revoke fewer, or use another session key; a group is one of {USER_GROUPS}, whose users sign in again"),
            )
        });
        let all = [unread, unwritten, full].into_iter().flatten().collect();
        self.trouble(ProblemKind::RevokedSessions, all);
    }
}

/// Whether writing may go on in a file: it lacks nothing of what is kept.
fn has_all(read: &ReadRevocations, set: &RevokedSessions, all: &[SessionRevocation]) -> bool {
    let there: HashSet<&SessionRevocation> = read.revocations.iter().collect();
    read.is_tidy
        && read.key.as_ref() == Some(set.key())
        && all.iter().all(|one| there.contains(one))
}

fn make(
    path: &Path,
    set: &RevokedSessions,
    all: &[SessionRevocation],
    is_damaged: bool,
) -> Result<RevocationsFile, String> {
    RevocationsFile::make(path, set.key(), all, is_damaged).map_err(|error| error.to_string())
}
