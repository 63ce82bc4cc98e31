//! Files that look like Turnout's and are not read, as they lie in the wrong place.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::definition::{Code, Finding, FlagFiles};

/// Folders of complete folders of flags, which are checked by their own names.
const EXAMPLES: &str = "examples";
/// So many files are named.
const MAX_NOTES: usize = 20;
/// So many folders are looked into, and so deep.
const MAX_FOLDERS: usize = 200;
const MAX_DEPTH: usize = 8;

/// A note for each YAML file below the folder that is not read.
pub fn notes(root: &Path, contents: &FlagFiles) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), 0)];
    let mut visited = 0;
    while let Some((folder, depth)) = folders.pop() {
        visited += 1;
        for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                continue;
            };
            let path = format!("{folder}{name}");
            if name.starts_with('.') || path == EXAMPLES {
                continue;
            }
            if kind.is_dir() {
                if depth < MAX_DEPTH && visited + folders.len() < MAX_FOLDERS {
                    folders.push((path + "/", depth + 1));
                }
            } else if is_yaml(Path::new(&name)) && !contents.files.contains_key(&path) {
                found.push(path);
            }
        }
    }
    found.sort_unstable();
    found.truncate(MAX_NOTES);
    found.iter().map(|path| note(path)).collect()
}

/// The note of one file that is not read.
pub fn note(path: &str) -> Finding {
    let message = if is_yaml(Path::new(path)) {
        "this file is not read: flags lie in the folder itself"
    } else {
        "this file is not read: it is no flag, segment or table of tests"
    };
    Finding::of_file(path, Code::UnreadFile, message)
        .with_hint("flags are `KEY.yaml`, segments `segments/KEY.yaml`, tables `tests/NAME.yaml`")
}

fn is_yaml(path: &Path) -> bool {
    matches!(path.extension().and_then(OsStr::to_str), Some("yaml" | "yml"))
}
