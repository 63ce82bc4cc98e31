//! A checksum over what passes through.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::ledger::ContentHash;

/// Sums up what passes through.
pub struct HashingWriter<W> {
    pub inner: W,
    pub sum: Sha256,
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The checksum, when all has passed.
pub fn finished(sum: Sha256) -> ContentHash {
    let digest: [u8; 32] = sum.finalize().into();
    digest.into()
}
