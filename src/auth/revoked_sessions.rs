//! Users whose sessions were revoked: whatever was issued to one of them until then is refused.
//!
//! A user is known by a digest under a key of the data folder, never by the id. The set is read
//! without a lock, and while it is empty a question costs one comparison (decision 0068).

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::hmac;
use foldhash::fast::RandomState;

use super::claims::LEEWAY_SECONDS;
use super::session::Session;
use super::session_revocation::{
    DigestKey, MAX_REVOKED_USERS, REVOCATION_KEPT_MS, RevokedSubject, SessionRevocation, UserDigest,
};
use crate::flag::TargetingKey;
use crate::moment::{Deadline, Due, Moment};

/// The set is split by the first byte of a digest: a change copies one shard.
const SHARDS: usize = 256;

/// What is revoked now.
pub struct RevokedSessions {
    key: (DigestKey, hmac::Key),
    shards: Box<[ArcSwap<Shard>]>,
    everyone: ArcSwapOption<Kept>,
    users: AtomicUsize,
    groups: AtomicUsize,
    /// How many revocations there are in all; behind each change of the others.
    count: AtomicUsize,
    /// Locked by each change.
    changing: Mutex<()>,
}

type Shard = HashMap<RevokedSubject, Kept, RandomState>;

#[derive(Clone, Copy)]
struct Kept {
    at_ms: i64,
    /// When it is forgotten, if both clocks agree: a clock that is set forward forgets nothing.
    until: Deadline,
}

impl RevokedSessions {
    /// An empty set.
    pub fn new(key: DigestKey) -> RevokedSessions {
        let mac = hmac::Key::new(hmac::HMAC_SHA256, key.bytes());
        RevokedSessions {
            key: (key, mac),
            shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(),
            everyone: ArcSwapOption::empty(),
            users: AtomicUsize::new(0),
            groups: AtomicUsize::new(0),
            count: AtomicUsize::new(0),
            changing: Mutex::default(),
        }
    }

