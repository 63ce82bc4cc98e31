//! One over each bound that is cheap to reach, and exactly at the bound where that matters.

use turnout_core::definition::Code::*;
use turnout_core::definition::limits::*;
use turnout_core::definition::{File, Text};

use super::harness::{Case, Expected, FLAG, HEAD, SEGMENT, SEGMENT_HEAD, flag, segment, whole};

pub fn depth_size_and_count() -> Vec<Case> {
    [depth(), size(), counts(), findings()].into_iter().flatten().collect()
}

fn depth() -> Vec<Case> {
    let lists = |depth: usize, inside: &str| "[".repeat(depth) + inside + &"]".repeat(depth);
    let maps =
        |depth: usize| (0..depth).map(|level| " ".repeat(level) + "a:\n").collect::<String>();
    let nots = |depth: usize| "{not: ".repeat(depth) + "{email: a}" + &"}".repeat(depth);
    // The file, the list of rules, the rule, then nested conditions.
    let conditions = |depth: usize| {
        format!("rules:\n- {{name: a, strategy: polling,\n  when: {}}}", nots(depth - 4))
    };
    vec![
        whole("lists at the most", lists(MAX_DEPTH, ""), &[(WrongType, 1, 1)]),
        whole("lists at the most and a value in them", lists(MAX_DEPTH, "a"), &[(WrongType, 1, 1)]),
        whole("lists over the most", lists(MAX_DEPTH + 1, ""), &[(TooDeep, 1, 17)])
            .says("more than 16"),
        whole("lists that never end", "[".repeat(100_000), &[(TooDeep, 1, 18)]),
        whole("maps that never end", "{a: ".repeat(100_000), &[(TooDeep, 1, 69)]),
        whole("dashes that never end", "- ".repeat(100_000), &[(TooDeep, 1, 33)]),
        whole("question marks that never end", "? ".repeat(100_000), &[(TooDeep, 1, 33)]),
        whole("maps at the most", maps(MAX_DEPTH), &MISSING_AND_UNKNOWN),
        whole("maps over the most", maps(MAX_DEPTH + 1), &[(TooDeep, 17, 17)]),
        flag("conditions at the most", &conditions(MAX_DEPTH), &[]),
        flag("conditions over the most", &conditions(MAX_DEPTH + 1), &[(TooDeep, 8, 87)]),
        Case::new("a deep segment", SEGMENT, "[".repeat(100_000).as_bytes(), &[(TooDeep, 1, 18)]),
    ]
}

const MISSING_AND_UNKNOWN: [Expected; 6] = [
    (MissingKey, 1, 1),
    (MissingKey, 1, 1),
    (MissingKey, 1, 1),
    (MissingKey, 1, 1),
    (MissingKey, 1, 1),
    (UnknownKey, 1, 1),
];

fn size() -> Vec<Case> {
    let padded = |bytes: usize| format!("{HEAD}#{}", "x".repeat(bytes - HEAD.len() - 1));
    vec![
        whole("a file at the most", padded(MAX_YAML_BYTES), &[]),
        whole("a file over the most", padded(MAX_YAML_BYTES + 1), &[(TooLarge, 0, 0)])
            .hint("`users_file`"),
        whole(
            "a file over the most, no text either",
            vec![0xff; MAX_YAML_BYTES + 1],
            &[(TooLarge, 0, 0)],
        ),
        whole("a file too large to be read", "", &[(TooLarge, 0, 0)])
            .with_file(FLAG, File::TooLarge { bytes: u64::MAX }),
        segment("a segment too large to be read", "", &[(TooLarge, 0, 0)])
            .with_file(SEGMENT, File::TooLarge { bytes: 1 << 30 }),
        flag(
            "a description at the most",
            &format!("description: {}", "x".repeat(MAX_TEXT_BYTES)),
            &[],
        ),
        flag(
            "a description over the most",
            &format!("description: {}", "x".repeat(MAX_TEXT_BYTES + 1)),
            &[(BadText, 6, 14)],
        )
        .says("more than 2000 bytes"),
        flag(
            "an owner over the most, in few characters",
            &format!("owner: {}", "é".repeat(MAX_TEXT_BYTES / 2 + 1)),
            &[(BadText, 6, 8)],
        ),
        flag(
            "a url over the most",
            &format!("transports: {{polling: {{url: {}}}}}", "x".repeat(MAX_TEXT_BYTES + 1)),
            &[(BadText, 6, 29)],
        ),
        flag(
            "a declared word over the most",
            &format!("attributes: {{a: [{}]}}", "x".repeat(MAX_TEXT_BYTES + 1)),
            &[(BadText, 6, 18)],
        ),
        segment(
            "a segment's description over the most",
            &format!("description: {}", "x".repeat(MAX_TEXT_BYTES + 1)),
            &[(BadText, 3, 14)],
        ),
    ]
}

