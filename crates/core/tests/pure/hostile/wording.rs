//! The wording of findings: never an entry of a list, and always one line of bounded length.

use turnout_core::definition::{DefinitionSet, Finding, FlagFiles};

use super::harness::{FLAG, HEAD, SEGMENT, SEGMENT_HEAD};

const SENTINEL: &str = "sentinel-4711-secret";

fn findings_of(files: &[(&str, &str)]) -> Vec<Finding> {
    DefinitionSet::default().update(&FlagFiles::of(files.iter().copied()))
}

/// Files with the sentinel in their lists, each with some fault: lines below the head of a flag, or
/// of a segment.
const IN_FLAGS: &[&str] = &[
    "deny: [{users: sentinel-4711-secret}]",
    "deny: [{users: [sentinel-4711-secret, '']}]",
    "deny: [{users: [[sentinel-4711-secret]]}]",
    "deny: [{users: [sentinel-4711-secret: a]}]",
    "deny: [{users: {sentinel-4711-secret: a}}]",
    "deny: [{users: {sentinel-4711-secret: a, sentinel-4711-secret: b}}]",
    "deny: [{users sentinel-4711-secret}]",
    "deny: [{users: [a: b: sentinel-4711-secret]}]",
    "deny: [{users: [&a sentinel-4711-secret]}]",
    "deny: [{users: [&sentinel-4711-secret a]}]",
    "deny: [{users: [*sentinel-4711-secret]}]",
    "deny: [{users: [!sentinel-4711-secret a]}]",
    "deny: [{users: [!!str sentinel-4711-secret]}]",
    "deny: [{users: [!a!sentinel-4711-secret b]}]",
    "deny: [{users: [@sentinel-4711-secret]}]",
    "deny: [{users: [\"sentinel-4711-secret\\q\"]}]",
    "deny: [{users: [\"sentinel-4711-secret]}]",
    "deny: [{users: ['sentinel-4711-secret' 'b']}]",
    "deny: [{users: [sentinel-4711-secret}]",
    "deny:\n- users:\n  - sentinel-4711-secret\n - b",
    "deny:\n- users:\n  - sentinel-4711-secret: b: c",
    "deny: [{emails: sentinel-4711-secret}]",
    "deny: [{emails: [sentinel-4711-secret]}]",
    "deny: [{emails: [sentinel-4711-secret@]}]",
    "deny: [{emails: ['@sentinel-4711-secret']}]",
    "deny: [{domains: [a@sentinel-4711-secret]}]",
    "deny: [{domains: ['sentinel-4711-secret ']}]",
    "allow: [{users: [sentinel-4711-secret], strategy: nosuch}]",
    "allow: [{users: [sentinel-4711-secret]}]",
    "deny: [{users: [sentinel-4711-secret], when: {plan: a}, segment: b}]",
    "tests: [{user: [sentinel-4711-secret], expect: polling}]",
    "tests: [{user: sentinel-4711-secret, expect: disabled}]",
    "tests: [{user: sentinel-4711-secret, expect: polling, by: deny}]",
    "tests: [{user: sentinel-4711-secret, expect: nosuch}]",
    "tests: [{user: sentinel-4711-secret, segments: [a], expect: polling}]",
    "tests: [{user: sentinel-4711-secret, with: {email: [sentinel-4711-secret]}, expect: polling}]",
    "tests: [{with: {email: sentinel-4711-secret@example.com}, expect: disabled}]",
    "tests: [{user: sentinel-4711-secret: a, expect: polling}]",
    "tests: [{user sentinel-4711-secret, expect: polling}]",
];

const IN_SEGMENTS: &[&str] = &[
    "users: sentinel-4711-secret",
    "users: [sentinel-4711-secret, '']",
    "users: {sentinel-4711-secret: a}",
    "users: [sentinel-4711-secret\nusres: [a]",
    "users:\n- sentinel-4711-secret\nusers: []",
    "users:\n  sentinel-4711-secret\n  a: b",
    "users: *sentinel-4711-secret",
    "emails: [sentinel-4711-secret]",
    "emails: [sentinel-4711-secret@a b]",
    "domains: [a@sentinel-4711-secret]",
    "domains: sentinel-4711-secret",
    "users_file: |\n  u-1\n  sentinel-4711-secret",
];

