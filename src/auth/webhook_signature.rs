//! How receivers know that a message came from here and is whole: HMAC-SHA256 with a secret that
//! both sides have.

use std::io;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};

use crate::regular_file;
use crate::time_limit::within;

/// A secret shorter than the hash could be guessed more easily than the hash.
pub const MIN_SECRET_BYTES: usize = 32;
const MAX_SECRET_BYTES: usize = 4096;
/// How long the disk or mount that holds the file may take.
const READ_AT_MOST: Duration = Duration::from_secs(5);

/// A secret to sign with; its `Debug` does not show it.
#[derive(Clone)]
pub struct SigningKey(Key);

/// The file does not hold a secret to sign with.
#[derive(Debug, thiserror::Error)]
pub enum BadSigningKey {
    #[error("cannot read it: {0}")]
    File(#[source] io::Error),
    #[error("it was not read within {} s; see to the disk or mount it lies on", READ_AT_MOST.as_secs())]
    Silent,
    #[error("it has fewer than {MIN_SECRET_BYTES} bytes; make one with: openssl rand -hex 32")]
    TooShort,
    #[error("it has more than {MAX_SECRET_BYTES} bytes")]
    TooLong,
}

impl SigningKey {
    /// The content of a file, without surrounding white space.
    pub fn read(path: &Path) -> Result<SigningKey, BadSigningKey> {
        let path = path.to_owned();
        let read = within(READ_AT_MOST, move || regular_file::read(&path, MAX_SECRET_BYTES))
            .ok_or(BadSigningKey::Silent)?;
        SigningKey::of(&read.map_err(BadSigningKey::File)?.ok_or(BadSigningKey::TooLong)?)
    }

    pub fn of(secret: &[u8]) -> Result<SigningKey, BadSigningKey> {
        match secret.trim_ascii() {
            _ if secret.len() > MAX_SECRET_BYTES => Err(BadSigningKey::TooLong),
            secret if secret.len() < MIN_SECRET_BYTES => Err(BadSigningKey::TooShort),
            secret => Ok(SigningKey(Key::new(HMAC_SHA256, secret))),
        }
    }

    /// The signature of the concatenated parts, in hex.
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
