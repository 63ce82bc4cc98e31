//! A user a session token was verified for, and the token's fingerprint.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use super::claims::{Claims, LEEWAY_SECONDS, Scope};
use super::keys::{Key, KeyDigest};
use super::session_revocation::UserDigest;
use crate::flag::{Attributes, TargetingKey, Value};
use crate::moment::{Deadline, Moment};

/// What the allocator adds to a string, about.
const ALLOCATION_BYTES: usize = 16;

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
    /// In seconds since 1970; 0 where its token does not say.
    issued: f64,
    /// When its token was verified, in milliseconds since 1970.
    learned_ms: i64,
    /// Worked out when it is first asked for.
    digest: OnceLock<UserDigest>,
    attributes: Vec<(Cow<'static, str>, Value<'static>)>,
    /// The key that signed its token.
    key: Arc<Key>,
    /// The key of the session that its token was made for, if it is a token for streams.
    vouched_by: Option<KeyDigest>,
    /// What a token of our own says besides.
    scope: Option<Arc<Scope>>,
}

impl Session {
    pub(super) fn new(
        fingerprint: Fingerprint,
        claims: Claims,
        key: Arc<Key>,
        now: Moment,
    ) -> Session {
        let Claims { subject, expires, issued, attributes, scope } = claims;
        let (ends, scope) = (ends(expires, now), scope.map(Arc::from));
        let (learned_ms, digest) = (now.wall_ms, OnceLock::new());
        Session {
            fingerprint,
            subject,
            expires,
            ends,
            issued,
            learned_ms,
            digest,
            attributes,
            key,
            vouched_by: None,
            scope,
        }
    }

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
        let attributes = self.attributes.iter().filter(|(name, _)| wants(name)).cloned();
        self.with_attributes(attributes.collect())
    }

    /// The same user, with these claims.
    pub fn with_attributes(&self, attributes: Vec<(Cow<'static, str>, Value<'static>)>) -> Session {
        let (subject, key, scope) = (self.subject.clone(), self.key.clone(), self.scope.clone());
        let Session { fingerprint, expires, ends, issued, learned_ms, vouched_by, .. } = *self;
        let digest = self.digest.clone();
        Session {
            fingerprint,
            subject,
            expires,
            ends,
            issued,
            learned_ms,
            digest,
            attributes,
            key,
            vouched_by,
            scope,
        }
    }

    /// The same user, who is let in no longer than the key of this digest is accepted for sessions.
    pub fn vouched_by(self, key: KeyDigest) -> Session {
        Session { vouched_by: Some(key), ..self }
    }

    /// The key that signed its token, as a token for streams carries it.
    pub fn key_digest(&self) -> &KeyDigest {
        self.key.digest()
    }

    /// The key of the session that its token was made for, if it is a token for streams.
    pub(super) fn voucher(&self) -> Option<&KeyDigest> {
        self.vouched_by.as_ref()
    }

    /// Whether a token of our own names this stream.
    pub fn names_stream(&self, flag: &str, stream: &str) -> bool {
        let named = |(of, name): &(Box<str>, Box<str>)| **of == *flag && **name == *stream;
        self.scope.as_ref().is_some_and(|scope| scope.streams.iter().any(named))
    }

    /// The id of a token of our own, and what it hides from its readers.
    pub fn sealed(&self) -> Option<(&str, &str)> {
        let (id, sealed) = self.scope.as_ref()?.sealed.as_ref()?;
        Some((id, sealed))
    }

    /// The memory it takes in bytes, about.
    pub(super) fn bytes(&self) -> usize {
        let list = self.attributes.capacity() * size_of::<(Cow<'static, str>, Value<'static>)>();
        let text = |text: &str| if text.is_empty() { 0 } else { text.len() + ALLOCATION_BYTES };
        let value = |value: &Value<'_>| if let Value::Text(said) = value { text(said) } else { 0 };
        let texts: usize =
            self.attributes.iter().map(|(name, said)| text(name) + value(said)).sum();
        let scope = self.scope.as_ref().map_or(0, |scope| {
            let named = |(flag, stream): &(Box<str>, Box<str>)| {
                size_of::<(Box<str>, Box<str>)>() + text(flag) + text(stream)
            };
            let sealed = scope.sealed.as_ref().map_or(0, |(id, sealed)| text(id) + text(sealed));
            size_of::<Scope>() + scope.streams.iter().map(named).sum::<usize>() + sealed
        });
        size_of::<Session>() + 3 * ALLOCATION_BYTES + self.subject.len() + list + texts + scope
    }

    #[cfg(test)]
    #[allow(clippy::expect_used)]
    pub(super) fn made_up(fingerprint: Fingerprint, subject: &str, claim: String) -> Session {
        use super::keys::{Algorithm, Keys};
        let key = Keys::read(&[b'k'; 40], Algorithm::Hs256).expect("a secret").first();
        let attributes = vec![("claim".into(), Value::Text(claim.into()))];
        let ends = ends(3_600.0, Moment::default());
        Session {
            fingerprint,
            subject: subject.into(),
            expires: 3_600.0,
            ends,
            issued: 0.0,
            learned_ms: 0,
            digest: OnceLock::new(),
            attributes,
            key,
            vouched_by: None,
            scope: None,
        }
    }

    #[cfg(test)]
    pub(super) fn issued_at(self, issued: f64, learned_ms: i64) -> Session {
        Session { issued, learned_ms, ..self }
    }

    /// How long its token is still good.
    pub fn lives_for(&self, now: Moment) -> Duration {
        let leeway = Duration::from_secs_f64(LEEWAY_SECONDS);
        Duration::from_millis(self.ends.left_ms(now).unsigned_abs()).saturating_sub(leeway)
    }

    /// The key that signed its token.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// When its token says it was issued, in seconds since 1970; 0 if it does not say.
    pub(super) fn issued(&self) -> f64 {
        self.issued
    }

    /// When its token was verified, in milliseconds since 1970.
    pub(super) fn learned_ms(&self) -> i64 {
        self.learned_ms
    }

    /// Its user, as revocations know it. Always made in the same way.
    pub(super) fn digest(&self, of: impl FnOnce(&str) -> UserDigest) -> UserDigest {
        *self.digest.get_or_init(|| of(&self.subject))
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
