//! Reads segment files.

use super::decode::Decoder;
use super::file_header::{check_key, check_version};
use super::files::FlagFiles;
use super::finding::Finding;
use super::limits::{MAX_NODES, MAX_YAML_BYTES};
use super::schema_model::{ID, MapSchema, MinKeys, TEXT, ValueKind, optional, required};
use super::tree::{self, Node};
use super::user_lists::{DOMAIN, EMAIL, Lists};
use super::users_file::users_file;
use crate::flag::{Members, Segment, SegmentKey};

/// A segment file.
pub const SEGMENT: MapSchema = MapSchema {
    what: "a segment",
    keys: &[
        required("version", ValueKind::Version, "The version of the format.").such_as("1"),
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
        lists.add_users(contents.internal_user_ids.iter().map(String::as_str));
    }
    Some(Segment { key: key?, members: lists.members(listed.flatten()) })
}
