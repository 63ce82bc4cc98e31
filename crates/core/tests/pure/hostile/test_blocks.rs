//! `tests:`: cases that cannot be run, and cases that fail.

use turnout_core::definition::Code::*;

use super::harness::{Case, Expected, HEAD, SEGMENT, SEGMENT_HEAD, flag, whole};

/// A case on line 11, from column 5, of a flag with a rule `big`, the segment `internal` and 10 %
/// realtime-v2.
fn test(name: &str, case: &str, expect: &[Expected]) -> Case {
    let head = "attributes: {plan: text, age: number}\ndeny: [{segment: internal}]\n\
        rules: [{name: big, when: {plan: big}, strategy: realtime-v2}]\nrollout: {realtime-v2: 10%}";
    flag(name, &format!("{head}\ntests:\n  - {{{case}}}"), expect).with(SEGMENT, SEGMENT_HEAD)
}

/// A flag with a segment mistyped on line 6, and a case on line 7.
fn mistyped_in_the_flag(name: &str, case: &str, expect: &[Expected]) -> Case {
    let text = format!(
        "allow: [{{segment: interal, strategy: realtime-v2}}]\ntests: [{{user: u, expect: polling, {case}}}]"
    );
    let expect = [&[(UnknownSegment, 6, 19)], expect].concat();
    flag(name, &text, &expect)
}

/// A case on line 8 of a flag that is switched off.
fn off(name: &str, case: &str, expect: &[Expected]) -> Case {
    let rules = "deny: [{users: [u-1]}]\nrollout: {realtime-v2: 10%}";
    let text = format!("{}{rules}\ntests: [{{{case}}}]\n", HEAD.replace("true", "false"));
    whole(name, text, expect)
}

pub fn test_blocks() -> Vec<Case> {
    [bad_cases(), failed_tests()].into_iter().flatten().collect()
}

fn bad_cases() -> Vec<Case> {
    vec![
        test(
            "segments without a user",
            "expect: polling, segments: [internal]",
            &[(BadCase, 11, 5)],
        )
        .hint("add `user: x`"),
        test(
            "a segment the flag does not name",
            "expect: polling, user: u, segments: [staff]",
            &[(BadCase, 11, 43)],
        )
        .says("being in it changes nothing"),
        test(
            "a mistyped segment",
            "expect: polling, user: u, segments: [internl]",
            &[(BadCase, 11, 43)],
        )
        .hint("did you mean `internal`?"),
        // The mistake is where the flag names it, and its name helps no test.
        mistyped_in_the_flag(
            "a segment that the flag has mistyped",
            "segments: [internal]",
            &[(BadCase, 7, 47)],
        )
        .with(SEGMENT, SEGMENT_HEAD)
        .hint("a segment with a similar name exists: `internal`")
        .hint("line 6 says `interal`: write `internal` there")
        .never_says("did you mean"),
        mistyped_in_the_flag(
            "a segment that the flag has not even mistyped",
            "segments: [staff]",
            &[(BadCase, 7, 47)],
        )
        .with(SEGMENT, SEGMENT_HEAD)
        .hint("remove it"),
        // Also where no segment is known by either name.
        mistyped_in_the_flag(
            "a mistyped segment without a file of another name",
            "segments: [internal]",
            &[(BadCase, 7, 47)],
        )
        .hint("no file segments/interal.yaml")
        .never_says("did you mean"),
        // Also in a file with another fault.
        mistyped_in_the_flag(
            "a segment that the flag has mistyped, and another fault",
            "by: nosuch",
            &[(BadCase, 7, 40)],
        )
        .with(SEGMENT, SEGMENT_HEAD),
        test(
            "a segment in capitals",
            "expect: polling, user: u, segments: [Internal]",
            &[(BadName, 11, 43)],
        ),
        test(
            "a null among segments",
            "expect: polling, user: u, segments: [~]",
            &[(WrongType, 11, 43)],
        ),
        test("one segment", "expect: polling, user: u, segments: internal", &[(WrongType, 11, 42)]),
        test("an unknown identity", "expect: polling, identity: root", &[(BadCase, 11, 33)])
            .says("`verified`, `server` or `plain`"),
        test("an identity in capitals", "expect: polling, identity: Plain", &[(BadCase, 11, 33)]),
        test("a null identity", "expect: polling, identity: ~", &[(WrongType, 11, 33)]),
        test("by an unknown step", "expect: polling, by: nosuch", &[(BadCase, 11, 27)])
            .says("`error` and `big`"),
        test("by a mistyped step", "expect: polling, by: rolout", &[(BadCase, 11, 27)])
            .hint("did you mean `rollout`?"),
        test(
            "by a stop, which no file can come to",
            "expect: polling, by: stop",
            &[(BadCase, 11, 27)],
        ),
        test(
            "by a clamp, which no file can come to",
            "expect: polling, by: server-auth",
            &[(BadCase, 11, 27)],
        ),
        test("by a list", "expect: polling, by: [big]", &[(WrongType, 11, 27)]),
        test(
            "a bucket too high",
            "expect: polling, user: u, bucket: 100000",
            &[(BadNumber, 11, 40)],
        )
        .says("from 0 to 99999"),
        test("a bucket below zero", "expect: polling, bucket: -1", &[(BadNumber, 11, 31)]),
        test("a bucket in quotes", "expect: polling, bucket: \"5\"", &[(BadNumber, 11, 31)]),
        test("a bucket in per cent", "expect: polling, bucket: 10%", &[(BadNumber, 11, 31)]),
        test(
            "a user too long",
            &format!("expect: polling, user: {}", "u".repeat(257)),
            &[(BadId, 11, 29)],
        ),
        test("a list of users", "expect: polling, user: [u]", &[(WrongType, 11, 29)]),
        test(
            "a mistyped attribute",
            "expect: polling, with: {paln: big}",
            &[(UnknownAttribute, 11, 30)],
        )
        .hint("did you mean `plan`?"),
        test(
            "an undeclared attribute",
            "expect: polling, with: {country: de}",
            &[(UnknownAttribute, 11, 30)],
        ),
        test(
            "a segment among attributes",
            "expect: polling, with: {segment: internal}",
            &[(UnknownAttribute, 11, 30)],
        ),
        test(
            "a list for an attribute",
            "expect: polling, with: {plan: [big]}",
            &[(WrongType, 11, 36)],
        ),
        test("a list of attributes", "expect: polling, with: [plan]", &[(WrongType, 11, 29)]),
        test(
            "everything at once",
            "expect: sse, by: nosuch, user: [], bucket: x, identity: y, with: z, segments: w",
            &[
                (BadStrategy, 11, 14),
                (BadCase, 11, 23),
                (WrongType, 11, 37),
                (BadNumber, 11, 49),
                (BadCase, 11, 62),
                (WrongType, 11, 71),
                (WrongType, 11, 84),
            ],
        ),
        // The rule exists, with a fault: one mistake, one finding.
        flag(
            "by a rule that is broken",
            "rules: [{name: a, when: {}, strategy: polling}]\ntests: [{expect: polling, by: a}]",
            &[(EmptyEntry, 6, 25)],
        ),
    ]
}

