//! Credentials: session tokens, server keys, and the keys they are checked with.

mod keys;
mod tokens;
