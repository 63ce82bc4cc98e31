//! What people mistype, and the help that says what to type instead.

use turnout_core::definition::Code::*;

use super::harness::{Case, Expected, SEGMENT, SEGMENT_HEAD, flag, whole};

pub fn typing() -> Vec<Case> {
    let typed = |lines: &str, expect: Expected, help: &'static str| {
        flag(lines, lines, &[expect]).hint(help)
    };
    vec![
        typed("rollout:\n\trealtime-v2: 10%", (Syntax, 7, 2), "blanks, not tabs"),
        typed("\towner: a", (Syntax, 5, 15), "blanks, not tabs"),
        typed("owner:team", (Syntax, 6, 1), "a blank after the colon"),
        typed("owner", (Syntax, 6, 1), "a colon after the key"),
        typed("rollout: {realtime-v2:10%}", (UnknownKey, 6, 11), "`realtime-v2: …`"),
        typed("owner: \"team", (Syntax, 6, 8), "the quote that ends the text"),
        typed("owner: 'it's'", (Syntax, 6, 12), "'it''s'"),
        typed("owner: \"a \"b\" c\"", (Syntax, 6, 12), "written as \\\""),
        typed("owner: \"C:\\dir\"", (Syntax, 6, 8), "a backslash in \"…\" as two"),
        typed("owner: \"\\ud83d\"", (Syntax, 6, 8), "the character itself"),
        typed("owner: Build: live", (Syntax, 6, 13), "with `: ` in it in quotes"),
        typed("owner: @team", (Syntax, 6, 8), "begins with the sign @ in quotes"),
        typed("deny: [{users: [a}]", (Syntax, 6, 16), "end `[` with `]`"),
        typed("deny: [{users: [a]}", (Syntax, 6, 7), "`]` that ends the list"),
        typed("rollout: {realtime-v2: 1%", (Syntax, 6, 10), "`}` that ends the map"),
        typed("deny: [{users: [a]}]]", (Syntax, 6, 21), "the bracket too many"),
        typed(
            "rollout: {realtime-v2: 1% disabled: 0%}",
            (Syntax, 6, 35),
            "a comma between the keys",
        ),
        typed("deny: [{users: [a]},,]", (Syntax, 6, 21), "the comma too many"),
        typed(
            "rollout:\n   realtime-v2: 1%\n  disabled: 1%",
            (Syntax, 8, 3),
            "begin in one column",
        ),
        typed("deny:\n  - users: [a]\n - users: [b]", (Syntax, 8, 2), "begin in one column"),
        typed("deny: - users: [a]", (Syntax, 6, 7), "on the line below its key"),
        typed("owner: a\nowner: b", (DuplicateKey, 7, 1), "keep one of the two"),
        typed("<<<<<<< HEAD\nowner: a\n=======", (Syntax, 6, 1), "one side of the merge"),
        typed("owner: a\n=======\nsalt: b", (Syntax, 7, 1), "one side of the merge"),
        typed("owner: {{ .Values.owner }}", (WrongType, 6, 9), "stands in quotes"),
        typed("owner: |x\n  a", (Syntax, 6, 8), "alone after the key"),
        typed("deny: {users: [a]}", (WrongType, 6, 7), "begin each entry with `- `"),
        typed("deny: [{users: u-1}]", (WrongType, 6, 16), "put it in brackets"),
        typed("rollout: [10%]", (WrongType, 6, 10), "write `key: value`"),
        typed("rollout: {realtime-v2: [10%]}", (WrongType, 6, 24), "write one value"),
        typed("rollout: {realtime-v2: 10.0001%}", (BadShare, 6, 24), "behind the third decimal"),
        typed("rollout: {realtime-v2: 110%}", (BadShare, 6, 24), "at most 100%"),
        typed("rollout: {realtime-v2: much}", (BadShare, 6, 24), "a share like 10%"),
        typed("salt: Big Salt", (BadName, 6, 7), "small letters"),
        typed("attributes: {plan: word}", (WrongType, 6, 20), "put its values in brackets"),
        typed("bucket_by: account", (UnknownAttribute, 6, 12), "{ account: text }"),
        typed(
            "attributes: {seats: number}\nbucket_by: seats",
            (UnknownAttribute, 7, 12),
            "declare it `text`, or name another",
        ),
        typed("deny: [{when: {seats: 5}}]", (UnknownAttribute, 6, 16), "{ seats: number }"),
        typed(
            "deny: [{when: {seats: {at_least: 5}}}]",
            (UnknownAttribute, 6, 16),
            "{ seats: number }",
        ),
        typed(
            "deny: [{when: {app_version: {below: \"2.10\"}}}]",
            (UnknownAttribute, 6, 16),
            "{ app_version: version }",
        ),
        typed("deny: [{when: {beta: true}}]", (UnknownAttribute, 6, 16), "{ beta: boolean }"),
        typed("deny: [{when: {plan: [a, b]}}]", (UnknownAttribute, 6, 16), "{ plan: text }"),
        typed("deny: [{when: {users: [a]}}]", (UnknownAttribute, 6, 16), "stands beside `when`"),
        typed("deny: [{emails: [example.com]}]", (BadAddress, 6, 18), "stand under `domains`"),
        typed("deny: [{emails: ['Jo <jo@a.com>']}]", (BadAddress, 6, 18), "one address alone"),
        typed("deny: [{emails: ['jo@*.a.com']}]", (BadAddress, 6, 18), "list each address"),
        typed("deny: [{domains: ['@a.com']}]", (BadAddress, 6, 19), "leave out the `@`"),
        typed("deny: [{domains: [jo@a.com]}]", (BadAddress, 6, 19), "under `emails`"),
        typed("deny: [{domains: ['*.a.com']}]", (BadAddress, 6, 19), "list each subdomain"),
        typed("deny: [{domains: [a.com b.com]}]", (BadAddress, 6, 19), "one domain alone"),
        typed("deny: [{users: ['']}]", (BadId, 6, 17), "write the id, or remove the entry"),
        typed("rollout: realtime-v2:10%", (WrongType, 6, 10), "a blank after the colon"),
        typed("deny:\n  - users [a]", (WrongType, 7, 5), "a colon after the key"),
        whole("a flag of two keys", "version: 1\nflag: chat\n", &[(MissingKey, 1, 1); 3])
            .hint("add `enabled: true`")
            .hint("add `when_stopped: polling`"),
    ]
}

