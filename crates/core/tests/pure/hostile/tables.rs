//! Tables of tests for a flag: an unreadable table refuses nothing, a failing case refuses a new
//! form of the flag.

use turnout_core::definition::Code::*;
use turnout_core::definition::limits::MAX_CASES;

use super::harness::{Case, Expected, HEAD, flag, whole};

const TABLE: &str = "tests/chat.yaml";

/// A faulty table for a good flag.
fn table(name: &str, text: &str, expect: &[Expected]) -> Case {
    flag(name, "attributes: {plan: text}", &[]).with(TABLE, text).and(TABLE, expect)
}

/// Cases from line 3.
fn cases(name: &str, cases: &str, expect: &[Expected]) -> Case {
    table(name, &format!("flag: chat\ncases:\n{cases}\n"), expect)
}

pub fn tables() -> Vec<Case> {
    vec![
        table("an empty table", "", &[(Empty, 0, 0)]),
        table("a table that never ends", "flag: [", &[(Syntax, 1, 7)]),
        table("a binary table", "flag: chat\n\0", &[(Binary, 2, 1)]),
        table("a list for a table", "- {expect: polling}", &[(WrongType, 1, 1)]),
        table("a table of nothing", "{}", &[(MissingKey, 1, 1); 2]),
        table("a table without a flag", "cases: []", &[(MissingKey, 1, 1)]).hint("add `flag: …`"),
        table("a table without cases", "flag: chat", &[(MissingKey, 1, 1)]),
        table(
            "a table with a key too many",
            "version: 1\nflag: chat\ncases: []",
            &[(UnknownKey, 1, 1)],
        ),
        table(
            "a table with a key twice",
            "flag: chat\ncases: []\ncases: []",
            &[(DuplicateKey, 3, 1)],
        ),
        table("a table of an unknown flag", "flag: chats\ncases: []", &[(BadCase, 1, 7)])
            .says("no flag `chats`"),
        table("a table of a flag in capitals", "flag: Chat\ncases: []", &[(BadName, 1, 7)]),
        table("a map of cases", "flag: chat\ncases: {}", &[(WrongType, 2, 8)]),
        table(
            "two documents of a table",
            "flag: chat\ncases: []\n---\n",
            &[(SeveralDocuments, 3, 4)],
        ),
        cases("an alias among cases", "- *a", &[(Alias, 3, 3)]),
        cases("a word for a case", "- a", &[(WrongType, 3, 3)]),
        cases("a case that expects nothing", "- {name: a}", &[(MissingKey, 3, 3)]),
        cases("a case that expects nonsense", "- {expect: nosuch}", &[(BadStrategy, 3, 12)]),
        cases(
            "a case with a key too many",
            "- {expect: polling, users: a}",
            &[(UnknownKey, 3, 21)],
        ),
        cases("a list for a case's name", "- {name: [a], expect: polling}", &[(WrongType, 3, 10)]),
        cases(
            "an undeclared attribute in each",
            "- {each: {country: [de]}, expect: polling}",
            &[(UnknownAttribute, 3, 11)],
        ),
        cases("a list for each", "- {each: [plan], expect: polling}", &[(WrongType, 3, 10)]),
        cases("one value in each", "- {each: {plan: a}, expect: polling}", &[(WrongType, 3, 17)]),
        // No case would run, and the table would pass.
        cases("nothing in each", "- {each: {email: []}, expect: disabled}", &[(EmptyEntry, 3, 18)])
            .hint("at least one value"),
        cases(
            "nothing in one of each",
            "- {each: {plan: [a], email: [], email_verified: []}, expect: disabled}",
            &[(EmptyEntry, 3, 29), (EmptyEntry, 3, 49)],
        ),
        cases(
            "a fault in a case of many is one fault",
            "- {each: {plan: [a, b, c]}, expect: nosuch}",
            &[(BadStrategy, 3, 37)],
        ),
        cases(
            "each over the most",
            &format!("- {{expect: polling, each: {{plan: [{}]}}}}", "a,".repeat(MAX_CASES) + "b"),
            &[(TooMany, 3, 34)],
        ),
        cases("a case that fails", "- {expect: disabled}", &[(FailedTest, 3, 3)])
            .spoiled()
            .says("got polling by default"),
        cases(
            "a named case that fails",
            "- {expect: polling}\n- {name: a, expect: realtime-v2}",
            &[(FailedTest, 4, 3)],
        )
        .spoiled()
        .says("(a)"),
        cases(
            "cases that pass",
            "- {name: a, each: {plan: [b, c]}, expect: polling, by: default}",
            &[],
        ),
        whole(
            "a table of a flag that is broken",
            format!("{HEAD}ownr: a\n"),
            &[(UnknownKey, 6, 1)],
        )
        .with(TABLE, "flag: chat\ncases: [{expect: polling}]\n"),
    ]
}
