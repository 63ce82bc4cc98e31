//! How others know that something came from here and is whole: HMAC-SHA256 with a secret that both sides have.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};

/// What is shorter than the hash could be guessed more easily than the hash.
pub const MIN_SECRET_BYTES: usize = 32;
const MAX_SECRET_BYTES: usize = 4096;

/// A secret to sign with; it stands in no `Debug`.
#[derive(Clone)]
pub struct SigningKey(Key);

/// The file holds no secret to sign with.
#[derive(Debug, thiserror::Error)]
pub enum BadSigningKey {
    #[error("cannot read it: {0}")]
    File(#[source] io::Error),
    #[error("it has fewer than {MIN_SECRET_BYTES} bytes; make one with: openssl rand -hex 32")]
    TooShort,
    #[error("it has more than {MAX_SECRET_BYTES} bytes")]
    TooLong,
}

impl SigningKey {
    /// The content of a file, without the white space around it.
    pub fn read(path: &Path) -> Result<SigningKey, BadSigningKey> {
        let mut secret = Vec::new();
        let file = File::open(path).map_err(BadSigningKey::File)?;
        file.take(MAX_SECRET_BYTES as u64 + 1).read_to_end(&mut secret).map_err(BadSigningKey::File)?;
        SigningKey::of(&secret)
    }

    pub fn of(secret: &[u8]) -> Result<SigningKey, BadSigningKey> {
        match secret.trim_ascii() {
            _ if secret.len() > MAX_SECRET_BYTES => Err(BadSigningKey::TooLong),
            secret if secret.len() < MIN_SECRET_BYTES => Err(BadSigningKey::TooShort),
            secret => Ok(SigningKey(Key::new(HMAC_SHA256, secret))),
        }
    }

    /// The signature of these parts one after the other, in hex.
    pub fn sign(&self, parts: &[&[u8]]) -> String {
        let mut signing = Context::with_key(&self.0);
        parts.iter().for_each(|part| signing.update(part));
        signing.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}
