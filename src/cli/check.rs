//! `turnout check`: lints flag folders and runs their tests, by the reader the server has.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, complain, count, print};
use crate::config::Deciding;
use crate::definition::{Code, Library, render};
use crate::folder::Folder;
use crate::telemetry::no_colour;

#[derive(Debug, Args)]
pub struct Check {
    /// Flag folders, or single files of one
    #[arg(value_name = "PATH", env = "TURNOUT_FLAGS", default_value = "./flags")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    deciding: Deciding,
}

impl Check {
    pub fn run(&self) -> Exit {
        let internal_user_ids = match self.deciding.check() {
            Ok((ids, _)) => ids,
            Err(faults) => {
                complain(&faults.to_string());
                return Exit::Usage;
            }
        };
        let missing: Vec<&PathBuf> = self.paths.iter().filter(|path| !path.exists()).collect();
        for path in &missing {
            complain(&format!("{} does not exist; name a folder of flags, or a file in one", path.display()));
        }
        if !missing.is_empty() {
            return Exit::Usage;
        }
        let good: Vec<bool> = self.paths.iter().map(|path| check(path, &internal_user_ids)).collect();
        if good.contains(&false) { Exit::No } else { Exit::Yes }
    }
}

/// Prints what is wrong with one folder or file; true if nothing is.
fn check(path: &Path, internal_user_ids: &[String]) -> bool {
    let (root, only) = folder_of(path);
    let contents = Folder::new(&root, internal_user_ids.to_vec()).read();
    let mut library = Library::default();
    let mut findings = library.update(&contents);
    if let Some(only) = &only {
        findings.retain(|finding| *finding.file == **only);
    }
    let colour = std::io::stdout().is_terminal() && !no_colour();
    let shown = |file: &str| if file.is_empty() { root.display().to_string() } else { root.join(file).display().to_string() };
    for finding in &findings {
        print(&format!("{}\n\n", render(finding, &contents, shown, colour)));
    }
    let failed = findings.iter().filter(|finding| finding.code == Code::FailedTest).count();
    let keys: Vec<String> = library.flags().map(|(key, _)| key.to_string()).collect();
    let cases = keys.iter().map(|key| library.cases(key)).sum();
    let what = match &only {
        Some(_) => path.display().to_string(),
        None => {
            let counts = [count(keys.len(), "flag"), count(library.segments().count(), "segment"), count(cases, "test")];
            format!("{}: {}", path.display(), counts.join(", "))
        }
    };
    let verdict = match (findings.len() - failed, failed) {
        (0, 0) if keys.is_empty() => "there is no flag here".to_owned(),
        (0, 0) => "all good".to_owned(),
        (errors, 0) => count(errors, "error"),
        (0, failed) => count(failed, "failed test"),
        (errors, failed) => format!("{}, {}", count(errors, "error"), count(failed, "failed test")),
    };
    print(&format!("{what}: {verdict}\n"));
    findings.is_empty() && !keys.is_empty()
}

/// The flags folder a path belongs to, and the one file of it that was asked for.
fn folder_of(path: &Path) -> (PathBuf, Option<String>) {
    if path.is_dir() {
        return (path.to_owned(), None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    match folder.file_name() {
        Some(segments) if segments == "segments" => (folder.join(".."), Some(format!("segments/{name}"))),
        _ => (folder, Some(name)),
    }
}
