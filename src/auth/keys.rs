//! The keys that session tokens are checked with: read from PEM, a JWKS or a shared secret, all for
//! one pinned algorithm.
//!
//! A key that does not fit the algorithm is ignored, so a token cannot choose how it is checked.
//! `session` decides which tokens to accept beyond their signature.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind, crypto};
use serde::Deserialize;

/// The most keys of one source that are used.
pub const MAX_KEYS: usize = 32;
/// The shortest shared secret, in bytes: as long as the hash it feeds (RFC 7518 §3.2).
pub const MIN_SECRET_BYTES: usize = 32;
/// The shortest and the longest RSA modulus, in bytes.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// What a key is known by where the key itself is not: the beginning of a SHA-256.
pub type KeyDigest = [u8; 16];

/// The one way tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

/// Not the name of an algorithm that is supported.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an algorithm is HS256, RS256, ES256 or EdDSA")]
pub struct UnknownAlgorithm;

impl Algorithm {
    pub const ALL: [Algorithm; 4] =
        [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

    /// The registered name, which must be written in this case.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Algorithm, UnknownAlgorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(UnknownAlgorithm)
    }
}

/// Why a source's text gives no keys. The error repeats nothing of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    #[error("it holds a private key; give Turnout the public one (openssl pkey -pubout)")]
    Private,
    #[error(
        "it holds a public key, which must never be the secret of HS256; name the algorithm your issuer signs with"
    )]
    PublicAsSecret,
    #[error("a secret of HS256 has at least {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    #[error("it is neither PEM nor a JWKS")]
    Unreadable,
    #[error("it holds no key for {0}")]
    NoneFits(&'static str),
    #[error("it holds more than {MAX_KEYS} keys for one algorithm")]
    TooMany,
}

/// Keys for one algorithm; never empty, except before the first were read.
#[derive(PartialEq)]
pub struct Keys {
    algorithm: Algorithm,
    keys: Vec<Arc<Key>>,
}

#[derive(PartialEq)]
pub struct Key {
    /// A key with an id serves only tokens that name it; one without an id serves any token.
    id: Option<Box<str>>,
    key: SameKey,
    digest: KeyDigest,
}

/// A key that can be compared with the one read before.
struct SameKey(DecodingKey);

impl Keys {
    /// The state before any keys were read: no token is good.
    pub fn none(algorithm: Algorithm) -> Keys {
        Keys { algorithm, keys: Vec::new() }
    }

    /// Reads what a source holds.
    pub fn read(bytes: &[u8], algorithm: Algorithm) -> Result<Keys, BadKeys> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| BadKeys::Unreadable)?
            .trim_start_matches('\u{feff}');
        let keys = match (text.trim_start().starts_with('{'), algorithm) {
            (true, _) => of_jwks(text, algorithm)?,
            (false, Algorithm::Hs256) => vec![secret(text)?],
            (false, _) => of_pem(text, algorithm)?,
        };
        match keys.len() {
            0 => Err(BadKeys::NoneFits(algorithm.as_str())),
            1..=MAX_KEYS => Ok(Keys { algorithm, keys: keys.into_iter().map(Arc::new).collect() }),
            _ => Err(BadKeys::TooMany),
        }
    }

    #[cfg(test)]
    pub fn first(&self) -> Arc<Key> {
        self.keys[0].clone()
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that made this signature (the third part of a token, as written) over the first two,
    /// if one did.
    pub fn verify_signature(
        &self,
        key_id: Option<&str>,
        message: &str,
        signature: &str,
    ) -> Option<&Arc<Key>> {
        let serving = |key: &&Arc<Key>| key.id.as_deref().is_none_or(|id| Some(id) == key_id);
        let algorithm = self.algorithm.of_library();
        self.keys.iter().filter(serving).find(|key| {
            crypto::verify(signature, message.as_bytes(), &key.key.0, algorithm).unwrap_or(false)
        })
    }

    /// Whether this key is among them.
    pub fn contains(&self, key: &Key) -> bool {
        self.keys.iter().any(|held| **held == *key)
    }

    /// Whether the key of this digest is among them.
    pub fn contains_digest(&self, digest: &KeyDigest) -> bool {
        self.keys.iter().any(|held| held.digest == *digest)
    }

    /// Whether a token that names this key could be checked at all.
    pub fn serves(&self, key_id: Option<&str>) -> bool {
        self.keys.iter().any(|key| key.id.as_deref().is_none_or(|id| Some(id) == key_id))
    }
}

impl Key {
    fn new(id: Option<Box<str>>, key: DecodingKey) -> Key {
        let mut whole = id.as_deref().unwrap_or_default().as_bytes().to_vec();
        whole.push(0);
        match key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => whole.extend_from_slice(bytes),
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                whole.extend_from_slice(n);
                whole.push(0);
                whole.extend_from_slice(e);
            }
        }
        let mut short = KeyDigest::default();
        for (to, from) in short.iter_mut().zip(digest(&SHA256, &whole).as_ref()) {
            *to = *from;
        }
        Key { id, key: SameKey(key), digest: short }
    }

    pub fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// Whether it has this id.
    pub fn is_named(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys for {}", self.len(), self.algorithm.as_str())
    }
}

