//! How long a hostile file may take, compared with the largest honest file, read in the same run.

use std::time::{Duration, Instant};

use turnout_core::definition::{DefinitionSet, FlagFiles};

use super::harness::{FLAG, HEAD};

/// The most time, as a multiple of the honest file's.
const MAX_TIME_RATIO: u32 = 10;

fn numbered(prefix: &str, count: usize) -> String {
    (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>().join(",")
}

fn rule(condition: &str) -> String {
    format!("rules: [{{name: a, strategy: polling, when: {{{condition}}}}}]")
}

/// Each is far below the bounds on bytes and values.
fn hostile_files() -> Vec<(&'static str, String)> {
    let long = "x".repeat(1_999);
    vec![
        (
            "5,000 unknown words of 5,000",
            format!(
                "attributes: {{a: [{}]}}\n{}",
                numbered("v", 5_000),
                rule(&format!("a: [{}]", numbered("w", 5_000)))
            ),
        ),
        (
            "20,000 known words of 20,000",
            format!(
                "attributes: {{a: [{}]}}\n{}",
                numbered("w", 20_000),
                rule(&format!("a: [{}]", numbered("w", 20_000)))
            ),
        ),
        (
            "one long unknown word of 20 long ones",
            format!(
                "attributes: {{a: [{}]}}\n{}",
                [long.as_str(); 20].join(","),
                rule(&format!("a: {}", "y".repeat(20_000)))
            ),
        ),
        ("20,000 unknown segments", rule(&format!("segment: [{}]", numbered("s", 20_000)))),
        (
            "20,000 undeclared attributes of 256",
            format!(
                "attributes: {{{}}}\n{}",
                numbered("a", 256).replace(',', ": text,") + ": text",
                rule(&(numbered("b", 20_000).replace(',', ": 1,") + ": 1"))
            ),
        ),
        (
            "10,000 declared attributes, all asked for",
            format!(
                "attributes: {{{}}}\n{}",
                numbered("a", 10_000).replace(',', ": text,") + ": text",
                rule(&(numbered("a", 10_000).replace(',', ": 1,") + ": 1"))
            ),
        ),
        ("1,000 tests by an unknown step of 300 rules", {
            let rules: String = (0..300)
                .map(|n| format!("\n- {{name: r{n:050}, strategy: polling, when: {{email: a}}}}"))
                .collect();
            format!("rules:{rules}\ntests:{}", "\n- {expect: polling, by: nosuch}".repeat(1_000))
        }),
        ("100,000 segments in tests of 100", {
            let test =
                format!("\n- {{expect: polling, user: u, segments: [{}]}}", numbered("t", 100));
            format!("deny: [{{segment: [{}]}}]\ntests:{}", numbered("s", 100), test.repeat(200))
        }),
        ("50,000 unknown keys", (0..50_000).map(|n| format!("k{n}:\n")).collect()),
        ("one key of a million letters", format!("? {}\n: a", "k".repeat(1_000_000))),
        ("90,000 users", format!("deny: [{{users: [{}]}}]", numbered("u", 90_000))),
        ("190,000 values of nothing", format!("owner: [{}]", "a,".repeat(190_000))),
        ("a billion laughs", format!("a: &a [{}]", "*a,".repeat(100_000))),
        ("a million brackets", "[".repeat(1_000_000)),
        ("a million blanks", " ".repeat(1_000_000)),
        ("half a million lines of nothing", "\n".repeat(500_000)),
    ]
}

/// A table that tries every combination of two values of many attributes.
fn hostile_table() -> (String, String) {
    let attributes = numbered("a", 60);
    let flag = format!("{HEAD}attributes: {{{}: text}}\n", attributes.replace(',', ": text, "));
    (
        flag,
        format!(
            "flag: chat\ncases: [{{expect: polling, each: {{{}: [b, c]}}}}]\n",
            attributes.replace(',', ": [b, c], ")
        ),
    )
}

fn time_to_read(contents: &FlagFiles) -> Duration {
    let start = Instant::now();
    DefinitionSet::default().update(contents);
    start.elapsed()
}

#[test]
fn a_hostile_file_costs_no_more_than_a_few_honest_ones() {
    let honest = format!("{HEAD}deny: [{{users: [{}]}}]\n", numbered("personal-", 70_000));
    let honest = time_to_read(&FlagFiles::of([(FLAG, honest.as_str())]));
    let (flag, table) = hostile_table();
    let files = hostile_files()
        .into_iter()
        .map(|(name, more)| (name, format!("{HEAD}{more}\n"), String::new()));
    let mut slow = Vec::new();
    for (name, text, table) in files.chain([("2 values of 60 attributes in a table", flag, table)])
    {
        let beside = (!table.is_empty()).then_some(("tests/chat.yaml", table.as_str()));
        let took = time_to_read(&FlagFiles::of([(FLAG, text.as_str())].into_iter().chain(beside)));
        if took > honest * MAX_TIME_RATIO {
            slow.push(format!("{name}: {} bytes, {took:?}", text.len() + table.len()));
        }
    }
    assert!(
        slow.is_empty(),
        "{} files take more than {MAX_TIME_RATIO} times {honest:?}:\n{}",
        slow.len(),
        slow.join("\n")
    );
}
