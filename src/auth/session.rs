//! Session tokens: from a token's text to a verified user, at the cost of one signature check for
//! the whole life of the token.
//!
//! Verified tokens are remembered with the keys that verified them, so a key that is rotated out
//! takes its tokens with it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::Notify;

use super::InvalidCredential;
use super::cache::Cache;
use super::claims::{Claims, LEEWAY_SECONDS};
use super::header::Header;
use super::keys::{Algorithm, BadKeys, Key, Keys};
use crate::flag::{Attributes, TargetingKey, Value};
use crate::moment::{Deadline, Moment};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What the allocator adds to a string, about.
const ALLOCATION_BYTES: usize = 16;

/// What every token must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedClaims {
    pub algorithm: Algorithm,
    pub issuer: String,
    pub audience: String,
}

/// Checks session tokens.
#[derive(Debug)]
pub struct Sessions {
    pins: ExpectedClaims,
    current: ArcSwap<KeyRing>,
    /// Notified when a token names an unknown key: the issuer may have a new one.
    strange_key: Notify,
    evicted: AtomicU64,
}

/// Keys, and the tokens they verified.
#[derive(Debug)]
pub struct KeyRing {
    keys: Keys,
    verified: Cache,
}

impl Sessions {
    /// Starts without keys: every token is refused until [`Sessions::take`] has some.
    pub fn new(pins: ExpectedClaims) -> Sessions {
        let keys = Keys::none(pins.algorithm);
        Sessions {
            pins,
            current: ArcSwap::from_pointee(KeyRing::of(keys)),
            strange_key: Notify::new(),
            evicted: AtomicU64::new(0),
        }
    }

    /// How many bytes verified tokens take, and how many were evicted by a bound in bytes or a
    /// user's bound.
    pub fn remembered(&self) -> (usize, u64) {
        (self.current.load().verified.bytes(), self.evicted.load(Relaxed))
    }

    /// Accepts the keys that a source holds, from now on these alone. Returns how many there are;
    /// bad ones change nothing.
    pub fn take(&self, bytes: &[u8]) -> Result<usize, BadKeys> {
        let keys = Keys::read(bytes, self.pins.algorithm)?;
        let count = keys.len();
        if keys != self.current.load().keys {
            self.current.store(Arc::new(KeyRing::of(keys)));
        }
        Ok(count)
    }

    /// The user a token speaks for.
    pub fn verify(
        &self,
        token: &str,
        now: impl Into<Moment>,
    ) -> Result<Arc<Session>, InvalidCredential> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidCredential);
        }
        let now = now.into();
        let fingerprint = fingerprint(token.as_bytes());
        let key_ring = self.current.load();
        if let Some(session) = key_ring.verified.get(&fingerprint) {
            return if session.is_live(now) { Ok(session) } else { Err(InvalidCredential) };
        }
        let session = Arc::new(self.verify_anew(&key_ring.keys, token, fingerprint, now)?);
        let evicted = key_ring.verified.put(session.clone(), now);
        self.evicted.fetch_add(evicted as u64, Relaxed);
        Ok(session)
    }

    /// Whether a session's token has not ended, and the key that signed it is still accepted.
    pub fn still_accept(&self, session: &Session, now: Moment) -> bool {
        session.is_live(now) && self.current.load().keys.contains(&session.key)
    }

    /// What is accepted now; a different value where the keys differ.
    pub(super) fn current(&self) -> Arc<KeyRing> {
        self.current.load_full()
    }

    /// Waits until a token names an unknown key.
    pub async fn unknown_key_id(&self) {
        self.strange_key.notified().await;
    }

    fn verify_anew(
        &self,
        keys: &Keys,
        token: &str,
        fingerprint: Fingerprint,
        now: Moment,
    ) -> Result<Session, InvalidCredential> {
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidCredential)?;
        let (header, claims) = message.split_once('.').ok_or(InvalidCredential)?;
        let header = Header::read(header, keys.algorithm())?;
        if !keys.serves(header.key_id.as_deref()) {
            self.strange_key.notify_one();
            return Err(InvalidCredential);
        }
        let key = keys
            .verify_signature(header.key_id.as_deref(), message, signature)
            .ok_or(InvalidCredential)?
            .clone();
        let Claims { subject, expires, attributes } =
            Claims::read(claims, &self.pins, now.wall_ms as f64 / 1_000.0)?;
        let ends = ends(expires, now);
        Ok(Session { fingerprint, subject, expires, ends, attributes, key })
    }
}

