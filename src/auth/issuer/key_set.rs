//! The keys of our own, in their order, and which of them signs and is believed at a moment. Pure:
//! time is handed in.
//!
//! Others fetch the public halves now and then, and keep them for ten minutes. So a new key is
//! published [`PUBLISHED_BEFORE_MS`] before it signs, and an old one is believed for
//! [`BELIEVED_AFTER_MS`] after it signed last: longer than any session lives.

use std::sync::Arc;

use turnout_api::sessions::Jwks;

use super::key::{BadIssuerKey, IssuerKey};

/// How long a key is published before it signs.
pub const PUBLISHED_BEFORE_MS: i64 = 20 * 60 * 1_000;
/// How long a key is believed after it signed last.
pub const BELIEVED_AFTER_MS: i64 = 25 * 60 * 60 * 1_000;
/// The most keys at once.
pub const MAX_KEYS: usize = 16;
/// The most revoked keys that are remembered.
const MAX_REVOKED: usize = 1_000;

/// The keys, and those that were revoked.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// In the order in which they sign.
    keys: Vec<DatedKey>,
    /// The oldest first.
    revoked: Vec<RevokedKey>,
}

/// A key, and from when on it signs.
#[derive(Clone, Debug)]
pub struct DatedKey {
    pub key: Arc<IssuerKey>,
    pub signs_from_ms: i64,
}

/// A key that is believed no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedKey {
    pub id: String,
    pub at_ms: i64,
}

/// What a key does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and not yet signing.
    Next,
    Signs,
    /// It signs no more, and what it signed is believed.
    Believed,
    /// What it signed has ended by now.
    Over,
}

/// There are as many keys as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {MAX_KEYS} keys; an old one leaves 25 hours after it signed last")]
pub struct TooManyKeys;

impl KeySet {
    pub fn new(mut keys: Vec<DatedKey>, revoked: Vec<RevokedKey>) -> KeySet {
        keys.retain(|dated| revoked.iter().all(|gone| gone.id != dated.key.id()));
        keys.sort_by_key(|dated| dated.signs_from_ms);
        KeySet { keys, revoked }
    }

