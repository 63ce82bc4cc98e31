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

/// The types whose `Debug` prints another name than theirs, in a source: `Printed for Type`.
fn misnamed(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("Debug for ").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let body = part.split("\n}\n").next().unwrap_or_default();
        // What begins with a capital, right behind a quote, is the name of a type or a variant.
        for (index, _) in body.match_indices('"') {
            let printed: String =
                body[index + 1..].chars().take_while(|c| c.is_alphanumeric()).collect();
            if printed.starts_with(|c: char| c.is_uppercase())
                && printed != name
                && !body.contains(&format!("{name}::{printed}"))
            {
                found.push(format!("{printed} for {name}"));
            }
        }
    }
    found
}

#[test]
fn what_is_printed_for_debugging_begins_with_the_name_of_its_type() {
    let of = |printed: &str| {
        misnamed(&format!("impl fmt::Debug for Catalog {{\n    f.write_str(\"{printed}\")\n}}\n"))
    };
    assert_eq!(of("Book(redacted)"), ["Book for Catalog"]);
    assert!(of("Catalog(redacted)").is_empty() && of("{} flags").is_empty());
    let files = ["src", "crates"].map(|folder| below(&root().join(folder)));
    let texts = files.iter().flatten().map(|file| fs::read_to_string(file).unwrap());
    let wrong: Vec<String> = texts.flat_map(|text| misnamed(&text)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
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
