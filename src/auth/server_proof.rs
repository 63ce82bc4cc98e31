//! How a server proves that it is the one a token is for, before the token is sent to it: it knows
//! the token's hash. A program that took the port of a server that is down does not.
//!
//! The proof covers the address the server listens on, so that a program on another port cannot
//! relay the question and the answer.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::SigningKey;
use crate::ledger::ContentHash;

/// The shortest nonce, in bytes: too long for the answers to all nonces to be collected.
pub const MIN_NONCE_BYTES: usize = 32;
pub const MAX_NONCE_BYTES: usize = 128;

/// The expected answer to one nonce.
#[derive(Clone, Debug)]
pub struct ServerProof(String);

/// Which token is meant: a part of its hash, too short to compute the proof from. Written in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenId(u64);

impl TokenId {
    pub const DIGITS: usize = 16;

    pub fn of(hash: ContentHash) -> TokenId {
        let [a, b, c, d, e, f, g, h, ..] = hash.bytes();
        TokenId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    pub fn parse(text: &str) -> Option<TokenId> {
        let is_hex =
            text.len() == TokenId::DIGITS && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u64::from_str_radix(text, 16).ok().map(TokenId))?
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl ServerProof {
    /// `None` where the system cannot sign.
    pub fn of(hash: ContentHash, nonce: &str, address: &str) -> Option<ServerProof> {
        let key = SigningKey::of(hash.to_string().as_bytes()).ok()?;
        let length = (nonce.len() as u64).to_be_bytes();
        Some(ServerProof(key.sign(&[
            b"turnout-server-proof-1",
            &length,
            nonce.as_bytes(),
            address.as_bytes(),
        ])))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is(&self, answered: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), answered.as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_valid_for_one_token_one_nonce_and_one_address() {
        let hash = ContentHash::of(b"secret");
        let is = |other_hash: ContentHash, nonce: &str, address: &str| {
            let proof = ServerProof::of(hash, "nonce", "127.0.0.1:7071");
            let other = ServerProof::of(other_hash, nonce, address);
            proof.zip(other).is_some_and(|(proof, other)| proof.is(other.as_str()))
        };
        assert!(is(hash, "nonce", "127.0.0.1:7071"));
        assert!(!is(ContentHash::of(b"other"), "nonce", "127.0.0.1:7071"));
        assert!(!is(hash, "other", "127.0.0.1:7071"));
        assert!(!is(hash, "nonce", "127.0.0.1:7072"));
        assert!(
            !is(hash, "nonce1", "27.0.0.1:7071"),
            "where one ends and the other begins is part of it"
        );
    }

    #[test]
    fn a_token_is_named_by_the_beginning_of_its_hash() {
        let hash = ContentHash::of(b"secret");
        let id = TokenId::of(hash);
        assert!(
            hash.to_string().starts_with(&id.to_string())
                && id.to_string().len() == TokenId::DIGITS
        );
        assert_eq!(TokenId::parse(&id.to_string()), Some(id));
        for wrong in
            ["", "+123456789abcdef", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg"]
        {
            assert_eq!(TokenId::parse(wrong), None, "{wrong}");
        }
    }
}
