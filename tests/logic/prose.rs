//! Words that the project does not write, in code, documents and scripts alike: each has a plainer
//! one. What was measured once (`docs/results`) stays as it was printed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sources::root;

/// Written in two parts, so that this file holds none of them.
const WORDS: [(&str, &str); 7] = [
    ("who", "ever"),
    ("some", "body"),
    ("no", "body"),
    ("me", "nd"),
    ("me", "nds"),
    ("me", "nded"),
    ("me", "nding"),
];
/// Folders that are made, or are not the project's own words.
const SKIPPED: [&str; 6] = [".git", "target", "node_modules", "results", "data", "dist"];

#[test]
fn no_text_has_a_word_that_is_not_plain() {
    let words = WORDS.map(|(first, rest)| format!("{first}{rest}"));
    let mut found = Vec::new();
    let (mut files, mut folders) = (0, vec![root().to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            files += 1;
            for (number, line) in text.lines().enumerate() {
                let mut parts = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
                if parts.any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word))) {
                    found.push(format!("{}:{}: {line}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(files > 500, "only {files} files were read");
    assert!(found.is_empty(), "write a plainer word:\n{}", found.join("\n"));
}

/// Beside tables and code, whose lines cannot be broken.
#[test]
fn a_line_of_the_documents_has_at_most_160_columns() {
    let mut found = Vec::new();
    let documents = entries(&root().join("docs")).into_iter().chain([root().join("README.md")]);
    for path in documents.filter(|path| path.extension().is_some_and(|is| is == "md")) {
        let (text, mut is_code) = (fs::read_to_string(&path).unwrap(), false);
        for (number, line) in text.lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            let is_free = is_code || line.trim_start().starts_with(['|', '<', '!', '[']);
            if !is_free && line.chars().count() > 160 {
                found.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "break these lines:\n{}", found.join("\n"));
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let is_own = |name: &str| !SKIPPED.contains(&name);
    entries
        .filter(|entry| is_own(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect()
}
