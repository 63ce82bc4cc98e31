//! Detects whether a save may be unfinished.
//!
//! A file that is being written looks like a shorter file: keys, list entries or lines are missing
//! from its end. No reader can tell that from a deliberate removal, so the folder's watcher waits
//! for a second of quiet after such a save.

use std::collections::HashSet;

use super::files::{File, FlagFiles};
use super::tree::{self, Kind, Node};
use super::users_file::lines;

/// Whether `new` could be an unfinished save over `old`: the file is missing or unreadable, does
/// not end its last line, or lacks something that `old` has.
pub fn may_be_half_written(path: &str, old: Option<&File>, new: Option<&File>) -> bool {
    let Some(File::Text(new)) = new else { return true };
    let old = match old {
        Some(File::Text(old)) => Some(old),
        _ => None,
    };
    if new.bytes.last().is_none_or(|last| *last != b'\n') {
        return true;
    }
    if FlagFiles::subject(path).is_none() {
        return old.is_some_and(|old| removes_lines(&old.bytes, &new.bytes));
    }
    let Ok(new) = tree::read(path, &new.bytes) else { return true };
    old.and_then(|old| tree::read(path, &old.bytes).ok()).is_some_and(|old| removes(&old, &new))
}

fn removes_lines(old: &[u8], new: &[u8]) -> bool {
    if new.starts_with(old) {
        return false;
    }
    let kept: HashSet<&[u8]> = lines(new).map(|line| &new[line]).collect();
    lines(old).any(|line| !kept.contains(&old[line]))
}

/// Whether `new` lacks a key or list entry of `old`. A changed value removes nothing.
fn removes(old: &Node, new: &Node) -> bool {
    match (&old.kind, &new.kind) {
        (Kind::Map(old), Kind::Map(new)) => old.iter().any(|(name, old)| {
            let kept = new.iter().find(|(other, _)| other.text == name.text);
            kept.is_none_or(|(_, new)| removes(old, new))
        }),
        (Kind::List(old), Kind::List(new)) if new.len() < old.len() => true,
        (Kind::List(old), Kind::List(new)) => {
            let words: HashSet<&str> = new.iter().filter_map(scalar).collect();
            old.iter().enumerate().any(|(index, old)| match scalar(old) {
                Some(text) => !words.contains(text),
                // An entry mostly stays where it was; otherwise it may have moved.
                None => {
                    let same_place = new.get(index).is_some_and(|new| !removes(old, new));
                    !same_place
                        && !new.iter().any(|new| scalar(new).is_none() && !removes(old, new))
                }
            })
        }
        (Kind::Scalar { .. }, Kind::Scalar { .. }) => false,
        _ => true,
    }
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar { text, .. } => Some(text),
        _ => None,
    }
}
