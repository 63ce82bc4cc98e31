//! Paths as GitHub and code scanning want them: from the root of the repository.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where the repository begins, if the command runs in one.
pub struct Repository {
    root: Option<PathBuf>,
}

impl Repository {
    /// The root that was said, or the next folder above with a `.git`.
    pub fn found(said: Option<&Path>) -> Repository {
        let above = || {
            let here = std::path::absolute(".").ok()?;
            here.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
        };
        let root = said.filter(|said| said.is_absolute()).map(Path::to_owned).or_else(above);
        Repository { root: root.map(|root| fs::canonicalize(&root).unwrap_or(root)) }
    }

    /// A path from the root; whole, if it lies elsewhere; as it is, if there is no repository.
    pub fn path_from_root(&self, path: &str) -> String {
        let (Some(root), Ok(whole)) = (&self.root, std::path::absolute(path)) else {
            return path.strip_prefix("./").unwrap_or(path).to_owned();
        };
        let whole = plain(&whole);
        // The folder may be reached by a link: its real place is compared then.
        let real = || Some(fs::canonicalize(whole.parent()?).ok()?.join(whole.file_name()?));
        let inside = whole.strip_prefix(root).ok().map(Path::to_owned);
        let inside = inside.or_else(|| real()?.strip_prefix(root).ok().map(Path::to_owned));
        inside.unwrap_or(whole).to_string_lossy().into_owned()
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
        plain
    })
}