impl PartialEq for SameKey {
    fn eq(&self, other: &SameKey) -> bool {
        match (self.0.kind(), other.0.kind()) {
            (DecodingKeyKind::SecretOrDer(mine), DecodingKeyKind::SecretOrDer(theirs)) => {
                mine == theirs
            }
            (
                DecodingKeyKind::RsaModulusExponent { n, e },
                DecodingKeyKind::RsaModulusExponent { n: their_n, e: their_e },
            ) => n == their_n && e == their_e,
            _ => false,
        }
    }
}

/// The whole text except for a line end at its end.
fn secret(text: &str) -> Result<Key, BadKeys> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text.len() {
        _ if text.contains("-----BEGIN") && text.contains("PRIVATE") => Err(BadKeys::Private),
        _ if text.contains("-----BEGIN") => Err(BadKeys::PublicAsSecret),
        0..MIN_SECRET_BYTES => Err(BadKeys::ShortSecret),
        _ => Ok(Key::new(None, DecodingKey::from_secret(text.as_bytes()))),
    }
}

/// One key for each block, so that a rotation can hold the old key and the new.
fn of_pem(text: &str, algorithm: Algorithm) -> Result<Vec<Key>, BadKeys> {
    if text.contains("PRIVATE KEY-----") {
        return Err(BadKeys::Private);
    }
    let blocks = text.split("-----BEGIN ").skip(1).map(|block| format!("-----BEGIN {block}"));
    let mut keys = Vec::new();
    let mut found = false;
    for block in blocks {
        found = true;
        if !block.contains(" PUBLIC KEY-----") {
            continue;
        }
        let read = match algorithm {
            Algorithm::Rs256 => DecodingKey::from_rsa_pem(block.as_bytes()),
            Algorithm::Es256 => DecodingKey::from_ec_pem(block.as_bytes()),
            Algorithm::EdDsa | Algorithm::Hs256 => DecodingKey::from_ed_pem(block.as_bytes()),
        };
        keys.extend(read.ok().filter(|key| fits(key, algorithm)).map(|key| Key::new(None, key)));
    }
    if found { Ok(keys) } else { Err(BadKeys::Unreadable) }
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

/// The keys of a set that are for this algorithm and for checking; a set may hold others, of
/// unknown kinds.
fn of_jwks(text: &str, algorithm: Algorithm) -> Result<Vec<Key>, BadKeys> {
    let set: Jwks = serde_json::from_str(text).map_err(|_| BadKeys::Unreadable)?;
    let meant = |jwk: &Jwk| {
        let common = &jwk.common;
        let named =
            common.key_algorithm.is_none_or(|named| named.to_string() == algorithm.as_str());
        let signs = common
            .public_key_use
            .as_ref()
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let checks = common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        named && signs && checks
    };
    let jwks = set
        .keys
        .into_iter()
        .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
        .filter(meant);
    let key = |jwk: Jwk| {
        let key = DecodingKey::from_jwk(&jwk).ok().filter(|key| fits(key, algorithm))?;
        Some(Key::new(jwk.common.key_id.map(String::into_boxed_str), key))
    };
    Ok(jwks.filter_map(key).collect())
}

/// Whether a key is for the algorithm, on its curve and of an allowed size.
fn fits(key: &DecodingKey, algorithm: Algorithm) -> bool {
    fn reads(verification: &'static impl VerificationAlgorithm, bytes: &[u8]) -> bool {
        ParsedPublicKey::new(verification, bytes).is_ok()
    }
    let family = match algorithm {
        Algorithm::Hs256 => AlgorithmFamily::Hmac,
        Algorithm::Rs256 => AlgorithmFamily::Rsa,
        Algorithm::Es256 => AlgorithmFamily::Ec,
        Algorithm::EdDsa => AlgorithmFamily::Ed,
    };
    key.family() == family
        && match (key.kind(), algorithm) {
            (DecodingKeyKind::SecretOrDer(bytes), Algorithm::Hs256) => {
                bytes.len() >= MIN_SECRET_BYTES
            }
            (DecodingKeyKind::SecretOrDer(bytes), Algorithm::Rs256) => {
                reads(&RSA_PKCS1_2048_8192_SHA256, bytes)
            }
            (DecodingKeyKind::SecretOrDer(bytes), Algorithm::Es256) => {
                reads(&ECDSA_P256_SHA256_FIXED, bytes)
            }
            (DecodingKeyKind::SecretOrDer(bytes), Algorithm::EdDsa) => {
                bytes.len() == 32 && reads(&ED25519, bytes)
            }
            (DecodingKeyKind::RsaModulusExponent { n, .. }, _) => {
                RSA_BYTES.contains(&n.iter().skip_while(|byte| **byte == 0).count())
            }
        }
}
