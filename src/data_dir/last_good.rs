//! What was in force last, on local disk: served when the database is not there at a start.
//!
//! The first line is the format, the lowest format that may read it, which state it is, and a
//! checksum over all that follows. The state has a checksum of its own, so a file that is damaged
//! further on still names the newest head there was. Then come a line of JSON and the texts it
//! speaks of, one after another. The file is checked whole, and no more of it is in memory than is
//! asked for: mostly the lines, as the database is there and the texts are too.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::in_place::FileId;
use super::{replace, set_aside};
use crate::flag::{FlagKey, SegmentKey};
use crate::ledger::{
    Blobs, Catalog, ContentHash, Credential, FlagRecord, Head, KnownHead, SegmentRecord, Unknown,
};
use crate::regular_file;

const MAGIC: &str = "turnout-last-good-";
/// The format this build writes, and the lowest that may read it. It reads format 2 as well.
const FORMAT: u32 = 3;
const MIN_READER: u32 = 3;
/// Longer than any first line.
const MAX_LINE: u64 = 1024;

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
    texts: Vec<(ContentHash, usize)>,
    /// What a newer build wrote beside.
    #[serde(flatten)]
    pub unknown: Unknown,
    #[serde(skip)]
    format: u32,
    #[serde(skip)]
    kept: Option<BlobSection>,
}

/// Where the texts are.
#[derive(Debug)]
struct BlobSection {
    file: File,
    begin: u64,
}

/// What is kept beside a book.
#[derive(Debug)]
pub struct Beside<'a> {
    pub tokens: &'a [Credential],
    pub committed: Vec<String>,
    pub unknown: &'a Unknown,
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

/// The file in the data folder, and the one before it.
#[derive(Debug)]
pub struct LastGoodFile {
    path: PathBuf,
    /// The one at the path if it is known to be good, and its head.
    good: Option<(FileId, Head)>,
    is_of_newer_build: bool,
}

/// Why it is not written.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a newer build wrote it, and it is left as it is")]
    OfNewerBuild,
}

impl LastGoodFile {
    /// Reads both and changes nothing.
    pub fn look(path: &Path) -> (LastGoodFile, FoundLastGood, FoundLastGood) {
        let found = read(path);
        let good = match &found {
            FoundLastGood::Good(last_good) => FileId::at(path).map(|id| (id, last_good.head)),
            _ => None,
        };
        let is_of_newer_build = matches!(found, FoundLastGood::OfNewerBuild { .. });
        let file = LastGoodFile { path: path.to_owned(), good, is_of_newer_build };
        let earlier = read(&file.previous_path());
        (file, found, earlier)
    }

    /// The state before the last one.
    pub fn previous_path(&self) -> PathBuf {
        self.path.with_extension("1")
    }

    /// Keeps a file that is damaged, or of another history, beside it for a person to look at. It
    /// is not the state before the next one.
    pub fn set_aside(&mut self) -> io::Result<()> {
        self.good = None;
        set_aside(&self.path, "damaged")
    }

