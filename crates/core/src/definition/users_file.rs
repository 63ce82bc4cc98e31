//! Reads a `users_file`: a list of ids of its own, one a line.

use std::ops::Range;

use bytes::Bytes;

use super::decode::Decoder;
use super::files::{File, FlagFiles};
use super::finding::{Code, Finding, SourceSpan};
use super::limits::{MAX_FINDINGS, MAX_USERS_FILE_BYTES, MAX_USERS_FILE_IDS};
use super::tree::{self, Kind, Node};
use super::user_id::{BadId, bad_line};

/// The `users_file` that a segment file names, as far as the file can be read.
pub fn users_file_of(bytes: &[u8]) -> Option<String> {
    let Kind::Map(entries) = tree::read("", bytes).ok()?.kind else { return None };
    entries.iter().find_map(|(name, node)| match &node.kind {
        Kind::Scalar { text, .. } if &*name.text == "users_file" && is_inside(text) => {
            Some(text.to_string())
        }
        _ => None,
    })
}

/// Reads the file that the segment names, and checks every line of it.
pub fn users_file(
    d: &mut Decoder,
    node: &Node,
    contents: &FlagFiles,
    findings: &mut Vec<Finding>,
) -> Option<Bytes> {
    let path = d.scalar(node, "`users_file`")?;
    let mut refuse = |message: String, hint: &str| {
        d.report(node.place, Code::UsersFile, message, Some(hint.to_owned()));
        None
    };
    if !is_inside(path) {
        return refuse(
            "not a path inside the flags folder".to_owned(),
            "write it relative to the flags folder, without `..`",
        );
    }
    match contents.files.get(path) {
        None => refuse(
            format!("there is no file `{path}` in the flags folder"),
            "one id a line; the path starts at the flags folder",
        ),
        Some(File::Unreadable { why }) => {
            refuse(format!("`{path}` cannot be read: {why}"), "check its permissions")
        }
        Some(File::TooLarge { bytes }) => refuse(
            format!("`{path}` has {bytes} bytes; a users_file may have {MAX_USERS_FILE_BYTES}"),
            "split the segment",
        ),
        Some(File::Text(text)) => {
            let before = findings.len();
            check_lines(path, &text.bytes, findings);
            (findings.len() == before).then(|| text.bytes.clone())
        }
    }
}

/// A relative path of plain parts.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(|c: char| c == '\\' || c.is_control())
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn check_lines(path: &str, bytes: &[u8], findings: &mut Vec<Finding>) {
    // As everywhere, positions count from behind a byte order mark.
    let text_starts = text_start(bytes);
    let mut report = |start: usize, line: usize, code, message: String, hint: &str| {
        let start = start.saturating_sub(text_starts) as u32;
        let place = SourceSpan { line: line as u32, column: 1, start, end: start };
        findings.push(Finding {
            place: Some(place),
            ..Finding::of_file(path, code, message).with_hint(hint)
        });
    };
    if bytes.len() > MAX_USERS_FILE_BYTES {
        return report(
            0,
            1,
            Code::TooLarge,
            format!("more than {MAX_USERS_FILE_BYTES} bytes"),
            "split the segment",
        );
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        let good = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
        let line = bytes[..good].iter().filter(|b| **b == b'\n').count() + 1;
        return report(
            good,
            line,
            Code::NotUtf8,
            "a byte that is not UTF-8".into(),
            "save the file as UTF-8, one id a line",
        );
    };
    let mut ids = 0;
    let mut faults = 0;
    let mut line = 1;
    let mut counted_to = 0;
    for range in lines(bytes) {
        line += bytes[counted_to..range.start].iter().filter(|b| **b == b'\n').count();
        counted_to = range.start;
        ids += 1;
        if let Some(BadId { message, hint }) = bad_line(&text[range.clone()]) {
            report(range.start, line, Code::BadId, message, hint);
            faults += 1;
        }
        if ids > MAX_USERS_FILE_IDS {
            return report(
                range.start,
                line,
                Code::TooMany,
                format!("more than {MAX_USERS_FILE_IDS} ids"),
                "split the segment",
            );
        }
        if faults >= MAX_FINDINGS {
            return;
        }
    }
}

/// The offset of a text's first character: behind its byte order mark, if it has one.
fn text_start(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}

/// The ranges of the ids in a `users_file`: its lines without their ends. Empty lines and a byte
/// order mark are skipped.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + Clone {
    let mut start = text_start(bytes);
    std::iter::from_fn(move || {
        while start < bytes.len() {
            let newline = bytes[start..]
                .iter()
                .position(|b| *b == b'\n')
                .map_or(bytes.len(), |at| start + at);
            let end =
                if newline > start && bytes[newline - 1] == b'\r' { newline - 1 } else { newline };
            let line = start..end;
            start = newline + 1;
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    })
}
