//! What was in force last, on local disk: served when the database is not there at a start.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::replace;
use crate::flag::{FlagKey, SegmentKey};
use crate::token::Credential;
use crate::truth::{Book, ContentId, FlagRecord, Head, SegmentRecord};

const MAGIC: &str = "turnout-last-good-1 ";

/// A state that was live.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastGood {
    pub epoch: String,
    pub head: Head,
    pub flags: Vec<(FlagKey, FlagRecord, u64)>,
    pub segments: Vec<(SegmentKey, SegmentRecord, u64)>,
    pub texts: Vec<(ContentId, String)>,
    pub tokens: Vec<Credential>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
    #[error("cannot read it")]
    Read(#[from] io::Error),
    #[error("its checksum does not fit: it is damaged")]
    Damaged,
    #[error("it does not read")]
    Json(#[from] serde_json::Error),
}

impl LastGood {
    pub fn of(epoch: &str, book: &Book, tokens: &[Credential]) -> LastGood {
        let text = |bytes: &bytes::Bytes| String::from_utf8_lossy(bytes).into_owned();
        LastGood {
            epoch: epoch.to_owned(),
            head: book.head,
            flags: book.flags().map(|(key, entry)| (key.clone(), entry.record.clone(), entry.changed_at)).collect(),
            segments: book.segments().map(|(key, entry)| (key.clone(), entry.record.clone(), entry.changed_at)).collect(),
            texts: book.texts().iter().map(|(id, bytes)| (*id, text(bytes))).collect(),
            tokens: tokens.to_vec(),
        }
    }

    /// Puts it in the place of the one before, whole or not at all.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        replace(path, |file| {
            // The checksum comes first in the file and is known last.
            file.write_all(&[b' '; MAGIC.len() + 65])?;
            let mut writer = Summing { inner: BufWriter::new(file), sum: Sha256::new() };
            serde_json::to_writer(&mut writer, self)?;
            let Summing { inner, sum } = writer;
            let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
            let digest: [u8; 32] = sum.finalize().into();
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{MAGIC}{}", ContentId::from(digest))
        })
    }

    /// `None` if there never was one.
    pub fn read(path: &Path) -> Result<Option<LastGood>, LastGoodError> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(mut file) => file.read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let head = bytes.get(..MAGIC.len() + 65).and_then(|head| std::str::from_utf8(head).ok());
        let sum: Option<ContentId> = head.and_then(|head| head.strip_prefix(MAGIC)?.trim_end().parse().ok());
        let body = bytes.get(MAGIC.len() + 65..).unwrap_or_default();
        if sum != Some(ContentId::of(body)) {
            return Err(LastGoodError::Damaged);
        }
        Ok(Some(serde_json::from_slice(body)?))
    }
}

/// Sums up what passes through.
struct Summing<W> {
    inner: W,
    sum: Sha256,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
