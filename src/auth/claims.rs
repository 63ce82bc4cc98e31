//! What a signed token says: its JSON, parsed strictly, and the claims that decide whether the
//! token is good at a moment.
//!
//! Signatures are checked in `keys`. Here a claim that is missing, of another type or out of range
//! refuses the token.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;
use turnout_api::strict;

use super::InvalidCredential;
use super::keys::Algorithm;
use super::token_kind::{ISSUER, TokenKind};
use crate::flag::{MAX_ATTRIBUTES, TargetingKey, Value};

/// How far clocks may differ, in seconds.
pub const LEEWAY_SECONDS: f64 = 5.0;
/// The end of the year 9999: a later date is not accepted as a date.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// What every token must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedClaims {
    pub algorithm: Algorithm,
    pub issuer: String,
    pub audience: String,
    pub email: EmailProof,
    pub kind: TokenKind,
}

/// What a token of our own says besides its user.
#[derive(Debug, Default)]
pub struct Scope {
    /// Flag and stream.
    pub streams: Vec<(Box<str>, Box<str>)>,
    /// The token's id, and what it hides from its readers.
    pub sealed: Option<(Box<str>, Box<str>)>,
}

/// When the `email` of a token is proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmailProof {
    /// Unless `email_verified` says otherwise: for issuers that confirm each address.
    #[default]
    Assumed,
    /// Only if `email_verified` is `true`: for issuers that let people register any address.
    Required,
}

/// A JSON object without repeated names: two readers of one token must not see two different claims.
pub struct Members(Vec<(String, Json)>);

/// Claims that hold.
pub struct Claims {
    pub subject: Box<str>,
    /// In seconds since 1970.
    pub expires: f64,
    /// In seconds since 1970; 0 where the token does not say.
    pub issued: f64,
    pub attributes: Vec<(Cow<'static, str>, Value<'static>)>,
    /// `None` in a token of the application.
    pub scope: Option<Box<Scope>>,
}

impl Claims {
    /// Reads and judges the second part of a token whose signature is good.
    pub fn read(part: &str, pins: &ExpectedClaims, now: f64) -> Result<Claims, InvalidCredential> {
        let members = Members::decode(part)?;
        let expires = members.date("exp")?.ok_or(InvalidCredential)?;
        let not_before = members.date("nbf")?.unwrap_or(0.0);
        let issued = members.date("iat")?.unwrap_or(0.0);
        let meant_for_us = match members.get("aud").ok_or(InvalidCredential)? {
            Json::String(audience) => *audience == pins.audience,
            Json::Array(audiences) => {
                audiences.iter().all(Json::is_string)
                    && audiences.iter().any(|audience| *audience == *pins.audience)
            }
            _ => false,
        };
        let subject = members.get("sub").and_then(Json::as_str).ok_or(InvalidCredential)?;
        let good = now < expires + LEEWAY_SECONDS
            && not_before <= now + LEEWAY_SECONDS
            && issued <= expires
            && meant_for_us
            && members.get("iss").is_some_and(|issuer| *issuer == *pins.issuer)
            && matches!(TargetingKey::parse(subject), Ok(Some(_)))
            && members.0.len() <= MAX_ATTRIBUTES;
        if !good {
            return Err(InvalidCredential);
        }
        let subject = subject.into();
        let scope = match pins.kind {
            TokenKind::Application => None,
            TokenKind::Session | TokenKind::Realtime => Some(Box::new(members.scope()?)),
        };
        let claims = match pins.kind {
            TokenKind::Application => members.0,
            // What its server said of the user.
            TokenKind::Session => members.attributes()?,
            TokenKind::Realtime => Vec::new(),
        };
        // Collected into a new list: one collected in place would keep the larger allocation.
        let mut attributes = Vec::with_capacity(claims.len());
        attributes.extend(claims.into_iter().map(attribute));
        if pins.email == EmailProof::Required {
            require_proof(&mut attributes);
        }
        Ok(Claims { subject, expires, issued, attributes, scope })
    }
}

/// Whether a token says that it was minted here. Nothing is believed of it yet.
pub fn is_our_own(token: &str) -> bool {
    let claims = token.split('.').nth(1).and_then(|part| Members::decode(part).ok());
    claims.is_some_and(|claims| claims.get("iss").is_some_and(|issuer| *issuer == *ISSUER))
}

/// A claim that is not plainly `true` counts as one that says no.
fn require_proof(attributes: &mut Vec<(Cow<'static, str>, Value<'static>)>) {
    const CLAIM: &str = "email_verified";
    match attributes.iter_mut().find(|(name, _)| name == CLAIM) {
        Some((_, Value::Bool(true))) => {}
        Some((_, value)) => *value = Value::Bool(false),
        None => attributes.push((CLAIM.into(), Value::Bool(false))),
    }
}

/// Lists and objects are values that no rule can compare.
fn attribute((name, value): (String, Json)) -> (Cow<'static, str>, Value<'static>) {
    let value = match value {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(is),
        Json::Number(number) => number.as_f64().map_or(Value::Other, Value::Number),
        Json::String(text) => Value::Text(text.into()),
        Json::Array(_) | Json::Object(_) => Value::Other,
    };
    (name.into(), value)
}

impl Members {
    /// Reads one part of a token: base64url without padding, holding one JSON object.
    pub fn decode(part: &str) -> Result<Members, InvalidCredential> {
        let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidCredential)?;
        strict::object(&json).map(Members).map_err(|_| InvalidCredential)
    }

    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The streams that a token of our own names, and what it hides.
    fn scope(&self) -> Result<Scope, InvalidCredential> {
        let listed = match self.get("streams") {
            None => &[][..],
            Some(listed) => listed.as_array().ok_or(InvalidCredential)?,
        };
        let stream = |name: &Json| {
            let (flag, stream) = name.as_str()?.split_once('/')?;
            Some((flag.into(), stream.into()))
        };
        let streams = listed.iter().map(stream).collect::<Option<_>>().ok_or(InvalidCredential)?;
        let text = |name: &str| self.get(name).and_then(Json::as_str).map(Box::from);
        let sealed = text("jti").zip(text("ctx"));
        Ok(Scope { streams, sealed })
    }

    /// The attributes of a session that was minted here.
    fn attributes(mut self) -> Result<Vec<(String, Json)>, InvalidCredential> {
        let place = self.0.iter().position(|(name, _)| name == "attributes");
        match place.map(|place| self.0.swap_remove(place).1) {
            None => Ok(Vec::new()),
            Some(Json::Object(attributes)) => Ok(attributes.into_iter().collect()),
            Some(_) => Err(InvalidCredential),
        }
    }

    fn date(&self, name: &str) -> Result<Option<f64>, InvalidCredential> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let seconds = value.as_f64().ok_or(InvalidCredential)?;
        if (0.0..=LAST_SECOND).contains(&seconds) {
            Ok(Some(seconds))
        } else {
            Err(InvalidCredential)
        }
    }
}
