//! Ends held splits at their expiry: at once where that narrows, else by a commit like any other
//! change.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;

use super::committer::Proposal;
use super::maintenance::CHECK_INTERVAL;
use super::{Inner, Problem, ProblemKind};
use crate::auth::random_name;
use crate::flag::FlagKey;
use crate::ledger::{
    Attribution, ChangeSource, ContentCache, Decision, DueExpiries, EffectiveState, Overlay,
    PendingChange, PendingEntry, PlannedChange, SplitOverride, Unknown, expire,
};
use crate::moment::Deadline;

const ACTOR: &str = "expiry";
/// The wait before the next check after something expired: that may have brought the next expiry
/// nearer.
const RECHECK_DELAY: Duration = Duration::from_millis(50);
/// The wait before the next try while the database is out of reach.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// The most expiries that are one entry of the journal.
const MAX_EXPIRIES_PER_ENTRY: usize = 1000;

/// Ends what narrows when it is due, until the coordinator is dropped. This waits for no commit: one
/// that widens, or saves a long list, may take minutes.
pub(super) async fn expire_loop(inner: Weak<Inner>) {
    let mut until_end = Duration::ZERO;
    loop {
        let Some(strong) = inner.upgrade() else { return };
        // The wait has a limit: another program's change may bring an expiry.
        let _ = timeout(until_end.min(CHECK_INTERVAL), strong.ends_changed.notified()).await;
        until_end = strong.expire().await.unwrap_or(CHECK_INTERVAL);
    }
}

impl Inner {
    /// Applies the narrowing expiries that are due, has maintenance commit the others, and returns
    /// how long to wait before the next check.
    async fn expire(self: &Arc<Self>) -> Option<Duration> {
        let expiry = self.ends_now();
        self.report_refused(&expiry);
        let next = expiry.next_in_ms.map(|in_ms| Duration::from_millis(in_ms.max(0) as u64));
        if expiry.decided.parts.is_empty() {
            return next;
        }
        match self.end_what_narrows().await {
            0 => {}
            MAX_EXPIRIES_PER_ENTRY => return Some(Duration::ZERO),
            _ => return Some(RECHECK_DELAY),
        }
        self.ends_widen.store(true, Ordering::Relaxed);
        self.wake.notify_one();
        Some(next.map_or(RETRY_DELAY, |next| next.min(RETRY_DELAY)))
    }

    /// Commits the expiries that are due and widen, if there are any.
    pub(super) async fn commit_widening_ends(self: &Arc<Self>) {
        if self.ends_widen.swap(false, Ordering::Relaxed) && self.commit_expiries().await {
            self.ends_changed.notify_one();
        }
    }

    fn report_refused(&self, expiry: &DueExpiries) {
        let refused = expiry.refused.iter().map(|flag| Problem {
            kind: ProblemKind::ExpiryWouldWiden,
            subject: Some(flag.to_string()),
            message: format!(
                "the split held on `{flag}` has reached its end, and ending it would open realtime-v2 to more users"
            ),
            hint: format!("set it by hand, or `turnout unset {flag} --reason '…'`; named with --then, an end happens by itself"),
        });
        self.trouble(ProblemKind::ExpiryWouldWiden, refused.collect());
    }

    /// Makes the narrowing expiries live, in one step, and returns how many there were. What is due
    /// is looked at under the lock: a command may just have taken an end away.
    async fn end_what_narrows(self: &Arc<Self>) -> usize {
        let fast_path = self.fast_path.lock().await;
        let now = self.clock.wall_ms();
        let decided = self.ends_now().decided;
        let narrowed: Vec<PendingChange> = decided
            .parts
            .iter()
            .filter_map(|part| narrowed(part, now))
            .flatten()
            .take(MAX_EXPIRIES_PER_ENTRY)
            .collect();
        let count = narrowed.len();
        if count > 0 {
            let pending = PendingEntry {
                id: random_name().unwrap_or_else(|| format!("{ACTOR}-{now}")),
                at_ms: now,
                actor: ACTOR.into(),
                origin: ChangeSource::Expire,
                reason: None,
                request: None,
                narrowed,
                revoked: Vec::new(),
                superseded: Vec::new(),
                unknown: Unknown::default(),
            };
            let pushed = self.apply_pending(&fast_path, pending).await;
            self.leave(&pushed);
        }
        count
    }

    /// Notes by the steady clock when these flags' splits expire, before the command is answered:
    /// the wall clock may be set right after. The caller holds the state lock.
    pub(super) fn learn_ends(&self, state: &EffectiveState, flags: &[FlagKey]) {
        let has_end = |held: &SplitOverride| held.ends.is_some();
        let may_end = |flag: &&FlagKey| {
            let recorded = state
                .catalog
                .flag(flag.as_str())
                .and_then(|entry| entry.record.split.as_ref())
                .is_some_and(has_end);
            let is_pending = |op: &Overlay| matches!(op, Overlay::Split { held: Some(held), .. } if has_end(held));
            recorded || state.pending().ops_of(flag.as_str()).any(is_pending)
        };
        let now = self.clock.now();
        for flag in flags.iter().filter(may_end) {
            let entry = state.flag(flag.as_str());
            let Some(end) = entry.and_then(|entry| entry.record.split).and_then(|held| held.ends)
            else {
                continue;
            };
            let mut ends = self.ends.lock();
            if ends.get(flag).is_none_or(|(at_ms, _)| *at_ms != end.at_ms) {
                ends.insert(flag.clone(), (end.at_ms, Deadline::at(end.at_ms, now)));
                self.ends_changed.notify_one();
            }
        }
    }

    /// The expiries that are due by both clocks. The first look at an expiry notes when the steady
    /// clock reaches it.
    fn ends_now(&self) -> DueExpiries {
        let (state, now) = (self.state(), self.clock.now());
        let known = std::mem::take(&mut *self.ends.lock());
        let seen = RefCell::new(HashMap::new());
        let expiry = expire(&state, now.wall_ms, |flag, end| {
            let learned = known
                .get(flag)
                .filter(|(at_ms, _)| *at_ms == end.at_ms)
                .map(|(_, deadline)| *deadline);
            let deadline = learned.unwrap_or_else(|| Deadline::at(end.at_ms, now));
            seen.borrow_mut().insert(flag.clone(), (end.at_ms, deadline));
            deadline.due(now)
        });
        *self.ends.lock() = seen.into_inner();
        expiry
    }

    async fn commit_expiries(self: &Arc<Self>) -> bool {
        let mut committer = self.committer.lock().await;
        let settled = || {
            let pending = !self.state().pending().is_empty();
            (!pending).then(|| self.ends_now().decided)
        };
        let Ok(mut decided) = self.decide_settled(&mut committer, settled).await else {
            return false;
        };
        // What narrows has a task of its own, and would be committed a second time there.
        let now = self.clock.wall_ms();
        decided.parts.retain(|part| narrowed(part, now).is_none());
        let draft = Proposal {
            actor: ACTOR.into(),
            origin: ChangeSource::Expire,
            reason: None,
            effective_at_ms: None,
            key: None,
            changes: decided.changes(),
            content: ContentCache::default(),
        };
        decided.parts.is_empty() || self.commit(&mut committer, draft, None).await.is_ok()
    }
}

/// What an end makes live at once, or `None` if it widens.
fn narrowed(part: &PlannedChange, now_ms: i64) -> Option<Vec<PendingChange>> {
    let mark =
        Attribution { by: ACTOR.into(), at_ms: now_ms, reason: None, unknown: Unknown::default() };
    Decision { parts: vec![part.clone()], ..Decision::default() }.narrowed(&mark)
}