    /// Whether a session is refused, however its token was verified.
    ///
    /// An `iat` in whole seconds stands for its whole second, so of that second every token is
    /// refused; one with a fraction is taken at its word. A token without `iat` counts as issued
    /// before. So does one that was seen before the revocation, and one whose `iat` is further
    /// ahead than clocks may differ: neither says when it was issued.
    pub fn refuses(&self, session: &Session, now: Moment) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        // Revocations are noted in whole milliseconds. A number of seconds is off by less than this.
        const ROUNDING_MS: f64 = 0.001;
        let issued_ms = (session.issued() * 1_000.0 + ROUNDING_MS).floor();
        let is_ahead = issued_ms > now.wall_ms as f64 + LEEWAY_SECONDS * 1_000.0;
        self.newest_of(session).is_some_and(|at_ms| {
            is_ahead || issued_ms <= at_ms as f64 || session.learned_ms() <= at_ms
        })
    }

    /// When the sessions of this session's user were revoked last.
    fn newest_of(&self, session: &Session) -> Option<i64> {
        let everyone = self.everyone.load().as_ref().map(|kept| kept.at_ms);
        let digest = session.digest(|subject| self.digest(subject));
        let shard = self.shards[digest.shard()].load();
        let at = |subject| shard.get(&subject).map(|kept| kept.at_ms);
        everyone.max(at(RevokedSubject::User(digest))).max(at(digest.group()))
    }

    /// Refuses from now on whatever was issued to a user until now.
    pub fn revoke(&self, user: TargetingKey<'_>, now: Moment) -> SessionRevocation {
        let subject = RevokedSubject::User(self.digest(user.as_str()));
        self.remember(SessionRevocation { subject, at_ms: now.wall_ms }, now)
    }

    /// Adds a revocation, and returns as what it is kept: at the bound a user's is kept for the
    /// user's group. The newer one of a subject counts.
    pub fn remember(&self, revocation: SessionRevocation, now: Moment) -> SessionRevocation {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &self.shards[revocation.subject.shard()];
        let mut shard = Shard::clone(&place.load());
        let (kept, is_new) = self.put(&mut shard, revocation, now);
        place.store(Arc::new(shard));
        self.count.fetch_add(usize::from(is_new), Ordering::Release);
        kept
    }

    /// Adds many, such as all that a file has. What was kept for long enough is left out.
    pub fn remember_all(&self, many: &[SessionRevocation], now: Moment) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_shard: Vec<Vec<SessionRevocation>> = vec![Vec::new(); SHARDS];
        let is_lapsed =
            |one: &&SessionRevocation| one.at_ms.saturating_add(REVOCATION_KEPT_MS) <= now.wall_ms;
        many.iter()
            .filter(|one| !is_lapsed(one))
            .for_each(|one| by_shard[one.subject.shard()].push(*one));
        for (place, more) in self.shards.iter().zip(by_shard) {
            if more.is_empty() {
                continue;
            }
            let mut shard = Shard::clone(&place.load());
            let added = more.into_iter().filter(|one| self.put(&mut shard, *one, now).1).count();
            place.store(Arc::new(shard));
            self.count.fetch_add(added, Ordering::Release);
        }
    }

    /// Puts a revocation into its shard; returns as what it is kept, and whether that is new.
    fn put(
        &self,
        shard: &mut Shard,
        revocation: SessionRevocation,
        now: Moment,
    ) -> (SessionRevocation, bool) {
        let mut subject = revocation.subject;
        if let RevokedSubject::User(digest) = subject
            && self.users.load(Ordering::Relaxed) >= MAX_REVOKED_USERS
            && !shard.contains_key(&subject)
        {
            subject = digest.group();
        }
        let old = match subject {
            RevokedSubject::Everyone => self.everyone.load().as_deref().copied(),
            RevokedSubject::User(_) | RevokedSubject::Group(_) => shard.get(&subject).copied(),
        };
        let at_ms = old.map_or(revocation.at_ms, |old| old.at_ms.max(revocation.at_ms));
        let until = Deadline::at(at_ms.saturating_add(REVOCATION_KEPT_MS), now);
        let kept = Kept { at_ms, until };
        match subject {
            RevokedSubject::Everyone => self.everyone.store(Some(Arc::new(kept))),
            RevokedSubject::User(_) | RevokedSubject::Group(_) => drop(shard.insert(subject, kept)),
        }
        match subject {
            RevokedSubject::User(_) if old.is_none() => self.users.fetch_add(1, Ordering::Relaxed),
            RevokedSubject::Group(_) if old.is_none() => {
                self.groups.fetch_add(1, Ordering::Relaxed)
            }
            _ => 0,
        };
        (SessionRevocation { subject, at_ms }, old.is_none())
    }

    /// Forgets what was kept for long enough.
    pub fn forget_lapsed(&self, now: Moment) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let stays = |kept: &Kept| kept.until.due(now) != Due::ByBoth;
        if self.everyone.load().as_ref().is_some_and(|kept| !stays(kept)) {
            self.everyone.store(None);
            self.count.fetch_sub(1, Ordering::Release);
        }
        for place in &self.shards {
            let old = place.load();
            if old.values().all(stays) {
                continue;
            }
            let shard: Shard =
                old.iter().filter(|(_, kept)| stays(kept)).map(|(s, kept)| (*s, *kept)).collect();
            let users = |shard: &Shard| {
                shard.keys().filter(|subject| matches!(subject, RevokedSubject::User(_))).count()
            };
            let (gone, gone_users) = (old.len() - shard.len(), users(&old) - users(&shard));
            place.store(Arc::new(shard));
            self.users.fetch_sub(gone_users, Ordering::Relaxed);
            self.groups.fetch_sub(gone - gone_users, Ordering::Relaxed);
            self.count.fetch_sub(gone, Ordering::Release);
        }
    }

    /// Everything that is kept.
    pub fn all(&self) -> Vec<SessionRevocation> {
        let of = |subject, kept: &Kept| SessionRevocation { subject, at_ms: kept.at_ms };
        let everyone = self.everyone.load_full();
        let mut all: Vec<SessionRevocation> =
            everyone.iter().map(|kept| of(RevokedSubject::Everyone, kept)).collect();
        for place in &self.shards {
            all.extend(place.load().iter().map(|(subject, kept)| of(*subject, kept)));
        }
        all
    }

    /// How many there are: of users, and of groups.
    pub fn counts(&self) -> (usize, usize) {
        (self.users.load(Ordering::Relaxed), self.groups.load(Ordering::Relaxed))
    }

    /// How many there are in all.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Until when everybody's sessions are refused, because a part of what was revoked does not
    /// read.
    pub fn everyone_at_ms(&self) -> Option<i64> {
        self.everyone.load().as_ref().map(|kept| kept.at_ms)
    }

    /// The key of its digests.
    pub fn key(&self) -> &DigestKey {
        &self.key.0
    }

    fn digest(&self, user: &str) -> UserDigest {
        let tag = hmac::sign(&self.key.1, user.as_bytes());
        let mut digest = [0; UserDigest::BYTES];
        digest.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        UserDigest::from(digest)
    }
}