    /// Keeps a newer build's file beside it, so that this build may write its own: a person decided
    /// so.
    pub fn set_newer_aside(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_of_newer_build) {
            set_aside(&self.path, "newer")
        } else {
            Ok(())
        }
    }

    /// Whether the file at the path is known to be of a later revision than this.
    pub fn is_newer_than(&self, revision: u64) -> bool {
        self.good.as_ref().is_some_and(|(_, head)| head.revision > revision) && self.is_in_place()
    }

    /// Whether the file that was written last is the one at its path.
    pub fn is_in_place(&self) -> bool {
        self.good.as_ref().is_none_or(|(id, _)| FileId::at(&self.path) == Some(*id))
    }

    /// Puts a book and these tokens in the place of the one before, whole or not at all. The one
    /// before is kept as long as it is of another head: what stands beside the last good state is
    /// always an earlier one.
    pub fn write(
        &mut self,
        epoch: &str,
        catalog: &Catalog,
        beside: Beside<'_>,
    ) -> Result<(), LastGoodError> {
        if self.is_of_newer_build && !matches!(read(&self.path), FoundLastGood::Absent) {
            return Err(LastGoodError::OfNewerBuild);
        }
        let last_good = LastGood {
            epoch: epoch.to_owned(),
            head: catalog.head,
            flags: catalog
                .flags()
                .map(|(key, entry)| (key.clone(), entry.record.clone(), entry.changed_at))
                .collect(),
            segments: catalog
                .segments()
                .map(|(key, entry)| (key.clone(), entry.record.clone(), entry.changed_at))
                .collect(),
            tokens: beside.tokens.to_vec(),
            committed: beside.committed,
            texts: catalog.blobs().iter().map(|(id, text)| (*id, text.len())).collect(),
            unknown: beside.unknown.clone(),
            format: FORMAT,
            kept: None,
        };
        let before = self.good.take();
        if let Some((id, head)) = &before
            && head.hash != catalog.head.hash
            && FileId::at(&self.path) == Some(*id)
        {
            self.keep_as_earlier()?;
        }
        self.good = before;
        let id = replace(&self.path, |file| {
            last_good.write_to(file, catalog.blobs())?;
            FileId::of(file)
        })?;
        (self.good, self.is_of_newer_build) = (Some((id, catalog.head)), false);
        Ok(())
    }

    fn keep_as_earlier(&self) -> io::Result<()> {
        let (earlier, beside) = (self.previous_path(), self.path.with_extension("1.new"));
        match fs::remove_file(&beside) {
            // To copy to a link would write through it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // A second name of the same file; not every file system has them.
        fs::hard_link(&self.path, &beside).or_else(|_| fs::copy(&self.path, &beside).map(drop))?;
        fs::rename(&beside, &earlier)
    }
}

impl LastGood {
    /// Whether a build wrote it whose journal has no header.
    pub fn is_of_format_before(&self) -> bool {
        self.format < FORMAT
    }

    pub fn known(&self) -> KnownHead {
        KnownHead { epoch: self.epoch.clone(), head: self.head }
    }

    fn write_to(&self, file: &mut File, texts: &Blobs) -> io::Result<()> {
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

fn read(path: &Path) -> FoundLastGood {
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

/// What the first line says.
struct FileHeader {
    format: u32,
    min_reader: u32,
    sum: ContentHash,
}

impl FileHeader {
    fn parse(line: &[u8]) -> Option<FileHeader> {
        let line = std::str::from_utf8(line).ok()?.trim_end();
        let (named, sum) = line.strip_prefix(MAGIC)?.split_once(' ')?;
        let formats = named.split(',').next()?;
        let (format, min_reader) = formats.split_once('.').unwrap_or((formats, formats));
        let (format, min_reader) = (format.parse().ok()?, min_reader.parse().ok()?);
        // Of a newer format all is left to the newer build, its checksum too.
        let sum = sum.parse().ok().or((min_reader > FORMAT).then(|| ContentHash::from([0; 32])))?;
        Some(FileHeader { format, min_reader, sum })
    }
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

/// As it stands in the first line: without a space, and with its own checksum at the end.
fn state_in_words(KnownHead { epoch, head }: &KnownHead) -> String {
    let state = format!("{epoch},{},{},{}", head.revision, head.hash, head.committed_at_ms);
    format!("{state},{}", ContentHash::of(state.as_bytes()))
}

/// `None` also for the format before, which names none.
fn state_named(line: &[u8]) -> Option<KnownHead> {
    let named = std::str::from_utf8(line).ok()?.split(' ').next()?;
    let (state, sum) = named.split_once(',')?.1.rsplit_once(',')?;
    if ContentHash::of(state.as_bytes()) != sum.parse().ok()? {
        return None;
    }
    let [epoch, revision, hash, committed_at_ms] =
        state.split(',').collect::<Vec<_>>().try_into().ok()?;
    let (revision, hash) = (revision.parse().ok()?, hash.parse().ok()?);
    let head = Head { revision, hash, committed_at_ms: committed_at_ms.parse().ok()? };
    Some(KnownHead { epoch: epoch.to_owned(), head })
}

/// With its end; at most [`MAX_LINE`] bytes.
fn line(file: &mut BufReader<File>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    file.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn finished(sum: Sha256) -> ContentHash {
    let digest: [u8; 32] = sum.finalize().into();
    digest.into()
}

/// Sums up what passes through.
struct HashingWriter<W> {
    inner: W,
    sum: Sha256,
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