    /// Keys as a person's file lists them: the first signs, and all are believed for as long as they
    /// stand there.
    pub fn listed(pem: &str) -> Result<KeySet, BadIssuerKey> {
        let blocks = pem.split("-----BEGIN ").skip(1).filter(|block| {
            // `openssl ecparam -genkey` also writes which curve it is.
            !block.starts_with("EC PARAMETERS-----")
        });
        let mut keys = Vec::new();
        for block in blocks {
            if keys.len() == MAX_KEYS {
                return Err(BadIssuerKey::TooMany(MAX_KEYS));
            }
            let der = der_of(block).ok_or(BadIssuerKey::NotP256)?;
            keys.push(Arc::new(IssuerKey::from_der(&der)?));
        }
        // The first one signs last of all in order of time, which is for ever.
        let last = keys.len() as i64 - 1;
        let dated = |(index, key)| DatedKey { key, signs_from_ms: i64::MIN + last - index as i64 };
        Ok(KeySet::new(keys.into_iter().enumerate().map(dated).collect(), Vec::new()))
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn keys(&self) -> &[DatedKey] {
        &self.keys
    }

    pub fn revoked(&self) -> &[RevokedKey] {
        &self.revoked
    }

    /// The key that signs. Where the one whose turn it was is revoked, the next one signs early.
    pub fn signer(&self, now_ms: i64) -> Option<&Arc<IssuerKey>> {
        let mut due = self.keys.iter().rev().filter(|dated| dated.signs_from_ms <= now_ms);
        due.next().or(self.keys.first()).map(|dated| &dated.key)
    }

    /// What each key does.
    pub fn states(&self, now_ms: i64) -> impl Iterator<Item = (&DatedKey, KeyState)> {
        let signer = self.signer(now_ms).map(|key| key.id());
        self.keys.iter().enumerate().map(move |(index, dated)| {
            let next = self.keys.get(index + 1).map(|next| next.signs_from_ms);
            let is_over = next.is_some_and(|next| next.saturating_add(BELIEVED_AFTER_MS) <= now_ms);
            let state = match () {
                () if signer == Some(dated.key.id()) => KeyState::Signs,
                () if dated.signs_from_ms > now_ms => KeyState::Next,
                // Listed keys have no dates.
                () if is_over && dated.signs_from_ms > i64::MIN / 2 => KeyState::Over,
                () => KeyState::Believed,
            };
            (dated, state)
        })
    }

    /// The keys whose tokens are accepted, and which are published.
    pub fn believed(&self, now_ms: i64) -> impl Iterator<Item = &Arc<IssuerKey>> {
        let states = self.states(now_ms);
        states.filter(|(_, state)| *state != KeyState::Over).map(|(dated, _)| &dated.key)
    }

    /// The public halves of the believed keys (RFC 7517 §5).
    pub fn to_jwks(&self, now_ms: i64) -> Jwks {
        Jwks { keys: self.believed(now_ms).map(|key| key.to_jwk()).collect() }
    }

    /// The same keys and a new one, which signs once it has been published for long enough; the first
    /// key of all signs at once. Keys that are over leave.
    pub fn rotated(&self, key: IssuerKey, now_ms: i64) -> Result<KeySet, TooManyKeys> {
        let mut keys = self.not_over(now_ms);
        if keys.len() >= MAX_KEYS {
            return Err(TooManyKeys);
        }
        let signs_from_ms = if keys.is_empty() { now_ms } else { now_ms + PUBLISHED_BEFORE_MS };
        keys.push(DatedKey { key: Arc::new(key), signs_from_ms });
        Ok(KeySet::new(keys, self.revoked.clone()))
    }

    pub fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|dated| dated.key.id() == id)
    }

    /// The same keys without this one, which stays revoked. Keys that are over leave: without those
    /// behind it, one of them would sign and be believed again.
    pub fn revoking(&self, id: &str, now_ms: i64) -> KeySet {
        let mut revoked = self.revoked.clone();
        revoked.push(RevokedKey { id: id.to_owned(), at_ms: now_ms });
        KeySet::new(self.not_over(now_ms), revoked)
    }

    /// The same keys, where the oldest revoked ones are forgotten if there are too many. Those that
    /// `listed` has stay, as they would be believed again.
    pub fn forgetting_all_but(mut self, listed: Option<&KeySet>) -> KeySet {
        let mut too_many = self.revoked.len().saturating_sub(MAX_REVOKED);
        self.revoked.retain(|gone| {
            let is_listed = listed.is_some_and(|listed| listed.has(&gone.id));
            let is_forgotten = too_many > 0 && !is_listed;
            too_many -= usize::from(is_forgotten);
            !is_forgotten
        });
        self
    }

    fn not_over(&self, now_ms: i64) -> Vec<DatedKey> {
        let states = self.states(now_ms).filter(|(_, state)| *state != KeyState::Over);
        states.map(|(dated, _)| dated.clone()).collect()
    }

    /// The same keys, but for those that were revoked before.
    pub fn less(self, revoked: &[RevokedKey]) -> KeySet {
        KeySet::new(self.keys, revoked.to_vec())
    }
}

