//! What was in force last, on local disk: served when the database is not there at a start.
//!
//! The file is a checksum over all that follows, a line of JSON, and the texts it speaks of, one after another. It is checked whole, and no
//! more of it is in memory than is asked for: mostly the line, as the database is there and the texts are too.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::replace;
use crate::flag::{FlagKey, SegmentKey};
use crate::regular_file;
use crate::truth::{Book, ContentId, Credential, FlagRecord, Head, SegmentRecord, Texts};

const MAGIC: &str = "turnout-last-good-2 ";
/// The magic, the checksum in hex and the end of their line.
const HEAD: usize = MAGIC.len() + 65;

/// A state that was live.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastGood {
    pub epoch: String,
    pub head: Head,
    pub flags: Vec<(FlagKey, FlagRecord, u64)>,
    pub segments: Vec<(SegmentKey, SegmentRecord, u64)>,
    pub tokens: Vec<Credential>,
    /// Each with its length, in the order in which they follow.
    texts: Vec<(ContentId, usize)>,
    #[serde(skip)]
    kept: Option<Kept>,
}

/// Where the texts are.
#[derive(Debug)]
struct Kept {
    file: File,
    begin: u64,
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
    /// Puts a book and these tokens in the place of the one before, whole or not at all.
    pub fn write(path: &Path, epoch: &str, book: &Book, tokens: &[Credential]) -> io::Result<()> {
        let last_good = LastGood {
            epoch: epoch.to_owned(),
            head: book.head,
            flags: book.flags().map(|(key, entry)| (key.clone(), entry.record.clone(), entry.changed_at)).collect(),
            segments: book.segments().map(|(key, entry)| (key.clone(), entry.record.clone(), entry.changed_at)).collect(),
            tokens: tokens.to_vec(),
            texts: book.texts().iter().map(|(id, text)| (*id, text.len())).collect(),
            kept: None,
        };
        replace(path, |file| {
            // The checksum comes first in the file and is known last.
            file.write_all(&[b' '; HEAD])?;
            let mut writer = BufWriter::new(Summing { inner: file, sum: Sha256::new() });
            serde_json::to_writer(&mut writer, &last_good)?;
            writer.write_all(b"\n")?;
            book.texts().values().try_for_each(|text| writer.write_all(text))?;
            let Summing { inner: file, sum } = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{MAGIC}{}", finished(sum))
        })
    }

    /// `None` if there never was one.
    pub fn read(path: &Path) -> Result<Option<LastGood>, LastGoodError> {
        let mut file = match regular_file::open(path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut head = Vec::with_capacity(HEAD);
        file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        let head = std::str::from_utf8(&head).ok();
        let stated: Option<ContentId> = head.and_then(|head| head.strip_prefix(MAGIC)?.trim_end().parse().ok());
        let mut summing = Summing { inner: io::sink(), sum: Sha256::new() };
        io::copy(&mut file, &mut summing)?;
        if stated != Some(finished(summing.sum)) {
            return Err(LastGoodError::Damaged);
        }
        file.seek(SeekFrom::Start(HEAD as u64))?;
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line)?;
        let mut last_good: LastGood = serde_json::from_slice(&line)?;
        last_good.kept = Some(Kept { file: file.into_inner(), begin: (HEAD + line.len()) as u64 });
        Ok(Some(last_good))
    }

    /// The texts of these names, as far as it has them; those `at_hand` are not read again.
    pub fn texts(&self, wanted: impl Fn(ContentId) -> bool, at_hand: &Texts) -> io::Result<Texts> {
        let mut texts = Texts::new();
        let Some(Kept { file, begin }) = &self.kept else { return Ok(texts) };
        let mut next = *begin;
        for (id, length) in &self.texts {
            let from = next;
            next += *length as u64;
            if !wanted(*id) {
                continue;
            }
            let text = match at_hand.get(id) {
                Some(text) => text.clone(),
                None => {
                    let mut bytes = vec![0; *length];
                    file.read_exact_at(&mut bytes, from)?;
                    Bytes::from(bytes)
                }
            };
            texts.insert(*id, text);
        }
        Ok(texts)
    }
}

fn finished(sum: Sha256) -> ContentId {
    let digest: [u8; 32] = sum.finalize().into();
    digest.into()
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
