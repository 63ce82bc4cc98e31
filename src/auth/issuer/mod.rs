//! Our own issuer: sessions for applications whose cookies say nothing, and tokens for streams.
//!
//! | file | what it decides |
//! |---|---|
//! | `key` | how one key signs and seals |
//! | `key_set` | which key signs and which are believed at a moment |
//! | `key_file` | how keys are kept |
//! | `token` | the text of a token |

mod key;
mod key_file;
mod key_set;
mod token;

use std::sync::Arc;

use arc_swap::ArcSwap;
use turnout_api::sessions::Jwks;

use super::claims::{EmailProof, ExpectedClaims};
use super::keys::{Algorithm, Keys};
use super::session::Session;
use super::sessions::Sessions;
use super::token_kind::{ISSUER, TokenKind};

pub use key::{BadIssuerKey, IssuerKey};
pub use key_file::BadKeyFile;
pub use key_set::{
    DatedKey, KeySet, KeyState, MAX_KEYS as MAX_ISSUER_KEYS, PUBLISHED_BEFORE_MS, TooManyKeys,
};
pub use token::{
    MAX_SESSION_BYTES, MAX_SESSION_STREAMS, MAX_SESSION_TTL_MS, MintError, NewSession, NewToken,
    SESSION_TTL_MS,
};

/// Signs our own tokens, and knows them again.
#[derive(Debug)]
pub struct Issuer {
    keys: ArcSwap<KeySet>,
    /// The ids of the keys that are believed. They are looked at every second, and seldom change.
    believed: ArcSwap<Vec<String>>,
    sessions: Arc<Sessions>,
    tokens: Arc<Sessions>,
}

impl Default for Issuer {
    /// Without keys: nothing is signed, and nothing accepted.
    fn default() -> Issuer {
        let of = |kind: TokenKind| {
            Arc::new(Sessions::new(ExpectedClaims {
                algorithm: Algorithm::Es256,
                issuer: ISSUER.to_owned(),
                audience: kind.audience().to_owned(),
                email: EmailProof::Assumed,
                kind,
            }))
        };
        Issuer {
            keys: ArcSwap::default(),
            believed: ArcSwap::default(),
            sessions: of(TokenKind::Session),
            tokens: of(TokenKind::Realtime),
        }
    }
}

impl Issuer {
    /// Signs and believes by these keys from now on.
    pub fn take(&self, keys: KeySet, now_ms: i64) {
        self.keys.store(Arc::new(keys));
        self.update_believed(now_ms);
    }

    /// Stops believing keys that are over by now.
    fn update_believed(&self, now_ms: i64) {
        let set = self.keys.load();
        let ids: Vec<String> = set.believed(now_ms).map(|key| key.id().to_owned()).collect();
        if ids == **self.believed.load() {
            return;
        }
        let believed = || {
            let jwks = serde_json::to_vec(&set.to_jwks(now_ms)).unwrap_or_default();
            Keys::read(&jwks, Algorithm::Es256).unwrap_or_else(|_| Keys::none(Algorithm::Es256))
        };
        self.sessions.accept(believed());
        self.tokens.accept(believed());
        self.believed.store(Arc::new(ids));
    }

    pub fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// The public halves of the keys that are believed.
    pub fn to_jwks(&self, now_ms: i64) -> Jwks {
        self.keys.load().to_jwks(now_ms)
    }

    /// Knows the sessions that were minted here.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Knows the tokens for streams that were minted here.
    pub fn tokens(&self) -> &Arc<Sessions> {
        &self.tokens
    }

    /// What a token for streams hides from its readers.
    pub fn open(&self, token: &Session) -> Option<Vec<u8>> {
        let (id, sealed) = token.sealed()?;
        let keys = self.keys.load();
        let key = keys.keys().iter().find(|dated| token.key().is_named(dated.key.id()))?;
        key.key.open(sealed, id)
    }
}
