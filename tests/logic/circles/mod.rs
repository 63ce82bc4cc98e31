//! No two files of a crate need each other, by whatever detour: each can be read, and taken away,
//! with those below it alone. A file that names an item of its parent's file needs the parent, and
//! a parent needs a child whose items it uses; passing an item on (`pub use`) is no use of it.

mod graph;
mod imports;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use graph::Graph;

use crate::sources;

#[test]
fn no_file_needs_itself_by_a_detour() {
    let found: Vec<String> =
        circles(&sources::of_the_service()).into_iter().map(|(_, circle)| circle).collect();
    assert!(
        found.is_empty(),
        "files need each other in a circle; move what both need into a file of its own:\n{}",
        found.join("\n")
    );
}

/// The test can see each way in which a file names another.
#[test]
fn a_circle_is_found_however_its_files_name_each_other() {
    let source = |path: &str, text: &str| {
        let mut names: Vec<String> = path.split('/').map(str::to_owned).collect();
        let place = format!("{path}.rs");
        if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
            names.pop();
        }
        sources::Source { place, package: "turnout".into(), path: names, text: text.into() }
    };
    let lib = source("lib", "mod a;\nmod b;\nmod c;\npub use a::Apple;\n");
    for (a, b, is_circle) in [
        ("use crate::b::Bean;", "use crate::a::Apple;", true),
        ("use super::{b::{Bean, Other}};", "use super::{c, a as fruit};", true),
        ("use crate::b::Bean;", "fn f() -> crate::a::Apple {}", true),
        ("use crate::b::Bean;", "use crate::Apple;", true),
        ("use crate::b::Bean;", "use super::c::Cherry; // crate::a::Apple", false),
        ("use crate::b::Bean;", "fn f() { g('\"', \"crate::a::Apple\", r#\"crate::a\"#) }", false),
        (
            "use crate::b::Bean;",
            "#[cfg(test)]\n#[allow(x)]\nmod tests {\n use crate::a::X; }",
            false,
        ),
        ("use crate::b::Bean;", "mod inner {\n use super::{f, g};\n }", false),
        ("use crate::b::Bean;", "mod inner {\n use super::super::a::Apple;\n }", true),
        ("use crate::b::*;", "use crate::a;\n", true),
    ] {
        let sources = [&lib, &source("a", a), &source("b", b), &source("c", "")].map(copy);
        assert_eq!(!circles(&sources).is_empty(), is_circle, "{a} | {b}");
    }
    let parent = source("lib", "mod a;\nfn f() { a::g() }\npub struct Pear;\n");
    for (child, is_circle) in [("use super::Pear;", true), ("use crate::f;", true), ("", false)] {
        let found = circles(&[copy(&parent), source("a", child)]);
        assert_eq!(!found.is_empty(), is_circle, "{child}");
        if is_circle {
            assert!(found[0].1.contains("a.rs") && found[0].1.contains("lib.rs"), "{}", found[0].1);
        }
    }
}

fn copy(source: &sources::Source) -> sources::Source {
    sources::Source {
        place: source.place.clone(),
        package: source.package.clone(),
        path: source.path.clone(),
        text: source.text.clone(),
    }
}

/// Each circle: its files in order, and one way round as a line.
fn circles(sources: &[sources::Source]) -> Vec<(Vec<String>, String)> {
    let mut packages: BTreeMap<&str, Vec<&sources::Source>> = BTreeMap::new();
    for source in sources {
        packages.entry(&source.package).or_default().push(source);
    }
    let mut found = Vec::new();
    for files in packages.into_values() {
        let graph = Graph::new(imports::edges(&files));
        for circle in graph.circles() {
            let files: BTreeSet<&String> = circle.iter().collect();
            found.push((files.into_iter().cloned().collect(), graph.way_round(&circle)));
        }
    }
    found
}