fn failed_tests() -> Vec<Case> {
    vec![
        test(
            "another strategy",
            "expect: disabled, user: u, bucket: 10000",
            &[(FailedTest, 11, 5)],
        )
        .says("expected disabled, got polling by rollout"),
        test(
            "the bucket next to the right one",
            "expect: realtime-v2, user: u, bucket: 10000",
            &[(FailedTest, 11, 5)],
        ),
        test(
            "another step",
            "expect: polling, user: u, bucket: 10000, by: default",
            &[(FailedTest, 11, 5)],
        )
        .says("expected polling by default, got polling by rollout"),
        test("no unit", "expect: realtime-v2", &[(FailedTest, 11, 5)])
            .says("got polling by no-unit"),
        test(
            "a bucket without a user",
            "expect: realtime-v2, bucket: 10000",
            &[(FailedTest, 11, 5)],
        ),
        test(
            "another rule",
            "expect: realtime-v2, by: big, with: {plan: small}",
            &[(FailedTest, 11, 5)],
        )
        .says("expected realtime-v2 by big, got polling by no-unit"),
        test(
            "the segment's own users do not count",
            "expect: polling, user: u, by: deny",
            &[(FailedTest, 11, 5)],
        )
        .with(SEGMENT, format!("{SEGMENT_HEAD}users: [u]\n")),
        test(
            "a wrong type that is never compared",
            "expect: polling, with: {age: old}, by: error",
            &[(FailedTest, 11, 5)],
        ),
        off("off, and what it serves", "expect: polling, by: off", &[]),
        off("off, and what it serves by no step", "user: u, bucket: 5, expect: polling", &[]),
        off(
            "off, and what its rollout says",
            "user: u, bucket: 5, expect: realtime-v2, by: rollout",
            &[],
        ),
        off("off, and what its deny list says", "user: u-1, expect: polling, by: deny", &[]),
        off(
            "off, and what it never gives",
            "user: u, bucket: 5, expect: disabled",
            &[(FailedTest, 8, 9)],
        )
        .says("got realtime-v2 by rollout, if it were enabled")
        .hint("to switch it off whatever its tests say: turnout stop chat"),
        off(
            "off, and another strategy by that",
            "expect: disabled, by: off",
            &[(FailedTest, 8, 9)],
        )
        .says("expected disabled by off, got polling by off")
        .never_says("turnout stop"),
        off(
            "off, and another step",
            "user: u-1, expect: realtime-v2, by: allow",
            &[(FailedTest, 8, 9)],
        ),
        test("by off while it is enabled", "expect: polling, by: off", &[(FailedTest, 11, 5)])
            .says("expected polling by off, got polling by no-unit"),
        flag(
            "two of three",
            "tests:\n  - {expect: disabled}\n  - {expect: polling}\n  - {expect: realtime-v2, by: rule}",
            &[(FailedTest, 7, 5), (FailedTest, 9, 5)],
        ),
        flag(
            "no test is run over a broken file",
            "ownr: a\ntests: [{expect: disabled}]",
            &[(UnknownKey, 6, 1)],
        ),
        flag(
            "no test is run before the segments are known",
            "deny: [{segment: internal}]\ntests: [{expect: disabled}]",
            &[(UnknownSegment, 6, 18)],
        ),
        test("tests that pass", "expect: realtime-v2, by: big, with: {plan: big}", &[]),
    ]
}
