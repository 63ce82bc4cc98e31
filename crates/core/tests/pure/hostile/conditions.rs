//! The parts of a `when:`: attributes, words, comparisons, versions and numbers.

use turnout_core::definition::Code::*;

use super::harness::{Case, Expected, SEGMENT, SEGMENT_HEAD, flag};

/// A rule over attributes declared on line 6. The condition starts on line 8, in column 9.
fn when(name: &str, condition: &str, expect: &[Expected]) -> Case {
    let declared = "attributes: {platform: [ios, android, web], app: version, plan: text, age: number, beta: boolean}";
    flag(
        name,
        &format!("{declared}\nrules: [{{name: a, strategy: polling,\n  when: {condition}}}]"),
        expect,
    )
    .with(SEGMENT, SEGMENT_HEAD)
}

pub fn conditions() -> Vec<Case> {
    [
        attributes(),
        words(),
        text_values(),
        versions(),
        numbers(),
        booleans(),
        segments_and_not(),
        several_at_once(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn attributes() -> Vec<Case> {
    vec![
        when("an empty condition", "{}", &[(EmptyEntry, 8, 9)]).hint("or remove it"),
        when("a mistyped attribute", "{platfrom: ios}", &[(UnknownAttribute, 8, 10)])
            .hint("did you mean `platform`?"),
        when("an undeclared attribute", "{country: de}", &[(UnknownAttribute, 8, 10)])
            .hint("attributes: { country: text }"),
        when("an attribute in another case", "{Plan: a}", &[(UnknownAttribute, 8, 10)])
            .hint("did you mean `plan`?"),
        when("users in a condition", "{users: [a]}", &[(UnknownAttribute, 8, 10)]),
        when(
            "whether the address is verified",
            "{email_verified: true}",
            &[(UnknownAttribute, 8, 10)],
        ),
        when("a wished-for `or`", "{or: [a, b]}", &[(UnknownAttribute, 8, 10)]),
        when("an attribute without a name", "{\"\": a}", &[(UnknownAttribute, 8, 10)]),
        when("a decimal comma", "{age: 1,5}", &[(UnknownAttribute, 8, 17)]),
        when("a list of conditions", "[plan]", &[(WrongType, 8, 9)]),
        when("an attribute alone", "plan", &[(WrongType, 8, 9)]),
        when("the address needs no declaring", "{email: {ends_with: \"@example.com\"}}", &[]),
        flag("nothing is declared", "deny: [{when: {plan: a}}]", &[(UnknownAttribute, 6, 16)]),
        // The attribute is declared, with a fault: one mistake, one finding.
        flag(
            "a badly declared attribute",
            "attributes: {plan: texxt}\ndeny: [{when: {plan: a}}]",
            &[(WrongType, 6, 20)],
        )
        .hint("did you mean `text`?"),
        flag(
            "an attribute declared without values",
            "attributes: {plan: []}\ndeny: [{when: {plan: a}}]",
            &[(EmptyEntry, 6, 20)],
        ),
    ]
}

fn words() -> Vec<Case> {
    vec![
        when("a mistyped word", "{platform: andriod}", &[(UnknownWord, 8, 20)])
            .hint("did you mean `android`?"),
        when("an undeclared word", "{platform: windows}", &[(UnknownWord, 8, 20)])
            .hint("declared are `ios`, `android` and `web`"),
        when("a word in another case", "{platform: iOS}", &[(UnknownWord, 8, 20)]),
        when("a word with a blank behind it", "{platform: \"ios \"}", &[(UnknownWord, 8, 20)])
            .hint("did you mean `ios`?"),
        when(
            "undeclared words in a list",
            "{platform: [ios, ipad, mac]}",
            &[(UnknownWord, 8, 26), (UnknownWord, 8, 32)],
        ),
        when("an undeclared word under not", "{platform: {not: mac}}", &[(UnknownWord, 8, 26)]),
        when(
            "an undeclared word under not not",
            "{platform: {not: {not: [ios, mac]}}}",
            &[(UnknownWord, 8, 38)],
        ),
        when("a list in a list", "{platform: [[ios]]}", &[(WrongType, 8, 21)]),
        when("compared with nothing", "{platform: {}}", &[(EmptyEntry, 8, 20)]),
        when("a word below another", "{platform: {below: ios}}", &[(WrongComparison, 8, 28)]),
        // One mistake, one finding: whether `i` is a declared word does not matter.
        when("the start of a word", "{platform: {starts_with: i}}", &[(WrongComparison, 8, 34)]),
        when("no word", "{platform: }", &[(WrongType, 8, 18)]),
        when("a null for a word", "{platform: ~}", &[(WrongType, 8, 20)]),
    ]
}

fn text_values() -> Vec<Case> {
    vec![
        when("a text below another", "{plan: {below: a}}", &[(WrongComparison, 8, 24)])
            .hint("for numbers and versions"),
        when("a text of at least another", "{plan: {at_least: a}}", &[(WrongComparison, 8, 27)]),
        when("an address below another", "{email: {below: a}}", &[(WrongComparison, 8, 25)]),
        when("starts with nothing", "{plan: {starts_with: \"\"}}", &[(BadText, 8, 30)])
            .hint("at least one character"),
        when("ends with nothing", "{email: {ends_with: ''}}", &[(BadText, 8, 29)]),
        when("ends with a list", "{plan: {ends_with: [a, b]}}", &[(WrongType, 8, 28)]),
        when("starts with a map", "{plan: {starts_with: {not: a}}}", &[(WrongType, 8, 30)]),
        when("a pattern", "{plan: {matches: \"^a.*\"}}", &[(UnknownKey, 8, 17)]),
        when("a text compared with nothing", "{plan: {}}", &[(EmptyEntry, 8, 16)]),
        when("a text compared with not nothing", "{plan: {not: {}}}", &[(EmptyEntry, 8, 22)]),
        when("no text", "{plan: ~}", &[(WrongType, 8, 16)]),
        when(
            "no text in a list",
            "{plan: [a, ~, null]}",
            &[(WrongType, 8, 20), (WrongType, 8, 23)],
        ),
        when("an empty text is a text", "{plan: \"\"}", &[]),
    ]
}

fn versions() -> Vec<Case> {
    vec![
        when("a version with a v", "{app: v2}", &[(BadVersion, 8, 15)]).hint("like 2.10"),
        when("a version that ends in a dot", "{app: \"2.\"}", &[(BadVersion, 8, 15)]),
        when("a version with a hole", "{app: 2..1}", &[(BadVersion, 8, 15)]),
        when("a version with a joker", "{app: 2.x}", &[(BadVersion, 8, 15)]),
        when("a version with its operator", "{app: \">=2\"}", &[(BadVersion, 8, 15)])
            .hint("write { at_least: \"2\" }"),
        when("a version with the other operator", "{app: \"< 2.1\"}", &[(BadVersion, 8, 15)])
            .hint("write { below: \"2.1\" }"),
        when("either of two", "{or: [a, b]}", &[(UnknownAttribute, 8, 10)])
            .hint("write a list of values, or two rules"),
        when("a version by name", "{app: {below: latest}}", &[(BadVersion, 8, 23)]),
        when("a version as a power", "{app: 1e3}", &[(BadVersion, 8, 15)]),
        when("a version below zero", "{app: {below: -1}}", &[(BadVersion, 8, 23)]),
        when("a pre-release without a name", "{app: 2.1-}", &[(BadVersion, 8, 15)]),
        when("an empty version", "{app: \"\"}", &[(BadVersion, 8, 15)]),
        when(
            "a version too long",
            &format!("{{app: {}}}", "1".repeat(129)),
            &[(BadVersion, 8, 15)],
        ),
        when(
            "bad versions in a list",
            "{app: [1, two, 3, four]}",
            &[(BadVersion, 8, 19), (BadVersion, 8, 27)],
        ),
        when("below a list of versions", "{app: {below: [2, 3]}}", &[(WrongType, 8, 23)]),
        when("the start of a version", "{app: {starts_with: 2}}", &[(WrongComparison, 8, 29)]),
        when("between two versions", "{app: {at_least: 2.10, below: 3.0.0-beta.1}}", &[]),
    ]
}

fn numbers() -> Vec<Case> {
    vec![
        when("a number in words", "{age: ten}", &[(BadNumber, 8, 15)]).hint("without quotes"),
        when("a number in quotes", "{age: \"18\"}", &[(BadNumber, 8, 15)]),
        when("a number as a power", "{age: 1e1}", &[(BadNumber, 8, 15)]),
        when("a number in hexadecimal", "{age: 0x10}", &[(BadNumber, 8, 15)]),
        when("a number with an underscore", "{age: 1_000}", &[(BadNumber, 8, 15)]),
        when("a number with a plus", "{age: +5}", &[(BadNumber, 8, 15)]),
        when("a number without its whole", "{age: .5}", &[(BadNumber, 8, 15)]),
        when("a number without its decimals", "{age: 5.}", &[(BadNumber, 8, 15)]),
        when("not a number", "{age: .nan}", &[(BadNumber, 8, 15)]),
        when("an infinity", "{age: {below: .inf}}", &[(BadNumber, 8, 23)]),
        when(
            "a number as good as infinite",
            &format!("{{age: {}}}", "9".repeat(400)),
            &[(BadNumber, 8, 15)],
        ),
        when(
            "bad numbers in a list",
            "{age: [1, two, 3, iv]}",
            &[(BadNumber, 8, 19), (BadNumber, 8, 27)],
        ),
        when("below a list of numbers", "{age: {below: [1]}}", &[(WrongType, 8, 23)]),
        when("the end of a number", "{age: {ends_with: 1}}", &[(WrongComparison, 8, 27)]),
        when("no number", "{age: }", &[(WrongType, 8, 13)]),
        when("a number below zero", "{age: {at_least: -0.5}}", &[]),
    ]
}

fn booleans() -> Vec<Case> {
    vec![
        when("a yes", "{beta: yes}", &[(WrongType, 8, 16)]).hint("write `true`"),
        when("a boolean in quotes", "{beta: \"true\"}", &[(WrongType, 8, 16)]),
        when("a one", "{beta: 1}", &[(WrongType, 8, 16)]).hint("write `true` or `false`"),
        when("not a no", "{beta: {not: no}}", &[(WrongType, 8, 22)]).hint("write `false`"),
        when("both of them", "{beta: [true, false]}", &[(WrongType, 8, 16)]),
        when("below true", "{beta: {below: true}}", &[(WrongComparison, 8, 24)]),
        when("neither", "{beta: ~}", &[(WrongType, 8, 16)]),
    ]
}

fn segments_and_not() -> Vec<Case> {
    vec![
        when("not a word", "{not: ios}", &[(WrongType, 8, 15)]),
        when("not a list", "{not: []}", &[(WrongType, 8, 15)]),
        when("not nothing", "{not: {}}", &[(EmptyEntry, 8, 15)]),
        when("not not nothing", "{not: {not: {}}}", &[(EmptyEntry, 8, 21)]),
        when("a mistyped attribute under not", "{not: {plann: a}}", &[(UnknownAttribute, 8, 16)]),
        when("not in capitals", "{NOT: {plan: a}}", &[(UnknownAttribute, 8, 10)]),
        when("segments", "{segments: internal}", &[(UnknownAttribute, 8, 10)])
            .hint("did you mean `segment`?"),
        when("a segment's name in capitals", "{segment: Internal}", &[(BadName, 8, 19)]),
        // All faults are reported together.
        when(
            "two bad names among segments",
            "{segment: [internal, A, B]}",
            &[(BadName, 8, 30), (BadName, 8, 33)],
        ),
        when("a map of segments", "{segment: {not: internal}}", &[(WrongType, 8, 19)]),
        when("no segment", "{segment: ~}", &[(WrongType, 8, 19)]),
        when("an unknown segment", "{segment: staff}", &[(UnknownSegment, 8, 19)])
            .hint("no file segments/staff.yaml"),
    ]
}

fn several_at_once() -> Vec<Case> {
    vec![
        when(
            "three parts of four",
            "{platform: ios, plant: a, app: x, age: y}",
            &[(UnknownAttribute, 8, 25), (BadVersion, 8, 40), (BadNumber, 8, 48)],
        ),
        flag(
            "one in each rule",
            "attributes: {a: number}\nrules:\n- {name: a, strategy: polling, when: {a: x}}\n- {name: b, strategy: polling, when: {b: 1}}\n- {name: c, strategy: polling, when: {}}",
            &[(BadNumber, 8, 42), (UnknownAttribute, 9, 39), (EmptyEntry, 10, 38)],
        ),
        flag(
            "one in each list",
            "deny: [{when: {a: 1}}]\nallow: [{when: {b: 1}, strategy: polling}]\nrules: [{name: c, strategy: polling, when: {c: 1}}]",
            &[(UnknownAttribute, 6, 16), (UnknownAttribute, 7, 17), (UnknownAttribute, 8, 45)],
        ),
        when(
            "two bad bounds",
            "{age: {at_least: x, not: {below: y}}}",
            &[(BadNumber, 8, 26), (BadNumber, 8, 42)],
        ),
    ]
}
