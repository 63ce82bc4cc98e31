//! Credentials: session tokens, server keys, and the keys they are checked with; tokens of
//! operators, and how they end.

mod credentials;
mod empty_bodies;
mod key_problems;
mod keys;
mod own_keys;
mod own_sessions;
mod readings;
mod revocations;
mod session_revocations;
mod tokens;