#[test]
fn no_finding_names_who_is_in_a_list() {
    let mut folders: Vec<Vec<(&str, String)>> = Vec::new();
    let long = format!("{}{SENTINEL}", "x".repeat(257));
    for more in IN_FLAGS {
        folders.push(vec![(FLAG, format!("{HEAD}{more}\n"))]);
    }
    folders.push(vec![(FLAG, format!("{HEAD}deny: [{{users: [{long}]}}]\n"))]);
    folders.push(vec![(FLAG, format!("{HEAD}deny: [{{emails: [{long}]}}]\n"))]);
    folders.push(vec![(FLAG, format!("{HEAD}tests: [{{user: {long}, expect: polling}}]\n"))]);
    for more in IN_SEGMENTS {
        folders.push(vec![(SEGMENT, format!("{SEGMENT_HEAD}{more}\n"))]);
    }
    let lines = [
        format!(" {SENTINEL}\n"),
        format!("{SENTINEL}\t\n"),
        format!("{SENTINEL}\0\n"),
        format!("{long}\n"),
    ];
    for ids in lines {
        folders.push(vec![
            (SEGMENT, format!("{SEGMENT_HEAD}users_file: ids.txt\n")),
            ("ids.txt", ids),
        ]);
    }

    let mut telling = Vec::new();
    for folder in &folders {
        let files: Vec<(&str, &str)> =
            folder.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let findings = findings_of(&files);
        assert_ne!(findings, [], "nothing is wrong with {files:?}");
        let of_finding = |finding: &Finding| format!("{} {finding:?}", finding.line(str::to_owned));
        telling.extend(findings.iter().map(of_finding).filter(|text| text.contains(SENTINEL)));
    }
    assert!(
        telling.is_empty(),
        "{} findings tell who it is:\n{}",
        telling.len(),
        telling.join("\n")
    );
}

/// A log line is one line, and no file can alter a terminal or fill a disk with it.
#[test]
fn every_finding_is_one_line_of_bounded_length() {
    let long = "x".repeat(100_000);
    let words: Vec<String> = (0..20_000).map(|n| format!("w{n}")).collect();
    let rules: String = (0..1_000)
        .map(|n| format!("- {{name: {:x<60}{n}, when: {{email: a}}, strategy: polling}}\n", "r"))
        .collect();
    let flags = [
        "\"a\\nb\": c".to_owned(),
        "\"\\e[2J\": a".to_owned(),
        "\"\\u2028\\x9b\": a".to_owned(),
        "\"a\\nb\": 1\n\"a\\nb\": 2".to_owned(),
        "deny: [{when: {\"a\\r\\nb\": c}}]".to_owned(),
        "attributes: {a: [b]}\ndeny: [{when: {a: \"c\\nd\"}}]".to_owned(),
        "attributes: {a: [\"c\\nd\"]}\ndeny: [{when: {a: e}}]".to_owned(),
        "attributes: {a: version}\ndeny: [{when: {a: \"1\\n2\"}}]".to_owned(),
        "tests: [{expect: polling, with: {\"a\\nb\": c}}]".to_owned(),
        format!("? {long}\n: a"),
        format!("? {long}\n: a\n? {long}\n: b"),
        format!("deny:\n- when:\n    ? {long}\n    : a"),
        format!("attributes: {{a: version}}\ndeny: [{{when: {{a: {long}}}}}]"),
        format!("attributes: {{a: [b]}}\ndeny: [{{when: {{a: {long}}}}}]"),
        format!("attributes: {{a: [{}]}}\ndeny: [{{when: {{a: b}}}}]", words.join(",")),
        format!("rollout: {{realtime-v2: {}}}", "1".repeat(100_000)),
        format!("rules:\n{rules}tests: [{{expect: polling, by: nosuch}}]"),
    ];
    let segments = [
        "users_file: \"a\\nb\"".to_owned(),
        "users_file: \"../\\e[2J\"".to_owned(),
        format!("users_file: {long}"),
        "\"a\\nb\": c".to_owned(),
    ];
    let files = flags
        .iter()
        .map(|more| (FLAG, format!("{HEAD}{more}\n")))
        .chain(segments.iter().map(|more| (SEGMENT, format!("{SEGMENT_HEAD}{more}\n"))));
    let mut bad = Vec::new();
    for (path, text) in files {
        let findings = findings_of(&[(path, &text)]);
        assert_ne!(findings, [], "nothing is wrong with {text:.200}");
        for line in findings.iter().map(|finding| finding.line(str::to_owned)) {
            if line.len() > 2_000
                || line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
            {
                bad.push(format!(
                    "{} bytes: {:?}",
                    line.len(),
                    line.chars().take(160).collect::<String>()
                ));
            }
        }
    }
    assert!(
        bad.is_empty(),
        "{} lines of a log are no lines or endless:\n{}",
        bad.len(),
        bad.join("\n")
    );
}

/// As a log or a panic would print them.
#[test]
fn what_is_printed_for_developers_names_no_user_either() {
    let flag = format!(
        "{HEAD}deny: [{{users: [{SENTINEL}]}}, {{segment: staff}}]\ntests: [{{user: {SENTINEL}, expect: polling}}]\n"
    );
    let segment = format!("{SEGMENT_HEAD}users: [{SENTINEL}]\nemails: [{SENTINEL}@example.com]\n");
    let mut contents = FlagFiles::of([(FLAG, flag.as_str()), (SEGMENT, segment.as_str())]);
    contents.internal_user_ids = vec![SENTINEL.to_owned()];
    let mut definitions = DefinitionSet::default();
    definitions.update(&contents);
    assert!(
        !format!("{contents:?}").contains(SENTINEL),
        "the contents of a folder tell who is internal"
    );
    assert!(
        !format!("{definitions:?}").contains(SENTINEL),
        "a library tells who is internal or in a test"
    );
}
