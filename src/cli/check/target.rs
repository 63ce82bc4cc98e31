//! Which folder of flags a path belongs to. An editor or a commit hook names single files, which
//! mean something by their place alone.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::definition::FlagFiles;
use crate::flag_files::FlagsDir;

/// A folder of flags, read, and the one file of it that was asked for.
pub struct Target {
    pub root: PathBuf,
    pub only: Option<String>,
    pub contents: FlagFiles,
}

impl Target {
    pub fn of(path: &Path, internal_user_ids: &[String]) -> Target {
        let read = |root: &Path| FlagsDir::new(root, internal_user_ids.to_vec()).read();
        if path.is_dir() {
            return Target { root: path.to_owned(), only: None, contents: read(path) };
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = parent(path);
        let folder_name = name_of(&folder);
        let inside = format!("{folder_name}/{name}");
        let is_subfolder = matches!(&*folder_name, "segments" | "tests");
        if !is_subfolder {
            let contents = read(&folder);
            if contents.files.contains_key(&name) || folder_name.is_empty() {
                return Target { root: folder, only: Some(name), contents };
            }
        }
        // A list of users may lie in any folder beside the flags.
        let above = parent(&folder);
        let contents = read(&above);
        if is_subfolder || contents.files.contains_key(&inside) {
            return Target { root: above, only: Some(inside), contents };
        }
        Target { contents: read(&folder), root: folder, only: Some(name) }
    }
}

/// The name of a folder, also of one that is written as `.`; empty for the root of the system.
fn name_of(folder: &Path) -> String {
    let whole = match folder.components().next_back() {
        Some(Component::Normal(_)) => folder.to_owned(),
        _ => fs::canonicalize(folder).unwrap_or_default(),
    };
    whole.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The folder above: `.` of a bare name, `..` of the present folder.
fn parent(path: &Path) -> PathBuf {
    match path.components().next_back() {
        Some(Component::CurDir | Component::ParentDir) | None => path.join(".."),
        _ => match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        },
    }
}
