//! The text of our own tokens (JWS compact form, RFC 7515 §7.1; claims of RFC 7519).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json, json};

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

impl Issuer {
    /// The text of a session.
    pub fn mint_session(&self, new: &NewSession<'_>, now: Moment) -> Result<String, MintError> {
        let mut claims = claims(TokenKind::Session, new.subject, new.ttl, now);
        if !new.attributes.is_empty() {
            claims.insert("attributes".to_owned(), Json::Object(new.attributes.clone()));
        }
        if !new.streams.is_empty() {
            claims.insert("streams".to_owned(), names(new.streams));
        }
        let text = self.sign(TokenKind::Session, |_| Some(claims), now)?;
        if text.len() > MAX_SESSION_BYTES { Err(MintError::TooLarge) } else { Ok(text) }
    }

    /// The text of a token for streams of one flag.
    pub fn mint_token(&self, new: &NewToken<'_>, now: Moment) -> Result<String, MintError> {
        let mut claims = claims(TokenKind::Realtime, new.subject, new.ttl, now);
        let id = random_name().ok_or(MintError::NoKey)?;
        claims.insert("jti".to_owned(), json!(id));
        let streams: Vec<_> =
            new.streams.iter().map(|stream| (new.flag.clone(), stream.clone())).collect();
        claims.insert("streams".to_owned(), names(&streams));
        claims.insert("flagRevision".to_owned(), json!(new.flag_revision));
        self.sign(
            TokenKind::Realtime,
            |key| {
                claims.insert("ctx".to_owned(), json!(key.seal(new.context, &id)?));
                Some(claims)
            },
            now,
        )
    }

    fn sign(
        &self,
        kind: TokenKind,
        claims: impl FnOnce(&super::IssuerKey) -> Option<Map<String, Json>>,
        now: Moment,
    ) -> Result<String, MintError> {
        let keys = self.keys();
        let key = keys.signer(now.wall_ms).ok_or(MintError::NoKey)?;
        let header = format!(r#"{{"alg":"ES256","typ":"{}","kid":"{}"}}"#, kind.header(), key.id());
        let claims = claims(key).map(Json::Object).ok_or(MintError::NoKey)?;
        let mut text = String::with_capacity(1_024);
        URL_SAFE_NO_PAD.encode_string(header, &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut text);
        let signature = key.sign(text.as_bytes()).ok_or(MintError::NoKey)?;
        text.push('.');
        text.push_str(&signature);
        Ok(text)
    }
}

fn claims(
    kind: TokenKind,
    subject: TargetingKey<'_>,
    ttl: Duration,
    now: Moment,
) -> Map<String, Json> {
    let (issued, ends) = (now.wall_ms, now.wall_ms.saturating_add(ttl.as_millis() as i64));
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(ISSUER));
    claims.insert("sub".to_owned(), json!(subject.as_str()));
    claims.insert("aud".to_owned(), json!(kind.audience()));
    // A user's sessions are revoked by the moment they were issued, so that moment is exact.
    claims.insert("iat".to_owned(), json!(issued as f64 / 1_000.0));
    claims.insert("exp".to_owned(), json!(ends.div_euclid(1_000)));
    claims
}

/// Streams, each as `flag/stream`.
fn names(streams: &[(FlagKey, String)]) -> Json {
    streams.iter().map(|(flag, stream)| format!("{flag}/{stream}")).collect()
}
