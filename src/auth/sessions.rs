//! Session tokens: from a token's text to a verified user, at the cost of one signature check for
//! the whole life of the token.
//!
//! Verified tokens are remembered with the keys that verified them, so a key that is rotated out
//! takes its tokens with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::InvalidCredential;
use super::cache::Cache;
use super::claims::{Claims, ExpectedClaims};
use super::header::Header;
use super::keys::{BadKeys, KeyDigest, Keys};
use super::session::{Fingerprint, Session, fingerprint};
use crate::moment::Moment;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

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
        self.accept(keys);
        Ok(count)
    }

    /// Accepts these keys, from now on these alone.
    pub(super) fn accept(&self, keys: Keys) {
        if keys != self.current.load().keys {
            self.current.store(Arc::new(KeyRing::of(keys)));
        }
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
        self.known(&fingerprint, now).unwrap_or_else(|| self.learn(token, fingerprint, now))
    }

    /// The user of a token that was verified before.
    pub(super) fn known(
        &self,
        fingerprint: &Fingerprint,
        now: Moment,
    ) -> Option<Result<Arc<Session>, InvalidCredential>> {
        let session = self.current.load().verified.get(fingerprint)?;
        Some(if session.is_live(now) { Ok(session) } else { Err(InvalidCredential) })
    }

    /// The user of a token that is seen for the first time.
    pub(super) fn learn(
        &self,
        token: &str,
        fingerprint: Fingerprint,
        now: Moment,
    ) -> Result<Arc<Session>, InvalidCredential> {
        let key_ring = self.current.load();
        let session = Arc::new(self.verify_anew(&key_ring.keys, token, fingerprint, now)?);
        let evicted = key_ring.verified.put(session.clone(), now);
        self.evicted.fetch_add(evicted as u64, Relaxed);
        Ok(session)
    }

    /// Whether a session's token has not ended, and the key that signed it is still accepted.
    pub fn still_accept(&self, session: &Session, now: Moment) -> bool {
        session.is_live(now) && self.current.load().keys.contains(session.key())
    }

    /// Whether the key of this digest is accepted.
    pub(super) fn accept_key(&self, digest: &KeyDigest) -> bool {
        self.current.load().keys.contains_digest(digest)
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
        let header = Header::read(header, keys.algorithm(), self.pins.kind)?;
        if !keys.serves(header.key_id.as_deref()) {
            self.strange_key.notify_one();
            return Err(InvalidCredential);
        }
        let key = keys
            .verify_signature(header.key_id.as_deref(), message, signature)
            .ok_or(InvalidCredential)?
            .clone();
        let claims = Claims::read(claims, &self.pins, now.wall_ms as f64 / 1_000.0)?;
        Ok(Session::new(fingerprint, claims, key, now))
    }
}

impl KeyRing {
    fn of(keys: Keys) -> KeyRing {
        KeyRing { keys, verified: Cache::new() }
    }
}
