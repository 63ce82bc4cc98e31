//! The sources of the service and its crates, for the tests that read them.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of a crate.
pub struct Source {
    /// From the root of the project, such as `crates/core/src/flag/key.rs`.
    pub place: String,
    /// The crate as others name it, such as `turnout_core`.
    pub package: String,
    /// The module's path inside its crate; empty for `lib.rs`.
    pub path: Vec<String>,
    pub text: String,
}

impl Source {
    /// The module of the first level, or the crate's own name for a crate that is one module to the
    /// others.
    pub fn module(&self) -> &str {
        match &*self.package {
            "turnout" | "turnout_core" => self.path.first().map_or("lib", |first| first),
            other => other.trim_start_matches("turnout_"),
        }
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file of the service (`src/`) and of each crate (`crates/*/src/`).
pub fn of_the_service() -> Vec<Source> {
    let mut found = files_of("turnout", &root().join("src"));
    let mut crates: Vec<PathBuf> =
        fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path()).collect();
    crates.sort();
    for folder in crates {
        let name = folder.file_name().unwrap().to_str().unwrap();
        found.extend(files_of(&format!("turnout_{name}"), &folder.join("src")));
    }
    found
}

/// The files of one crate. A folder without any is a mistake of the caller: a test that read
/// nothing would be green.
fn files_of(package: &str, src: &Path) -> Vec<Source> {
    let files: Vec<Source> = below(src)
        .into_iter()
        .filter(|path| path != &src.join("main.rs"))
        .map(|path| {
            let inside = path.strip_prefix(src).unwrap().with_extension("");
            let mut names: Vec<String> =
                inside.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
            if names.last().is_some_and(|last| last == "mod")
                || names.len() == 1 && names[0] == "lib"
            {
                names.pop();
            }
            Source {
                place: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(),
                package: package.to_owned(),
                path: names,
                text: fs::read_to_string(&path).unwrap(),
            }
        })
        .collect();
    assert!(
        files.iter().any(|file| file.path.is_empty()),
        "{} has no lib.rs: the sources were not found",
        src.display()
    );
    files
}

/// Every Rust file below a folder, in order. The folder has to be there, and to have some.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    assert!(!files.is_empty(), "{} has no Rust file", folder.display());
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