/// The bytes of a block of PEM (RFC 7468), from behind its `-----BEGIN `.
fn der_of(block: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let (label, rest) = block.split_once("-----")?;
    if !label.ends_with("PRIVATE KEY") {
        return None;
    }
    let (body, _) = rest.split_once("-----END ")?;
    let text: String = body.split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key() -> IssuerKey {
        IssuerKey::generate().unwrap()
    }

    /// What each key does at a moment, in their order.
    fn states(set: &KeySet, now_ms: i64) -> Vec<KeyState> {
        set.states(now_ms).map(|(_, state)| state).collect()
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_an_old_one_believed_after() {
        use KeyState::{Believed, Next, Over, Signs};
        const HOUR: i64 = 3_600_000;
        let start = 1_000_000;
        let set = KeySet::default().rotated(key(), start).unwrap();
        assert_eq!(states(&set, start), [Signs], "the first key signs at once");
        let set = set.rotated(key(), start + HOUR).unwrap();
        let signs = start + HOUR + PUBLISHED_BEFORE_MS;
        for (at, expected) in [
            (start + HOUR, [Signs, Next]),
            (signs - 1, [Signs, Next]),
            (signs, [Believed, Signs]),
            (signs + BELIEVED_AFTER_MS - 1, [Believed, Signs]),
            (signs + BELIEVED_AFTER_MS, [Over, Signs]),
        ] {
            assert_eq!(states(&set, at), expected, "at {at}");
            let published = expected.iter().filter(|state| **state != Over).count();
            let jwks = set.to_jwks(at);
            assert_eq!(jwks.keys.len(), published, "at {at}");
        }
        let third = set.rotated(key(), signs + BELIEVED_AFTER_MS).unwrap();
        assert_eq!(third.keys().len(), 2, "a key that is over leaves");
    }

    #[test]
    fn a_revoked_key_is_gone_at_once_and_another_signs() {
        let set = KeySet::default().rotated(key(), 0).unwrap().rotated(key(), 10).unwrap();
        let (first, second) = (set.keys()[0].key.clone(), set.keys()[1].key.clone());
        let left = set.revoking(first.id(), 20);
        assert_eq!(left.signer(20).unwrap().id(), second.id(), "the next one signs early");
        assert_eq!(left.believed(20).count(), 1);
        assert_eq!(left.revoked(), [RevokedKey { id: first.id().to_owned(), at_ms: 20 }]);
        assert!(!left.has(first.id()) && left.has(second.id()), "it is gone");
        let none = left.revoking(second.id(), 40);
        assert!(none.is_empty() && none.signer(40).is_none());
    }

    #[test]
    fn a_key_that_is_over_does_not_come_back_when_the_next_is_revoked() {
        let set = KeySet::default().rotated(key(), 0).unwrap().rotated(key(), 0).unwrap();
        let (first, second) = (set.keys()[0].key.clone(), set.keys()[1].key.clone());
        let over = PUBLISHED_BEFORE_MS + BELIEVED_AFTER_MS;
        let left = set.revoking(second.id(), over - 1);
        assert_eq!(left.signer(over).unwrap().id(), first.id(), "it was believed still");
        let left = set.revoking(second.id(), over);
        assert!(left.is_empty() && left.signer(over).is_none());
        assert!(left.to_jwks(over).keys.is_empty());
        // One that follows takes its place, and that is all.
        let third = set.rotated(key(), over - 1).unwrap().revoking(second.id(), over);
        assert_eq!(states(&third, over), [KeyState::Signs]);
    }

    #[test]
    fn revoked_keys_are_bounded_and_those_that_are_listed_are_not_forgotten() {
        let listed = KeySet::default().rotated(key(), 0).unwrap();
        let id = listed.keys()[0].key.id().to_owned();
        let mut set = KeySet::default().revoking("oldest", 0).revoking(&id, 0);
        for at_ms in 0..2_000 {
            set = set.revoking(&format!("{at_ms:043}"), at_ms).forgetting_all_but(Some(&listed));
        }
        assert_eq!(set.revoked().len(), MAX_REVOKED);
        assert_eq!(set.revoked()[0].id, id);
        assert_eq!(set.revoked()[1].at_ms, 1_001, "the oldest are forgotten");
        for _ in 0..MAX_KEYS {
            set = set.rotated(key(), 0).unwrap();
        }
        // What `data_dir` reads at most.
        assert!(set.to_text().unwrap().len() < 128 * 1024);
    }

    #[test]
    fn keys_are_bounded() {
        let mut set = KeySet::default();
        for _ in 0..MAX_KEYS {
            set = set.rotated(key(), 0).unwrap();
        }
        assert_eq!(set.rotated(key(), 0).err(), Some(TooManyKeys));
    }

    #[test]
    fn the_first_key_of_a_file_signs_and_all_are_believed() {
        let (one, two) = (key(), key());
        let pem = format!("{}{}", one.to_pem().unwrap(), two.to_pem().unwrap());
        let set = KeySet::listed(&pem).unwrap();
        for now in [0, i64::MAX / 2] {
            assert_eq!(set.signer(now).unwrap().id(), one.id());
            assert_eq!(set.believed(now).count(), 2);
        }
        for bad in ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "-----BEGIN "] {
            assert_eq!(KeySet::listed(bad).err(), Some(BadIssuerKey::NotP256));
        }
        assert!(KeySet::listed("").unwrap().is_empty());
    }

    #[test]
    fn what_a_key_seals_only_it_opens_and_only_for_the_same_thing() {
        let (one, other) = (key(), key());
        let sealed = one.seal(b"ctx", "jti-1").unwrap();
        assert_eq!(one.open(&sealed, "jti-1").as_deref(), Some(&b"ctx"[..]));
        assert_eq!(one.open(&sealed, "jti-2"), None);
        assert_eq!(other.open(&sealed, "jti-1"), None);
        assert_eq!(one.open("", "jti-1"), None);
        assert_eq!(one.open(&sealed[..sealed.len() - 1], "jti-1"), None);
    }
}
