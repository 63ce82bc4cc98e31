//! Reads segment files, the lists of users in them and in entries, and the segments a flag names.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::decode::{Decoder, Mapping};
use super::files::{File, FlagFiles};
use super::finding::{Code, Finding, SourceSpan};
use super::flag_file::{check_key, check_version};
use super::limits::{
    MAX_ENTRIES, MAX_FINDINGS, MAX_NODES, MAX_USERS_FILE_BYTES, MAX_USERS_FILE_IDS, MAX_YAML_BYTES,
};
use super::schema_model::{ID, MapSchema, MinKeys, TEXT, ValueKind, optional, required};
use super::tree::{self, Kind, Node};
use crate::flag::{IdSet, MAX_ID_BYTES, Members, Segment, SegmentIndex, SegmentKey};

/// A segment file.
pub const SEGMENT: MapSchema = MapSchema {
    what: "a segment",
    keys: &[
        required("version", ValueKind::Version, "The version of the format."),
        required(
            "segment",
            ValueKind::Pattern(SegmentKey::PATTERN),
            "The segment's key: the file's name without `.yaml`.",
        ),
        optional("description", TEXT, "Who they are, for people."),
        optional("owner", TEXT, "Who answers for it, for people."),
        optional("users", ValueKind::List(&ID, MAX_NODES), "Targeting keys, byte for byte."),
        optional(
            "users_file",
            ValueKind::Text(1, MAX_YAML_BYTES),
            "A text file with one id a line, by its path inside the flags folder.",
        ),
        optional(
            "emails",
            ValueKind::List(&EMAIL, MAX_NODES),
            "Whole addresses; verified ones only, except in `deny`.",
        ),
        optional(
            "domains",
            ValueKind::List(&DOMAIN, MAX_NODES),
            "Exact domains of addresses, no subdomains.",
        ),
    ],
    least: MinKeys::Nothing,
};
/// Addresses and domains as far as a pattern can check; the reader checks blanks too.
pub const EMAIL: ValueKind = ValueKind::Pattern(r"[\s\S]+@[^@ *.][^@ *]*");
pub const DOMAIN: ValueKind = ValueKind::Pattern("[^@ *.][^@ *]*");

/// The segment whose users `INTERNAL_USER_IDS` adds to.
pub const INTERNAL: &str = "internal";

/// Reads one segment file and the `users_file` it names.
pub fn read_segment(
    file: &str,
    stem: &str,
    bytes: &[u8],
    contents: &FlagFiles,
) -> Result<Segment, Vec<Finding>> {
    let root = tree::read(file, bytes).map_err(|finding| vec![finding])?;
    let mut d = Decoder::new(file);
    let mut in_users_file = Vec::new();
    let segment = segment(&mut d, &root, stem, contents, &mut in_users_file);
    let mut findings = d.finish();
    findings.append(&mut in_users_file);
    segment.filter(|_| findings.is_empty()).ok_or(findings)
}

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

/// The segment that `INTERNAL_USER_IDS` makes when there is no file for it.
pub fn internal_segment(key: SegmentKey, contents: &FlagFiles) -> Segment {
    let users = contents.internal_user_ids.iter().map(String::as_str).collect();
    Segment { key, members: Members { users, ..Members::default() } }
}

fn segment(
    d: &mut Decoder,
    root: &Node,
    stem: &str,
    contents: &FlagFiles,
    in_file: &mut Vec<Finding>,
) -> Option<Segment> {
    let record = d.record(root, &SEGMENT)?;
    check_version(d, record);
    let key = check_key::<SegmentKey>(d, record, "segment", stem);
    for what in ["description", "owner"] {
        record.get(what).and_then(|node| d.text(node, what));
    }
    let mut lists = Lists::read(d, record);
    let listed = record.get("users_file").map(|node| users_file(d, node, contents, in_file));
    if stem == INTERNAL {
        lists.users.extend(contents.internal_user_ids.iter().map(String::as_str));
    }
    Some(Segment { key: key?, members: lists.members(listed.flatten()) })
}

/// The lists in a record, as texts.
#[derive(Default)]
pub struct Lists<'n> {
    users: Vec<&'n str>,
    emails: Vec<String>,
    domains: Vec<String>,
}

