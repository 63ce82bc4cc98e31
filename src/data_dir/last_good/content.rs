//! The state in the file: a line of JSON, and the texts it speaks of.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::first_line::{FORMAT, FileHeader, MAGIC, MIN_READER, line, state_in_words, state_named};
use super::hashing::{HashingWriter, finished};
use crate::flag::{FlagKey, SegmentKey};
use crate::ledger::{
    Blobs, ContentHash, Credential, FlagRecord, Head, KnownHead, SegmentRecord, Unknown,
};
use crate::regular_file;

/// A state that was live.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastGood {
    pub epoch: String,
    pub head: Head,
    pub flags: Vec<(FlagKey, FlagRecord, u64)>,
    pub segments: Vec<(SegmentKey, SegmentRecord, u64)>,
    pub tokens: Vec<Credential>,
    /// Names of journal entries that are committed in this state: the journal may still hold them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub committed: Vec<String>,
    /// Each with its length, in the order in which they follow.
    pub(super) texts: Vec<(ContentHash, usize)>,
    /// What a newer build wrote beside.
    #[serde(flatten)]
    pub unknown: Unknown,
    #[serde(skip)]
    pub(super) format: u32,
    #[serde(skip)]
    pub(super) kept: Option<BlobSection>,
}

/// Where the texts are.
#[derive(Debug)]
pub(super) struct BlobSection {
    file: File,
    begin: u64,
}

/// What is found where the file should be.
#[derive(Debug)]
pub enum FoundLastGood {
    Absent,
    Good(LastGood),
    /// It does not read; its first line may still name the state it was.
    Damaged {
        known: Option<KnownHead>,
        why: String,
    },
    /// Of a format that this build must not read: it is left as it is.
    OfNewerBuild {
        format: u32,
    },
}

impl LastGood {
    /// Whether a build wrote it whose journal has no header.
    pub fn is_of_format_before(&self) -> bool {
        self.format < FORMAT
    }

    pub fn known(&self) -> KnownHead {
        KnownHead { epoch: self.epoch.clone(), head: self.head }
    }

    pub(super) fn write_to(&self, file: &mut File, texts: &Blobs) -> io::Result<()> {
        let state = state_in_words(&self.known());
        let first = |sum: ContentHash| format!("{MAGIC}{FORMAT}.{MIN_READER},{state} {sum}\n");
        // The checksum comes first in the file and is known last.
        file.write_all(first(ContentHash::from([0; 32])).as_bytes())?;
        let mut writer = BufWriter::new(HashingWriter { inner: file, sum: Sha256::new() });
        serde_json::to_writer(&mut writer, self)?;
        writer.write_all(b"\n")?;
        texts.values().try_for_each(|text| writer.write_all(text))?;
        let HashingWriter { inner: file, sum } =
            writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(first(finished(sum)).as_bytes())
    }

    /// The texts of these names, as far as it has them; those `cached` are not read again.
    pub fn blobs(&self, wanted: impl Fn(ContentHash) -> bool, cached: &Blobs) -> io::Result<Blobs> {
        let mut texts = Blobs::new();
        let Some(BlobSection { file, begin }) = &self.kept else { return Ok(texts) };
        let mut next = *begin;
        for (id, length) in &self.texts {
            let from = next;
            next += *length as u64;
            if !wanted(*id) {
                continue;
            }
            let text = match cached.get(id) {
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

/// Reads the file that should be there.
pub(super) fn read(path: &Path) -> FoundLastGood {
    let file = match regular_file::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return FoundLastGood::Absent,
        Err(error) => {
            return FoundLastGood::Damaged { known: None, why: format!("cannot be read: {error}") };
        }
    };
    read_from(file).unwrap_or_else(|error| FoundLastGood::Damaged {
        known: None,
        why: format!("does not read: {error}"),
    })
}

fn read_from(mut file: BufReader<File>) -> io::Result<FoundLastGood> {
    let first = line(&mut file)?;
    let begin = first.len() as u64;
    let known = state_named(&first);
    let Some(FileHeader { format, min_reader, sum }) = FileHeader::parse(&first) else {
        return Ok(FoundLastGood::Damaged { known, why: "does not begin as it should".to_owned() });
    };
    if min_reader > FORMAT {
        return Ok(FoundLastGood::OfNewerBuild { format });
    }
    let mut summing = HashingWriter { inner: io::sink(), sum: Sha256::new() };
    io::copy(&mut file, &mut summing)?;
    if sum != finished(summing.sum) {
        return Ok(FoundLastGood::Damaged {
            known,
            why: "is damaged: its checksum does not fit".to_owned(),
        });
    }
    file.seek(SeekFrom::Start(begin))?;
    let mut text = Vec::new();
    file.read_until(b'\n', &mut text)?;
    let written: Written = match serde_json::from_slice(&text) {
        Ok(written) => written,
        Err(error) => {
            return Ok(FoundLastGood::Damaged { known, why: format!("does not read: {error}") });
        }
    };
    let kept = BlobSection { file: file.into_inner(), begin: begin + text.len() as u64 };
    Ok(FoundLastGood::Good(LastGood { format, ..written.last_good(kept) }))
}

/// The file as another build may have written it: one record that does not read is no reason to
/// lose the others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    epoch: String,
    head: Head,
    flags: Vec<Json>,
    segments: Vec<Json>,
    tokens: Vec<Json>,
    #[serde(default)]
    committed: Vec<String>,
    texts: Vec<(ContentHash, usize)>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Written {
    fn last_good(self, kept: BlobSection) -> LastGood {
        let Written { epoch, head, flags, segments, tokens, committed, texts, unknown } = self;
        let flag = |row: &Json| {
            let (record, _) = FlagRecord::as_far_as_it_reads(row.get(1)?, head.committed_at_ms);
            Some((row.get(0)?.as_str()?.parse().ok()?, record, row.get(2)?.as_u64()?))
        };
        // A segment without a good form makes the flags that name it answer `polling`.
        let segment = |row: &Json| {
            let record = SegmentRecord::deserialize(row.get(1)?).unwrap_or_default();
            Some((row.get(0)?.as_str()?.parse().ok()?, record, row.get(2)?.as_u64()?))
        };
        LastGood {
            flags: flags.iter().filter_map(flag).collect(),
            segments: segments.iter().filter_map(segment).collect(),
            // A credential that does not read is not accepted.
            tokens: tokens.iter().filter_map(|token| Credential::deserialize(token).ok()).collect(),
            epoch,
            head,
            committed,
            texts,
            unknown,
            format: FORMAT,
            kept: Some(kept),
        }
    }
}
