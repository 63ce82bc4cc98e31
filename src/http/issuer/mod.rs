//! Sessions and tokens of our own: who gets one, and the keys they are checked with; and whose sessions
//! are revoked, by whomever they were issued. How they are signed is decided in `auth`.

mod answer;
mod body;
mod context;
mod jwks;
mod revoke;
mod session;
mod token;

pub use context::TokenContext;
pub use jwks::{JWKS_PATH, jwks};
pub use revoke::{REVOKE_PATH, revoke, revoked};
pub use session::{SESSIONS_PATH, create, made};
pub use token::{TOKEN_PATH, is_realtime, token};