/// A colon, a blank, a bracket or a quote left out, on the first, a middle or the last line of a map:
/// the line it is missing from is blamed, and none below it.
pub fn left_out() -> Vec<Case> {
    const COLON: &str = "a colon after the key, and a blank after the colon";
    const BRACE: &str = "add the `}` that ends the map";
    const BRACKET: &str = "add the `]` that ends the list";
    const QUOTE: &str = "add the quote that ends the text";
    let cases = [
        ("rollout:\n  realtime-v2 10%\n  disabled: 5%", (7, 3), COLON),
        ("rollout:\n  realtime-v2:10%\n  disabled: 5%", (7, 3), COLON),
        ("rollout:\n  realtime-v2 10%   # buckets\n  disabled: 5%", (7, 3), COLON),
        ("rollout:\n  realtime-v2:10%   # buckets\n  disabled: 5%", (7, 3), COLON),
        ("rollout:\n  realtime-v2:10%\n  # buckets\n  disabled: 5%", (7, 3), COLON),
        ("rollout:\n  realtime-v2:10%   # buckets\n  disabled:5%", (7, 3), COLON),
        ("rollout:\n  disabled: 5%\n  realtime-v2:10%   # buckets", (8, 3), COLON),
        ("rollout:\n  disabled: 5%\n  realtime-v2 10%\nowner: a", (8, 3), COLON),
        ("rollout:\n  realtime=60%\n  disabled: 5%", (7, 3), COLON),
        ("rules:\n  - name a\n    when: {email: b}", (7, 5), COLON),
        ("rules:\n  - name:a # it\n    when: {email: b}", (7, 5), COLON),
        ("rules:\n  - name: a\n    strategy:polling\nowner: a", (8, 5), COLON),
        ("attributes:\n  plan:text # it\n  seats: number", (7, 3), COLON),
        ("attributes:\n  a:text\n  b:text\n  c: text", (7, 3), COLON),
        ("attributes:\n  a: text\n  seats number\n  c: text", (8, 3), COLON),
        ("transports:\n  polling:\n    poll_every:4s # it\n    jitter: 1s", (8, 5), COLON),
        ("rollout: {realtime-v2: 1%\nowner: a", (6, 10), BRACE),
        ("rollout: {realtime-v2: 1%   # it\nowner: a", (6, 10), BRACE),
        ("rules:\n  - name: a\n    when: {email: b\n    strategy: polling", (8, 11), BRACE),
        ("transports:\n  polling: {a: 4s\n  realtime-v2: {b: 1s}", (7, 12), BRACE),
        ("deny: [{users: [a]}\nowner: a", (6, 7), BRACKET),
        ("deny:\n  - users: [a, b\n  - users: [c]", (7, 12), BRACKET),
        ("deny:\n  - users: [a, b  # it's\n  - users: [c]\nowner: a", (7, 12), BRACKET),
        ("deny:\n  - users: [a, 'b]'\nowner: a\nallow: []", (7, 12), BRACKET),
        ("owner: \"a\nsalt: \"b\"", (6, 8), QUOTE),
        ("owner: 'a # it\nsalt: 'b'", (6, 8), QUOTE),
        ("rules:\n  - name: \"a\n    strategy: polling\nowner: \"x\"", (7, 11), QUOTE),
        // What is right before it is not blamed.
        ("owner: a b # it\n  c d\nsalt: b", (6, 12), "put the whole text on one line"),
        ("rollout: {\n  realtime-v2: 1%\n  disabled: 1%\n}", (8, 11), "a comma between the keys"),
        ("owner: Build: live", (6, 13), "with `: ` in it in quotes"),
    ];
    let case = |(lines, (line, column), help): (&str, (u32, u32), &'static str)| {
        flag(lines, lines, &[(Syntax, line, column)]).hint(help)
    };
    cases.into_iter().map(case).collect()
}