impl KeyRing {
    fn of(keys: Keys) -> KeyRing {
        KeyRing { keys, verified: Cache::new() }
    }
}

/// A SHA-256, which is all that is kept of a token's text.
pub type Fingerprint = [u8; 32];

pub fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, bytes).as_ref());
    fingerprint
}

/// A user a token was verified for.
pub struct Session {
    fingerprint: Fingerprint,
    subject: Box<str>,
    expires: f64,
    /// When the token ends, as the clock stood when it was learned: a clock that is set back
    /// prolongs no token that was seen.
    ends: Deadline,
    attributes: Vec<(Cow<'static, str>, Value<'static>)>,
    /// The key that signed its token.
    key: Arc<Key>,
}

impl Session {
    /// The targeting key: `sub`.
    pub fn subject(&self) -> Option<TargetingKey<'_>> {
        // A `sub` that is not a valid key was refused with its token.
        TargetingKey::parse(&self.subject).ok().flatten()
    }

    /// The token's claims.
    pub fn attributes(&self) -> &Attributes<'_> {
        &self.attributes
    }

    /// The same user, with only the claims that are wanted.
    pub fn keeping(&self, wants: impl Fn(&str) -> bool) -> Session {
        let attributes = self.attributes.iter().filter(|(name, _)| wants(name)).cloned().collect();
        let (subject, key) = (self.subject.clone(), self.key.clone());
        Session {
            fingerprint: self.fingerprint,
            subject,
            expires: self.expires,
            ends: self.ends,
            attributes,
            key,
        }
    }

    /// The memory it takes in bytes, about.
    pub(super) fn bytes(&self) -> usize {
        let list = self.attributes.capacity() * size_of::<(Cow<'static, str>, Value<'static>)>();
        let text = |text: &str| if text.is_empty() { 0 } else { text.len() + ALLOCATION_BYTES };
        let value = |value: &Value<'_>| if let Value::Text(said) = value { text(said) } else { 0 };
        let texts: usize =
            self.attributes.iter().map(|(name, said)| text(name) + value(said)).sum();
        size_of::<Session>() + 3 * ALLOCATION_BYTES + self.subject.len() + list + texts
    }

    #[cfg(test)]
    #[allow(clippy::expect_used)]
    pub(super) fn made_up(fingerprint: Fingerprint, subject: &str, claim: String) -> Session {
        let key = Keys::read(&[b'k'; 40], Algorithm::Hs256).expect("a secret").first();
        let attributes = vec![("claim".into(), Value::Text(claim.into()))];
        let ends = ends(3_600.0, Moment::default());
        Session { fingerprint, subject: subject.into(), expires: 3_600.0, ends, attributes, key }
    }

    /// How long its token is still good.
    pub fn lives_for(&self, now: Moment) -> Duration {
        let leeway = Duration::from_secs_f64(LEEWAY_SECONDS);
        Duration::from_millis(self.ends.left_ms(now).unsigned_abs()).saturating_sub(leeway)
    }

    pub(super) fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// When its token ends, in seconds since 1970.
    pub(super) fn expires(&self) -> f64 {
        self.expires
    }

    pub(super) fn is_live(&self, now: Moment) -> bool {
        !self.ends.is_over(now)
    }
}

/// The deadline of a token that ends so many seconds after 1970. A number too large for a deadline
/// counts as never.
fn ends(expires: f64, now: Moment) -> Deadline {
    Deadline::at(((expires + LEEWAY_SECONDS) * 1_000.0).ceil() as i64, now)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(redacted)")
    }
}
