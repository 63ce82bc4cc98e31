//! Who asks: session tokens of the application and keys of its servers, checked against keys that stay fresh by themselves; and how
//! others know us, by a signature. Floor 2.
//!
//! It decides whether a credential is good and what it proves, and leaves headers and statuses to `http`, words to `telemetry`.
//! Whatever is wrong with a credential, it is [`Refused`], and nothing says why: the difference would only help a forger.

mod cache;
mod claims;
mod credentials;
mod file_reader;
mod fresh;
mod gate;
mod header;
mod keys;
mod operator;
mod secret;
mod server_key;
mod server_proof;
mod session;
mod signing;
mod source;
pub mod token_names;

pub use credentials::Credentials;
pub use fresh::{Fresh, Outcome, Report};
pub use gate::{Belief, Gate, Pass, ServerPass, Unverified};
pub use keys::{Algorithm, BadKeys, UnknownAlgorithm};
pub use operator::{Caller, LOCAL_ADMIN, LocalAdmin, Operators};
pub use secret::{random_name, random_number, random_secret};
pub use server_key::ServerKeys;
pub use server_proof::{MAX_NONCE_BYTES, MIN_NONCE_BYTES, ServerProof, TokenId};
pub use session::{Pins, Session, Sessions};
pub use signing::{BadSigningKey, SigningKey};
pub use source::{BadSource, ReadError, Source};

/// The credential is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential is missing or not accepted")]
pub struct Refused;