fn counts() -> Vec<Case> {
    let list = |of: &str, count: usize| vec![of; count].join(", ");
    let attributes =
        |count: usize| (0..count).map(|n| format!("a{n}: text")).collect::<Vec<_>>().join(", ");
    let rules = |count: usize| {
        (0..count)
            .map(|n| format!("\n- {{name: r{n}, when: {{email: a}}, strategy: polling}}"))
            .collect::<String>()
    };
    // The file's map and its five keys and values, then a key and a list.
    let nodes_left = MAX_NODES - 11 - 2;
    vec![
        flag(
            "values over the most",
            &format!("owner: [{}]", "a,".repeat(nodes_left + 1)),
            &[(TooMany, 6, 399_983)],
        )
        .says("more than 200000 values"),
        flag(
            "values at the most",
            &format!("owner: [{}]", "a,".repeat(nodes_left)),
            &[(WrongType, 6, 8)],
        ),
        flag(
            "keys over the most",
            &(0..100_000).map(|n| format!("{n:x}:\n")).collect::<String>(),
            &[(TooMany, 100_000, 6)],
        ),
        flag(
            "entries of deny at the most",
            &format!("deny: [{}]", list("{users: []}", MAX_ENTRIES)),
            &[],
        ),
        flag(
            "entries of deny over the most",
            &format!("deny: [{}]", list("{users: []}", MAX_ENTRIES + 1)),
            &[(TooMany, 6, 7)],
        )
        .says("1001 entries; it may have 1000"),
        flag(
            "entries of allow over the most",
            &format!("allow: [{}]", list("{}", MAX_ENTRIES + 1)),
            &[(TooMany, 6, 8)],
        ),
        flag(
            "rules over the most",
            &format!("rules:{}", rules(MAX_ENTRIES + 1)),
            &[(TooMany, 7, 3)],
        ),
        flag(
            "attributes at the most",
            &format!("attributes: {{{}}}", attributes(MAX_DECLARED)),
            &[],
        ),
        flag(
            "attributes over the most",
            &format!("attributes: {{{}}}", attributes(MAX_DECLARED + 1)),
            &[(TooMany, 6, 13)],
        )
        .says("more than 256 attributes"),
        flag(
            "waits over the most",
            &format!("transports: {{realtime-v2: {{retry: [{}]}}}}", list("1s", MAX_RETRIES + 1)),
            &[(TooMany, 6, 35)],
        ),
        flag(
            "tests over the most",
            &format!("tests: [{}]", list("{expect: polling}", MAX_CASES + 1)),
            &[(TooMany, 6, 8)],
        ),
        segment("ids over the most", "users_file: ids.txt", &[])
            .with("ids.txt", "a\n".repeat(MAX_USERS_FILE_IDS + 1))
            .and("ids.txt", &[(TooMany, MAX_USERS_FILE_IDS as u32 + 1, 1)])
            .spoiled(),
        segment("ids at the most, empty lines not counted", "users_file: ids.txt", &[])
            .with("ids.txt", "a\n\n".repeat(MAX_USERS_FILE_IDS)),
        whole("segments over the most", HEAD, &[]).with_many(
            "segments/s",
            MAX_SEGMENTS + 1,
            |key| format!("version: 1\nsegment: {key}\n"),
        ),
        whole("flags over the most", HEAD, &[])
            .with_many("f", MAX_FLAGS, |key| HEAD.replace("chat", key)),
    ]
}

impl Case {
    /// A number of flags or segments; the last of them is one too many.
    fn with_many(mut self, prefix: &str, count: usize, text: impl Fn(&str) -> String) -> Case {
        let path = |number: usize| format!("{prefix}{number:05}.yaml");
        for number in 0..count {
            let path = path(number);
            let stem = path.trim_start_matches("segments/").trim_end_matches(".yaml");
            self.contents
                .files
                .insert(path.clone(), File::Text(Text::new(text(stem).into_bytes())));
        }
        self.and(&path(count - 1), &[(TooMany, 0, 0)])
    }
}

/// A file has at most a hundred findings, whatever they are.
fn findings() -> Vec<Case> {
    let most: Vec<u32> = (0..MAX_FINDINGS as u32).collect();
    let lines = |first: u32, code, column| {
        most.iter().map(|line| (code, first + line, column)).collect::<Vec<Expected>>()
    };
    vec![
        flag(
            "findings of unknown keys",
            &(0..500).map(|n| format!("k{n}: 1\n")).collect::<String>(),
            &lines(6, UnknownKey, 1),
        ),
        flag(
            "findings of bad ids",
            &format!("deny:\n- users:{}", "\n  - ''".repeat(500)),
            &lines(8, BadId, 5),
        ),
        flag(
            "findings of failed tests",
            &format!("tests:{}", "\n- {expect: disabled}".repeat(500)),
            &lines(7, FailedTest, 3),
        ),
        flag(
            "findings of unknown segments",
            &format!(
                "deny:\n- segment:{}",
                (0..500).map(|n| format!("\n  - s{n}")).collect::<String>()
            ),
            &lines(8, UnknownSegment, 5),
        ),
        Case::new(
            "findings of a segment",
            SEGMENT,
            format!("{SEGMENT_HEAD}domains:{}", "\n- a@b".repeat(500)).as_bytes(),
            &lines(4, BadAddress, 3),
        ),
    ]
}
