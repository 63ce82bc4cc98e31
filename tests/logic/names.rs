//! Names that were given up for the field's standard terms are not defined again.

use std::fs;

use crate::sources::{below, root};

/// What a line defines: the word after `struct`, `enum`, `trait`, `type`, `fn` or `mod`.
fn defined(line: &str) -> Option<&str> {
    let mut words = line
        .trim_start()
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty());
    let first = words.by_ref().find(|word| {
        !matches!(*word, "pub" | "crate" | "super" | "self" | "async" | "const" | "unsafe")
    })?;
    matches!(first, "struct" | "enum" | "trait" | "type" | "fn" | "mod").then(|| words.next())?
}

#[test]
fn no_definition_has_a_name_that_was_given_up() {
    assert_eq!(defined("    pub(super) async fn climb(self) {"), Some("climb"));
    assert_eq!(defined("pub struct Wish<'a>(u8);"), Some("Wish"));
    let old = fs::read_to_string(root().join("tests/old-names.txt")).unwrap();
    let old: Vec<&str> = old
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(old.len() > 100);
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "tools", "crates", "fuzz/fuzz_targets"] {
        files.extend(below(&root().join(folder)));
    }
    let mut again = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            if let Some(name) = defined(line).filter(|name| old.contains(name)) {
                again.push(format!("{}:{}: `{name}`", file.display(), number + 1));
            }
        }
    }
    assert!(
        again.is_empty(),
        "names that tests/old-names.txt gave up are defined again:\n{}",
        again.join("\n")
    );
}
