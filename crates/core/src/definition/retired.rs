//! The flags that were given up: `retired.txt` in the flags folder, one key a line.
//!
//! A file that is gone says nothing: it may be gone by mistake, so its flag stays. A line here says
//! that the flag is to go, and it keeps the key from being taken again: an old client would get the
//! answers of another feature.

use std::collections::BTreeSet;

use super::files::{File, FlagFiles};
use super::finding::{Code, Finding};
use super::limits::{MAX_FINDINGS, MAX_YAML_BYTES};
use crate::flag::FlagKey;

/// The file's path inside the flags folder.
pub const RETIRED_FILE: &str = "retired.txt";

/// The keys of the list, and what is wrong with it. A list that cannot be read is `None`: it says
/// nothing, and the one before it stays.
pub fn read_retired(contents: &FlagFiles) -> (Option<BTreeSet<FlagKey>>, Vec<Finding>) {
    let finding = |code, message: String| {
        Finding::of_file(RETIRED_FILE, code, message)
            .with_hint("the list as it last was stays in force")
    };
    match contents.files.get(RETIRED_FILE) {
        None => (Some(BTreeSet::new()), Vec::new()),
        Some(File::Text(text)) => {
            let (keys, bad) = keys(&text.bytes);
            (Some(keys), bad.into_iter().take(MAX_FINDINGS).map(no_key).collect())
        }
        Some(File::TooLarge { bytes }) => {
            let message = format!("{bytes} bytes; the list may have {MAX_YAML_BYTES}");
            (None, vec![finding(Code::TooLarge, message)])
        }
        Some(File::Unreadable { why }) => {
            (None, vec![finding(Code::UnreadableFile, format!("cannot be read: {why}"))])
        }
    }
}

/// The keys, and the lines that are none. What follows a `#` is for people.
fn keys(bytes: &[u8]) -> (BTreeSet<FlagKey>, Vec<usize>) {
    let (mut keys, mut bad) = (BTreeSet::new(), Vec::new());
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let written = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        match str::from_utf8(written.trim_ascii()) {
            Ok("") => {}
            Ok(text) => match text.parse() {
                Ok(key) => drop(keys.insert(key)),
                Err(_) => bad.push(index + 1),
            },
            Err(_) => bad.push(index + 1),
        }
    }
    (keys, bad)
}

/// The line is not quoted: a list of users may have been meant.
fn no_key(line: usize) -> Finding {
    Finding::of_file(RETIRED_FILE, Code::BadName, format!("line {line} is not a flag's key"))
        .with_hint("write one key a line; what follows a # is for people")
}

/// A file for a key that was given up.
pub fn retired_key(path: &str, key: &FlagKey) -> Finding {
    Finding::of_file(path, Code::RetiredKey, format!("`{key}` is retired: {RETIRED_FILE} lists it"))
        .with_hint(format!(
            "take another key: clients of the old flag would follow this one; or say that they may, and take `{key}` off the list"
        ))
}
