//! Who asks: session tokens of the application and keys of its servers, checked against keys that
//! refresh by themselves; and how receivers recognise us, by a signature. Floor 2.
//!
//! This module decides whether a credential is good and what it proves, and leaves headers and
//! statuses to `http`, log lines to `telemetry`. Whatever is wrong with a credential, the error is
//! [`InvalidCredential`] without a reason: the difference would only help a forger.

mod admin_credentials;
mod authenticator;
mod cache;
mod claims;
mod credentials;
mod file_reader;
mod header;
mod issuer;
mod key_refresh;
mod keys;
mod random;
mod revoked_sessions;
mod server_key;
mod server_permissions;
mod server_proof;
mod session;
mod session_revocation;
mod sessions;
mod source;
mod source_error;
mod token_kind;
pub mod token_names;
mod webhook_signature;

pub use admin_credentials::{AdminCredentials, Caller, LocalAdmin};
pub use authenticator::{
    AnonymousAccess, Authenticator, CredentialVersion, Principal, ServerPrincipal,
};
pub use claims::{EmailProof, ExpectedClaims};
pub use credentials::Credentials;
pub use issuer::{
    BadIssuerKey, BadKeyFile, DatedKey, Issuer, IssuerKey, KeySet, KeyState, MAX_ISSUER_KEYS,
    MAX_SESSION_BYTES, MAX_SESSION_STREAMS, MAX_SESSION_TTL_MS, MintError, NewSession, NewToken,
    PUBLISHED_BEFORE_MS, SESSION_TTL_MS, TooManyKeys,
};
pub use key_refresh::{KeyRefresher, Outcome, Report};
pub use keys::{Algorithm, BadKeys, KeyDigest, UnknownAlgorithm};
pub use random::{random_name, random_number, random_secret};
pub use revoked_sessions::RevokedSessions;
pub use server_key::ServerKeys;
pub use server_permissions::{NotPermitted, ServerAction, ServerPermissions};
pub use server_proof::{MAX_NONCE_BYTES, MIN_NONCE_BYTES, ServerProof, TokenId};
pub use session::Session;
pub use session_revocation::{
    DigestKey, MAX_REVOKED_USERS, REVOCATION_KEPT_MS, RevokedSubject, SessionRevocation,
    USER_GROUPS, UserDigest,
};
pub use sessions::Sessions;
pub use source::{BadSource, Source};
pub use source_error::ReadError;
pub use token_kind::{ISSUER, TokenKind};
pub use token_names::LOCAL_ADMIN;
pub use webhook_signature::{BadSigningKey, SigningKey};

/// The credential is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential is missing or not accepted")]
pub struct InvalidCredential;
