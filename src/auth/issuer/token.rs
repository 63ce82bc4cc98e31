//! The text of our own tokens (JWS compact form, RFC 7515 §7.1; claims of RFC 7519).

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::super::random::random_name;
use super::super::token_kind::{ISSUER, TokenKind};
use super::Issuer;
use crate::flag::{FlagKey, TargetingKey};
use crate::moment::Moment;

/// How long a session lives unless it is said, and at most, in milliseconds.
pub const SESSION_TTL_MS: u64 = 60 * 60 * 1_000;
pub const MAX_SESSION_TTL_MS: u64 = 24 * 60 * 60 * 1_000;
/// The most bytes of a session's text.
pub const MAX_SESSION_BYTES: usize = 4 * 1024;
/// The most streams that a session names.
pub const MAX_SESSION_STREAMS: usize = 32;

/// A session to sign.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    pub subject: TargetingKey<'a>,
    /// What is known of the user; verified, as its server says so.
    pub attributes: &'a Map<String, Json>,
    /// Streams that the user may read besides those that list the user.
    pub streams: &'a [(FlagKey, String)],
    pub ttl: Duration,
}

/// A token for streams to sign.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    pub subject: TargetingKey<'a>,
    pub flag: &'a FlagKey,
    pub streams: &'a [String],
    /// The position at which the flag changed last.
    pub flag_revision: &'a str,
    /// What the flag was asked with, which is hidden from readers of the token.
    pub context: &'a [u8],
    pub ttl: Duration,
}

/// Why a token was not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    #[error("there is no key to sign with")]
    NoKey,
    #[error("the session would have more than {MAX_SESSION_BYTES} bytes")]
    TooLarge,
}

/// What a token says. Written from here at once: a tree of it would cost as much as the rest of the
/// request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    iss: &'static str,
    sub: &'a str,
    aud: &'static str,
    iat: f64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Cow<'a, Map<String, Json>>,
    /// Each as `flag/stream`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    streams: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag_revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<String>,
}

impl Issuer {
    /// The text of a session.
    pub fn mint_session(&self, new: &NewSession<'_>, now: Moment) -> Result<String, MintError> {
        let mut claims = Claims::new(TokenKind::Session, new.subject, new.ttl, now);
        claims.attributes = Cow::Borrowed(new.attributes);
        claims.streams = new.streams.iter().map(|(flag, name)| format!("{flag}/{name}")).collect();
        let text = self.sign(TokenKind::Session, |_| Some(claims), now)?;
        if text.len() > MAX_SESSION_BYTES { Err(MintError::TooLarge) } else { Ok(text) }
    }

    /// The text of a token for streams of one flag.
    pub fn mint_token(&self, new: &NewToken<'_>, now: Moment) -> Result<String, MintError> {
        let id = random_name().ok_or(MintError::NoKey)?;
        let mut claims = Claims::new(TokenKind::Realtime, new.subject, new.ttl, now);
        claims.jti = Some(&id);
        claims.streams = new.streams.iter().map(|name| format!("{}/{name}", new.flag)).collect();
        claims.flag_revision = Some(new.flag_revision);
        self.sign(
            TokenKind::Realtime,
            |key| {
                claims.ctx = Some(key.seal(new.context, &id)?);
                Some(claims)
            },
            now,
        )
    }

    fn sign<'c>(
        &self,
        kind: TokenKind,
        claims: impl FnOnce(&super::IssuerKey) -> Option<Claims<'c>>,
        now: Moment,
    ) -> Result<String, MintError> {
        let keys = self.keys();
        let key = keys.signer(now.wall_ms).ok_or(MintError::NoKey)?;
        let header = format!(r#"{{"alg":"ES256","typ":"{}","kid":"{}"}}"#, kind.header(), key.id());
        let claims = claims(key).and_then(|claims| serde_json::to_vec(&claims).ok());
        let mut text = String::with_capacity(1_024);
        URL_SAFE_NO_PAD.encode_string(header, &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.ok_or(MintError::NoKey)?, &mut text);
        let signature = key.sign(text.as_bytes()).ok_or(MintError::NoKey)?;
        text.push('.');
        text.push_str(&signature);
        Ok(text)
    }
}

impl<'a> Claims<'a> {
    fn new(kind: TokenKind, subject: TargetingKey<'a>, ttl: Duration, now: Moment) -> Claims<'a> {
        let (issued, ends) = (now.wall_ms, now.wall_ms.saturating_add(ttl.as_millis() as i64));
        Claims {
            iss: ISSUER,
            sub: subject.as_str(),
            aud: kind.audience(),
            // A user's sessions are revoked by the moment they were issued, so that moment is exact.
            iat: issued as f64 / 1_000.0,
            exp: ends.div_euclid(1_000),
            jti: None,
            attributes: Cow::Owned(Map::new()),
            streams: Vec::new(),
            flag_revision: None,
            ctx: None,
        }
    }
}
