//! Reads a flags folder from disk into [`FlagFiles`]. Floor 2.
//!
//! It reads `*.yaml` in the folder, in `segments/` and in `tests/`, `retired.txt`, and each
//! `users_file` that a segment names; nothing else in it matters. A file whose metadata did not change since the last
//! reading is not read again.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::fingerprint::Fingerprint;
use super::pulse::Pulse;
use super::read_file::{is_absent, is_still, read_file, why};
use crate::definition::limits::{MAX_USERS_FILE_BYTES, MAX_YAML_BYTES};
use crate::definition::{File, FlagFiles, RETIRED_FILE, Subject, users_file_of};

/// The subfolders with YAML files of Turnout.
const SUBFOLDERS: [&str; 2] = ["segments", "tests"];

/// Reads one folder repeatedly.
#[derive(Debug)]
pub struct FlagsDir {
    root: PathBuf,
    internal_user_ids: Vec<String>,
    known: HashMap<String, CachedFile>,
    /// The subfolders that could not be read the last time.
    unreadable: BTreeMap<String, String>,
    pulse: Pulse,
}

#[derive(Clone, Debug)]
struct CachedFile {
    fingerprint: Fingerprint,
    file: File,
    /// The `users_file` a segment names.
    users_file: Option<String>,
    is_users_file: bool,
    is_link: bool,
}

/// The subfolders' names, and why they cannot be read.
type UnreadableFolders = BTreeMap<String, String>;

impl FlagsDir {
    pub fn new(root: impl Into<PathBuf>, internal_user_ids: Vec<String>) -> FlagsDir {
        FlagsDir {
            root: root.into(),
            internal_user_ids,
            known: HashMap::new(),
            unreadable: BTreeMap::new(),
            pulse: Pulse::default(),
        }
    }

    /// Reports the progress of readings.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The present content of the folder.
    pub fn read(&mut self) -> FlagFiles {
        self.pulse.begin();
        let contents = self.read_all();
        self.pulse.end();
        contents
    }

    fn read_all(&mut self) -> FlagFiles {
        let mut contents =
            FlagFiles { internal_user_ids: self.internal_user_ids.clone(), ..FlagFiles::default() };
        match self.list() {
            Ok((paths, unreadable)) => self.read_listed(paths, unreadable, &mut contents),
            Err(error) => {
                contents.unreadable = Some(format!("{} {}", self.root.display(), why(&error)));
            }
        }
        self.known.retain(|path, _| contents.files.contains_key(path));
        contents
    }

    fn read_listed(
        &mut self,
        paths: Vec<(String, bool)>,
        mut unreadable: UnreadableFolders,
        contents: &mut FlagFiles,
    ) {
        let mut users_files = Vec::new();
        for (path, is_link) in paths {
            let before = path.contains('/').then(|| self.known.get(&path).cloned());
            let is_unreadable =
                matches!(self.file(&path, MAX_YAML_BYTES).file, File::Unreadable { .. });
            if let Some((folder, why)) = is_unreadable.then(|| self.lost_folder(&path)).flatten() {
                // The folder was replaced after it was listed, so the error says nothing about the
                // file.
                match before.flatten() {
                    Some(before) => drop(self.known.insert(path, before)),
                    None => drop(self.known.remove(&path)),
                }
                unreadable.insert(folder, why);
                continue;
            }
            let known = self.known.entry(path.clone()).or_insert(CachedFile::NOTHING);
            known.is_link = is_link;
            users_files.extend(known.users_file.clone());
            contents.files.insert(path, known.file.clone());
        }
        for (path, known) in &self.known {
            // An unreadable subfolder says nothing about its files, and nothing at all about
            // others.
            let is_inside = |folder: &String| {
                path.strip_prefix(&**folder).is_some_and(|rest| rest.starts_with('/'))
            };
            if !known.is_users_file && unreadable.keys().any(is_inside) {
                users_files.extend(known.users_file.clone());
                contents.files.insert(path.clone(), known.file.clone());
            }
        }
        for path in users_files {
            let is_there = fs::metadata(self.root.join(&path))
                .map_or_else(|error| !is_absent(&error), |_| true);
            if is_there {
                let known = self.file(&path, MAX_USERS_FILE_BYTES);
                known.is_users_file = true;
                contents.files.insert(path, known.file.clone());
            }
        }
        contents.unreadable_folders.clone_from(&unreadable);
        self.unreadable = unreadable;
    }