/// A case of a flag with a rule, two segments and 10 % of realtime-v2: the help names what decided.
pub fn failing_tests() -> Vec<Case> {
    const SEGMENTS: &str = "tests do not read segments";
    let head = "attributes: {plan: text, seats: number}\n\
        deny: [{segment: blocked}]\nallow: [{segment: internal, strategy: realtime-v2}]\n\
        rules: [{name: big, when: {seats: {at_least: 5}}, strategy: realtime-v2}]";
    let case = |rollout: &str, case: &str, helps: &[&'static str], never: &[&'static str]| {
        let text = format!("{head}\nrollout: {rollout}\ntests:\n  - {{{case}}}");
        let case = flag(case, &text, &[(FailedTest, 12, 5)])
            .with(SEGMENT, SEGMENT_HEAD)
            .with("segments/blocked.yaml", SEGMENT_HEAD.replace("internal", "blocked"));
        let case = helps.iter().fold(case, |case, help| case.hint(help));
        never.iter().fold(case, |case, help| case.never_says(help))
    };
    let real = "{realtime-v2: 10%, disabled: 5%}";
    vec![
        case(
            real,
            "user: u, bucket: 50000, expect: realtime-v2",
            &[SEGMENTS, "`segments: [internal]`", "write `expect: polling`"],
            &["blocked"],
        ),
        case(
            real,
            "user: u, bucket: 50000, expect: polling, by: deny",
            &["`segments: [blocked]`", "write `by: rollout`"],
            &["internal"],
        ),
        case(
            real,
            "user: u, bucket: 50000, expect: disabled",
            &["bucket 50000", "the first 10%, and disabled the last 5%", "write `expect: polling`"],
            &[SEGMENTS],
        ),
        case(
            real,
            "bucket: 50000, expect: realtime-v2",
            &["bucket 50000 of 100000 decided"],
            &[SEGMENTS],
        ),
        case(
            real,
            "user: u, segments: [blocked], expect: realtime-v2",
            &["if the flag is right, write `expect: polling`"],
            &[SEGMENTS, "bucket"],
        ),
        case(
            real,
            "user: u, with: {seats: 5}, expect: disabled",
            &["if the flag is right, write `expect: realtime-v2`"],
            &[SEGMENTS, "bucket"],
        ),
        case(
            real,
            "user: u, with: {seats: five}, expect: disabled",
            &["is not of the type that the flag declares"],
            &[SEGMENTS, "bucket"],
        ),
        case(
            real,
            "expect: realtime-v2",
            &["needs a `user` or a `bucket`"],
            &[SEGMENTS, "decided"],
        ),
        case(
            "{realtime-v2: 0%}",
            "user: u, expect: disabled",
            &["all buckets the same at 0%"],
            &[SEGMENTS, "decided"],
        ),
        case(
            "{realtime-v2: 100%}",
            "user: u, expect: polling, by: rollout",
            &["all buckets the same at 100%", "write `expect: realtime-v2`"],
            &[SEGMENTS, "decided"],
        ),
    ]
}
