//! `docs/CLIENTS.md` shows files of this repository as they are, which other checks build and run,
//! and commands that there are. `docs/PLAN.md` names tests that there are.

use std::fs;

use turnout::cli::command_line;

use crate::sources::{below, root};

/// The blocks of the page: the language, and the text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (language, after) = after.split_once('\n').unwrap();
        let (text, after) = after.split_once("\n```\n").expect("a block ends");
        blocks.push((language, text));
        rest = after;
    }
    blocks
}

#[test]
fn every_block_is_a_file_or_commands() {
    let page = fs::read_to_string(root().join("docs/CLIENTS.md")).unwrap();
    let (mut files, mut commands) = (0, 0);
    for (language, text) in blocks(&page) {
        if language == "sh" {
            for line in text.lines() {
                let begins =
                    ["turnout ", "$(turnout "].into_iter().find_map(|word| line.find(word));
                let Some(at) = begins.filter(|at| *at == 0 || line.contains("$(turnout ")) else {
                    continue;
                };
                let line = line[at..].trim_start_matches("$(").trim_end_matches(')');
                let line = line.split(" #").next().unwrap().replace("\"step\": ", "\"step\":");
                let parsed = command_line().try_get_matches_from(line.split_whitespace());
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                commands += 1;
            }
            continue;
        }
        let (name, shown) = text.split_once('\n').unwrap();
        let name =
            name.strip_prefix("// ").unwrap_or_else(|| panic!("a block names no file: {name}"));
        let file = fs::read_to_string(root().join(name)).unwrap();
        assert!(file.contains(shown), "docs/CLIENTS.md shows another text than {name} has");
        files += 1;
    }
    assert!(files >= 15 && commands >= 4, "{files} files, {commands} commands");
}

/// The texts between two of a mark.
fn between<'a>(page: &'a str, mark: &str) -> Vec<&'a str> {
    page.lines().flat_map(|line| line.split(mark).skip(1).step_by(2)).collect()
}

#[test]
fn the_plan_names_tests_that_there_are() {
    let page = fs::read_to_string(root().join("docs/PLAN.md")).unwrap();
    let folder = |name: &str| below(&root().join(name));
    let mut tests = String::new();
    for package in ["turnout-client", "turnout-react"] {
        let path = root().join("clients/typescript/packages").join(package).join("test");
        for file in fs::read_dir(path).unwrap() {
            tests += &fs::read_to_string(file.unwrap().path()).unwrap();
        }
    }
    for file in ["clients/typescript/real/report.test.mjs", "tests/browser/demo.test.mjs"] {
        tests += &fs::read_to_string(root().join(file)).unwrap();
    }
    for file in folder("tests/it").into_iter().chain(folder("crates/core/tests")) {
        tests += &fs::read_to_string(file).unwrap();
    }
    let titles = between(&page, "*").into_iter().flat_map(|title| title.split('…'));
    let functions = between(&page, "`").into_iter().filter(|name| name.matches('_').count() > 3);
    let mut named = 0;
    for name in titles.chain(functions).map(str::trim).filter(|name| !name.is_empty()) {
        assert!(tests.contains(name), "docs/PLAN.md names a test that is not there: {name}");
        named += 1;
    }
    assert!(named >= 12, "{named} tests");
}