    /// The subfolder of a file and the error, if that subfolder cannot be read now.
    fn lost_folder(&self, path: &str) -> Option<(String, String)> {
        let (folder, _) = path.split_once('/')?;
        match fs::read_dir(self.root.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Some((folder.to_owned(), why(&error)))
            }
            _ => None,
        }
    }

    /// The folders in which a change could alter the result of [`read`](FlagsDir::read), as of its
    /// last call.
    pub fn folders_that_matter(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.root.clone()];
        // An unreadable folder cannot be watched; when that changes it shows in the folder above.
        let readable = SUBFOLDERS.iter().filter(|folder| !self.unreadable.contains_key(**folder));
        folders.extend(readable.map(|folder| self.root.join(folder)));
        let parent = |path: &Path| path.parent().map(Path::to_owned);
        for (path, known) in &self.known {
            if known.is_users_file {
                folders.extend(parent(&self.root.join(path)));
            }
            // The target of a link may be rewritten in place.
            if known.is_link || known.is_users_file {
                folders.extend(
                    fs::canonicalize(self.root.join(path)).ok().as_deref().and_then(parent),
                );
            }
        }
        folders
    }

    /// The paths of YAML files, also of those that only look like YAML files of Turnout, and
    /// whether they are links; and the subfolders that cannot be read.
    fn list(&self) -> io::Result<(Vec<(String, bool)>, UnreadableFolders)> {
        let mut paths = yaml_files(&self.root, "")?;
        match fs::symlink_metadata(self.root.join(RETIRED_FILE)) {
            Ok(metadata) => paths.push((RETIRED_FILE.to_owned(), metadata.is_symlink())),
            Err(error) if is_absent(&error) => {}
            // The fault shows when it is read.
            Err(_) => paths.push((RETIRED_FILE.to_owned(), false)),
        }
        let mut unreadable = BTreeMap::new();
        for folder in SUBFOLDERS {
            match yaml_files(&self.root.join(folder), &format!("{folder}/")) {
                Ok(files) => paths.extend(files),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => drop(unreadable.insert(folder.to_owned(), why(&error))),
            }
        }
        Ok((paths, unreadable))
    }

    fn file(&mut self, path: &str, most: usize) -> &mut CachedFile {
        self.pulse.beat();
        let full = self.root.join(path);
        let metadata = fs::metadata(&full);
        let fingerprint = metadata.as_ref().ok().map(Fingerprint::of);
        let known = self.known.entry(path.to_owned()).or_insert(CachedFile::NOTHING);
        if fingerprint
            .is_none_or(|fingerprint| known.fingerprint != fingerprint || !fingerprint.is_old())
        {
            let file = metadata.and_then(|metadata| match &known.file {
                File::Text(text) if is_still(&full, &metadata, text, &self.pulse)? => {
                    Ok(known.file.clone())
                }
                _ => read_file(&full, &metadata, most, &self.pulse),
            });
            let file = file.unwrap_or_else(|error| File::Unreadable { why: why(&error) });
            // The same content keeps its bytes, which are shared with earlier readings.
            if known.file != file {
                known.users_file = match (&file, FlagFiles::subject(path)) {
                    (File::Text(text), Some(Subject::Segment(_))) => users_file_of(&text.bytes),
                    _ => None,
                };
                known.file = file;
            }
            known.fingerprint = fingerprint.unwrap_or(Fingerprint::NONE);
        }
        known
    }
}

impl CachedFile {
    const NOTHING: CachedFile = CachedFile {
        fingerprint: Fingerprint::NONE,
        file: File::TooLarge { bytes: 0 },
        users_file: None,
        is_users_file: false,
        is_link: false,
    };
}

/// `*.yaml` and `*.yml`; hidden files and editors' temporary files are skipped.
fn yaml_files(folder: &Path, prefix: &str) -> io::Result<Vec<(String, bool)>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let wanted = !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"));
        if !wanted {
            continue;
        }
        let (is_folder, is_link) = match entry.file_type() {
            Ok(kind) if kind.is_symlink() => (entry.path().is_dir(), true),
            Ok(kind) => (kind.is_dir(), false),
            Err(error) if is_absent(&error) => continue,
            // A fault of the file shows when it is read.
            Err(_) => (false, false),
        };
        if !is_folder {
            paths.push((format!("{prefix}{name}"), is_link));
        }
    }
    Ok(paths)
}

/// The paths of the files that differ between two readings.
pub fn changed_paths<'a>(
    old: &'a BTreeMap<String, File>,
    new: &'a BTreeMap<String, File>,
) -> Vec<&'a str> {
    let mut paths: Vec<&str> = old
        .keys()
        .chain(new.keys())
        .map(String::as_str)
        .filter(|path| old.get(*path) != new.get(*path))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder may be replaced between the moment it is listed and the moment its files are read.
    #[test]
    fn what_was_read_of_a_folder_stays_when_it_is_replaced_while_it_is_read() {
        let root = tempfile::tempdir().unwrap();
        let segments = root.path().join("segments");
        fs::create_dir(&segments).unwrap();
        fs::write(
            segments.join("staff.yaml"),
            "version: 1\nsegment: staff\nusers_file: staff.txt\n",
        )
        .unwrap();
        let mut folder = FlagsDir::new(root.path(), Vec::new());
        let before = folder.read();
        fs::write(segments.join("new.yaml"), "version: 1\nsegment: new\n").unwrap();
        let (paths, unreadable) = folder.list().unwrap();
        assert_eq!((paths.len(), unreadable.len()), (2, 0));
        fs::rename(&segments, root.path().join("away")).unwrap();
        symlink("segments", &segments).unwrap();
        let mut torn = FlagFiles::default();
        folder.read_listed(paths, unreadable, &mut torn);
        for (what, contents) in [("the reading itself", torn), ("the one after it", folder.read())]
        {
            assert!(contents.files == before.files, "{what}: {contents:?}");
            assert_eq!(
                contents.unreadable_folders.keys().collect::<Vec<_>>(),
                ["segments"],
                "{what}"
            );
        }
    }
}