/// One without a data folder.
impl Default for RevokedSessions {
    fn default() -> RevokedSessions {
        RevokedSessions::new(DigestKey::random())
    }
}

impl fmt::Debug for RevokedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevokedSessions({} kept)", self.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::session_revocation::USER_GROUPS;
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_500;

    fn at(wall_ms: i64) -> Moment {
        Moment { wall_ms, steady_ms: wall_ms - NOW_MS }
    }

    fn user(id: &str) -> TargetingKey<'_> {
        TargetingKey::parse(id).unwrap().unwrap()
    }

    /// A session of a user, issued so many seconds after 1970 and seen first at a moment.
    fn session(user: &str, issued: f64, learned_ms: i64) -> Session {
        Session::made_up([7; 32], user, String::new()).issued_at(issued, learned_ms)
    }

    #[test]
    fn what_was_issued_until_the_revocation_is_refused_and_what_came_later_is_not() {
        let revoked = RevokedSessions::default();
        let later_ms = NOW_MS + 60_000;
        assert!(!revoked.refuses(&session("u-1", 0.0, NOW_MS), at(NOW_MS)), "nothing is revoked");
        revoked.revoke(user("u-1"), at(NOW_MS));
        let second = 1_800_000_000.0;
        for (what, issued, learned_ms, refused) in [
            ("no `iat`", 0.0, later_ms, true),
            ("an hour before", second - 3_600.0, later_ms, true),
            ("in the same second", second, later_ms, true),
            ("in the same second, before it by its fraction", second + 0.499, later_ms, true),
            ("at the same moment", second + 0.5, later_ms, true),
            ("in the same millisecond", second + 0.5004, later_ms, true),
            ("in the same second, after it by its fraction", second + 0.501, later_ms, false),
            ("in the next second", second + 1.0, later_ms, false),
            ("in the next second, and seen before the revocation", second + 1.0, NOW_MS, true),
            ("in the next second, and seen after it", second + 1.0, NOW_MS + 1, false),
            ("as far ahead as clocks differ", second + 65.5, later_ms, false),
            ("further ahead than clocks differ", second + 66.0, later_ms, true),
            ("in a thousand years", second + 3e10, later_ms, true),
        ] {
            let token = session("u-1", issued, learned_ms);
            assert_eq!(revoked.refuses(&token, at(later_ms)), refused, "{what}");
            let other = session("u-2", issued, learned_ms);
            assert!(!revoked.refuses(&other, at(later_ms)), "another user's, {what}");
        }
        let between = session("u-1", second + 30.0, later_ms);
        assert!(!revoked.refuses(&between, at(later_ms)));
        revoked.revoke(user("u-1"), at(later_ms));
        assert!(revoked.refuses(&between, at(later_ms)), "revoked again");
        revoked.revoke(user("u-1"), at(NOW_MS - 60_000));
        assert!(revoked.refuses(&between, at(later_ms)), "by a clock that was set back");
        assert_eq!(revoked.counts(), (1, 0));
    }

    #[test]
    fn a_revocation_is_forgotten_when_both_clocks_say_so() {
        const DAY: i64 = REVOCATION_KEPT_MS;
        for (what, wall_ms, steady_ms, kept) in [
            ("at once", 0, 0, true),
            ("just before", DAY - 1, DAY - 1, true),
            ("in time", DAY, DAY, false),
            ("the wall clock set forward", DAY * 2, 1_000, true),
            ("the wall clock set back", -DAY, DAY, true),
        ] {
            let revoked = RevokedSessions::default();
            revoked.revoke(user("u-1"), at(NOW_MS));
            let everyone = SessionRevocation { subject: RevokedSubject::Everyone, at_ms: NOW_MS };
            revoked.remember(everyone, at(NOW_MS));
            let group = SessionRevocation { subject: RevokedSubject::Group(9), at_ms: NOW_MS };
            revoked.remember(group, at(NOW_MS));
            revoked.forget_lapsed(Moment { wall_ms: NOW_MS + wall_ms, steady_ms });
            assert_eq!(revoked.len(), if kept { 3 } else { 0 }, "{what}");
            assert_eq!(revoked.counts(), if kept { (1, 1) } else { (0, 0) }, "{what}");
            assert_eq!(revoked.everyone_at_ms(), kept.then_some(NOW_MS), "{what}");
        }
    }

    #[test]
    fn everyone_is_refused_where_that_is_said() {
        let revoked = RevokedSessions::default();
        let all = SessionRevocation { subject: RevokedSubject::Everyone, at_ms: NOW_MS };
        revoked.remember(all, at(NOW_MS));
        let second = 1_800_000_000.0;
        assert!(revoked.refuses(&session("u-1", second, NOW_MS + 9), at(NOW_MS + 9)));
        assert!(!revoked.refuses(&session("u-1", second + 1.0, NOW_MS + 900), at(NOW_MS + 900)));
    }

    /// No revocation is lost at the bound, and no more is kept than a fixed number.
    #[test]
    fn over_the_bound_a_revocation_is_kept_for_a_group_of_users() {
        let revoked = RevokedSessions::new(DigestKey::from([3; 32]));
        let before = |user: &str| session(user, 1.0, NOW_MS);
        let many = 2 * MAX_REVOKED_USERS;
        let full: Vec<SessionRevocation> =
            (0..many).map(|n| revoked.revoke(user(&format!("u-{n}")), at(NOW_MS))).collect();
        let (users, groups) = revoked.counts();
        assert_eq!(users, MAX_REVOKED_USERS);
        assert!((1..=USER_GROUPS).contains(&groups), "{groups} groups");
        assert!((0..many).all(|n| revoked.refuses(&before(&format!("u-{n}")), at(NOW_MS))));
        let strangers =
            (0..10_000).filter(|n| revoked.refuses(&before(&format!("s-{n}")), at(NOW_MS)));
        let share = strangers.count() as f64 / 10_000.0;
        assert!((0.7..0.85).contains(&share), "{share} of others: what 100,000 of 65,536 cover");
        // A user that is known by itself stays so.
        let again = revoked.revoke(user("u-1"), at(NOW_MS + 1));
        assert!(matches!(again.subject, RevokedSubject::User(_)));
        assert_eq!(again.at_ms, NOW_MS + 1);
        // What is kept comes back as it was.
        let copy = RevokedSessions::new(revoked.key().clone());
        copy.remember_all(&revoked.all(), at(NOW_MS));
        assert_eq!((copy.counts(), copy.len()), (revoked.counts(), revoked.len()));
        assert!(full.iter().any(|kept| matches!(kept.subject, RevokedSubject::Group(_))));
        // And not after its time.
        let late = RevokedSessions::new(revoked.key().clone());
        late.remember_all(&revoked.all(), at(NOW_MS + 1 + REVOCATION_KEPT_MS));
        assert_eq!(late.len(), 0);
    }
}