impl<'n> Lists<'n> {
    pub const KEYS: [&'static str; 3] = ["users", "emails", "domains"];

    pub fn read(d: &mut Decoder, record: Mapping<'n>) -> Lists<'n> {
        let mut texts =
            |key| record.get(key).and_then(|node| d.list(node, key, MAX_NODES)).unwrap_or_default();
        let (users, emails, domains) = (texts("users"), texts("emails"), texts("domains"));
        Lists {
            users: users.iter().filter_map(|node| id(d, node)).collect(),
            emails: emails
                .iter()
                .filter_map(|node| {
                    address(
                        d,
                        node,
                        is_address,
                        "an address has a name, an `@` and a whole domain, and no blanks",
                    )
                })
                .collect(),
            domains: domains
                .iter()
                .filter_map(|node| address(d, node, is_domain, wanted_of_domain(node)))
                .collect(),
        }
    }

    pub fn members(self, users_file: Option<Bytes>) -> Members {
        let set = |texts: &[String]| texts.iter().map(String::as_str).collect();
        Members {
            users: self.user_set(users_file),
            emails: set(&self.emails),
            domains: set(&self.domains),
        }
    }

    fn user_set(&self, users_file: Option<Bytes>) -> IdSet {
        let Some(file) = users_file else { return self.users.iter().copied().collect() };
        IdSet::over(file.clone(), lines(&file), self.users.iter().copied())
    }
}

/// An id of a list. Its text is never part of a message.
fn id<'n>(d: &mut Decoder, node: &'n Node) -> Option<&'n str> {
    let text = d.scalar(node, "an id")?;
    if let Some(BadId { message, hint }) = bad_id(text) {
        d.report(node.place, Code::BadId, message, Some(hint.to_owned()));
        return None;
    }
    Some(text)
}

/// What is wrong with an id.
struct BadId {
    message: String,
    hint: &'static str,
}

/// What no list may contain, in YAML or in a `users_file`. The caller decides about blanks around
/// an id.
fn bad_id(text: &str) -> Option<BadId> {
    if !(1..=MAX_ID_BYTES).contains(&text.len()) {
        let message = format!("an id has 1 to {MAX_ID_BYTES} bytes, this one {}", text.len());
        return Some(BadId { message, hint: "list each id by itself" });
    }
    text.contains(char::is_control).then(|| BadId {
        message: "an id with a control character in it".to_owned(),
        hint: "ids are compared byte for byte: leave out what is not part of it",
    })
}

/// Checks a line of a `users_file`. Blanks around an id are invisible here, and refused; in YAML
/// they stand in quotes, and are meant.
fn bad_line(text: &str) -> Option<BadId> {
    bad_id(text).or_else(|| {
        (text.trim() != text).then(|| BadId {
            message: "an id with blanks around it".to_owned(),
            hint: "ids are compared byte for byte: one a line, no blanks",
        })
    })
}

/// An address or domain, in ASCII lower case.
fn address(
    d: &mut Decoder,
    node: &Node,
    accepts: fn(&str) -> bool,
    wanted: &str,
) -> Option<String> {
    let text = d.scalar(node, "an address")?;
    if !accepts(text) {
        let hint = format!(
            "{wanted}; it has at most {MAX_ID_BYTES} bytes in all, and quotes are needed if it starts with `@`"
        );
        d.report(
            node.place,
            Code::BadAddress,
            "not an address or domain as listed here",
            Some(hint),
        );
        return None;
    }
    Some(text.to_ascii_lowercase())
}

/// A set stores up to [`MAX_ID_BYTES`] bytes of each entry, which no real address exceeds. A local
/// part may contain an `@` of its own, in quotes (RFC 5321).
fn is_address(text: &str) -> bool {
    let (name, domain) = text.rsplit_once('@').unwrap_or_default();
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    text.len() <= MAX_ID_BYTES && is_name && is_domain(domain)
}

fn is_domain(text: &str) -> bool {
    let is_text = !text.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control());
    (1..=MAX_ID_BYTES).contains(&text.len()) && is_text && !means_subdomains(text)
}

/// Domains match exactly, so a pattern for subdomains would match no user.
fn means_subdomains(text: &str) -> bool {
    text.starts_with('.') || text.contains('*')
}

fn wanted_of_domain(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Scalar { text, .. } if means_subdomains(text) => {
            "domains match exactly; list each subdomain"
        }
        _ => "a domain has no `@` and no blanks",
    }
}

fn users_file(
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

/// The segments a flag names, without repetition, in the order of first use.
#[derive(Default)]
pub struct SegmentNames {
    pub uses: Vec<(SegmentKey, SourceSpan)>,
    index: HashMap<SegmentKey, SegmentIndex>,
}

impl SegmentNames {
    /// Reads one name.
    pub fn read(&mut self, d: &mut Decoder, node: &Node) -> Option<SegmentIndex> {
        let key: SegmentKey = d.name(node, "a segment's key")?;
        if let Some(index) = self.index.get(&key) {
            return Some(*index);
        }
        if self.uses.len() == MAX_ENTRIES {
            d.report(
                node.place,
                Code::TooMany,
                format!("a flag names at most {MAX_ENTRIES} segments"),
                None,
            );
            return None;
        }
        self.index.insert(key.clone(), self.uses.len());
        self.uses.push((key, node.place));
        Some(self.uses.len() - 1)
    }

    /// Reads one name or a list of names.
    pub fn read_any(&mut self, d: &mut Decoder, node: &Node) -> Option<Vec<SegmentIndex>> {
        match &node.kind {
            Kind::List(items) => {
                let indices: Vec<_> = items.iter().map(|item| self.read(d, item)).collect();
                indices.into_iter().collect()
            }
            _ => self.read(d, node).map(|index| vec![index]),
        }
    }
}
