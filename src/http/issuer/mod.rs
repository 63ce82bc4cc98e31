//! Sessions and tokens of our own: who gets one, and the keys they are checked with. How they are
//! signed is decided in `auth`.

mod jwks;
mod session;

pub use jwks::{JWKS_PATH, jwks};
pub use session::{SESSIONS_PATH, create, made};
