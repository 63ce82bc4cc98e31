//! YAML's own machinery: what a flag file may not use of it.

use turnout_core::definition::Code::*;

use super::harness::{Case, HEAD, SEGMENT, flag, segment, whole};

pub fn documents_and_directives() -> Vec<Case> {
    vec![
        whole("a marker at the start", format!("---\n{HEAD}"), &[]),
        whole("a marker at the start, comments around it", format!("# a\n---\n# b\n{HEAD}"), &[]),
        whole("an end marker", format!("{HEAD}...\n"), &[]),
        whole("a marker at the end", format!("{HEAD}---\n"), &[(SeveralDocuments, 6, 4)])
            .hint("remove the `---`"),
        whole("a second document", format!("{HEAD}---\nowner: a\n"), &[(SeveralDocuments, 7, 1)]),
        whole(
            "the same flag twice",
            format!("---\n{HEAD}---\n{HEAD}"),
            &[(SeveralDocuments, 8, 1)],
        ),
        whole(
            "a second document of a comment",
            format!("{HEAD}---\n# a\n"),
            &[(SeveralDocuments, 6, 4)],
        ),
        whole(
            "a second document of nothing",
            format!("{HEAD}---\n~\n"),
            &[(SeveralDocuments, 7, 1)],
        ),
        whole(
            "a second document on the marker's line",
            format!("{HEAD}--- {{}}\n"),
            &[(SeveralDocuments, 6, 5)],
        ),
        whole(
            "a second document after an end marker",
            format!("{HEAD}...\nowner: a\n"),
            &[(SeveralDocuments, 7, 1)],
        ),
        whole("an empty first document", format!("---\n---\n{HEAD}"), &[(SeveralDocuments, 3, 1)]),
        whole("a hundred documents", "---\n".repeat(100), &[(SeveralDocuments, 2, 4)]),
        whole("a second document that is broken", format!("{HEAD}---\n["), &[(Syntax, 7, 1)]),
        whole("a document on the marker's line", "--- version: 1\n", &[(Syntax, 1, 12)]),
        flag("a marker that is none", "---a", &[(Syntax, 6, 1)]),
        whole("a version directive", format!("%YAML 1.2\n---\n{HEAD}"), &[(Syntax, 1, 1)])
            .says("directives"),
        whole("a version from the future", format!("%YAML 3.0\n---\n{HEAD}"), &[(Syntax, 1, 1)]),
        whole("a tag directive", format!("%TAG ! tag:a,2000:\n---\n{HEAD}"), &[(Syntax, 1, 1)]),
        whole("an unknown directive", format!("%FLAG on\n---\n{HEAD}"), &[(Syntax, 1, 1)]),
        whole("a directive after the marker", format!("---\n%YAML 1.2\n{HEAD}"), &[(Syntax, 2, 1)]),
        whole(
            "a directive before a second document",
            format!("{HEAD}...\n%YAML 1.2\n---\na\n"),
            &[(Syntax, 7, 1)],
        ),
        Case::new(
            "two segments",
            SEGMENT,
            b"version: 1\nsegment: internal\n---\nversion: 1\n",
            &[(SeveralDocuments, 4, 1)],
        ),
    ]
}

/// The finding is at the anchor, not at its value, which may be a line further down.
pub fn anchors_aliases_and_merges() -> Vec<Case> {
    let laughs: String = ('b'..='i')
        .map(|c| {
            format!("{c}: &{c} [{}]\n", vec![format!("*{}", (c as u8 - 1) as char); 9].join(","))
        })
        .collect();
    vec![
        flag("an anchor", "owner: &a team", &[(Alias, 6, 8)]).hint("write the value out"),
        flag("an anchor on nothing", "owner: &a", &[(Alias, 6, 8)]),
        flag("an anchor on a key", "&a owner: team", &[(Alias, 6, 1)]),
        flag("an anchor on an explicit key", "? &a owner\n: team", &[(Alias, 6, 3)]),
        flag("an anchor on a map below it", "rollout: &a\n  realtime-v2: 1%", &[(Alias, 6, 10)]),
        flag("an anchor on a map beside it", "rollout: &a {realtime-v2: 1%}", &[(Alias, 6, 10)]),
        flag("an anchor on an entry", "deny:\n- &a\n  users: [u]", &[(Alias, 7, 3)]),
        flag("an anchor on an id", "deny: [{users: [&a u, *a]}]", &[(Alias, 6, 17)]),
        flag("an anchor before a tag", "owner: &a !b team", &[(Alias, 6, 8)]),
        whole("an anchor on the file", format!("&a\n{HEAD}"), &[(Alias, 1, 1)]),
        flag("an alias of nothing", "owner: *a", &[(Alias, 6, 8)]),
        flag("an alias of an anchor", "owner: &a team\nsalt: *a", &[(Alias, 6, 8)]),
        flag("an alias as a key", "*a : team", &[(Alias, 6, 1)]),
        flag("an alias in a list", "deny: [*a]", &[(Alias, 6, 8)]),
        flag("a star for everybody", "deny: [{users: [*]}]", &[(Syntax, 6, 17)]),
        flag("an anchor without a name", "owner: & team", &[(Syntax, 6, 8)]),
        whole("an alias of itself", "a: &a [*a]\n", &[(Alias, 1, 4)]),
        whole(
            "a billion laughs",
            format!("a: &a [ha,ha,ha,ha,ha,ha,ha,ha,ha]\n{laughs}"),
            &[(Alias, 1, 4)],
        ),
        whole(
            "a billion laughs below a good head",
            format!("{HEAD}a: &a [ha]\n{laughs}"),
            &[(Alias, 6, 4)],
        ),
        whole(
            "a hundred thousand aliases",
            format!("{HEAD}deny: [{}]\n", "*a, ".repeat(100_000)),
            &[(Alias, 6, 8)],
        ),
        flag("a merge key", "<<: {owner: team}", &[(Alias, 6, 1)])
            .says("merge keys")
            .hint("write the keys out"),
        flag("a merge of an alias", "<<: *a", &[(Alias, 6, 1)]),
        flag("a merge of several", "rollout: {<<: [*a, *b]}", &[(Alias, 6, 11)]),
        flag("a merge of nothing", "<<: ~", &[(Alias, 6, 1)]),
        flag(
            "a merge key in quotes is a key like any",
            "'<<': {owner: team}",
            &[(UnknownKey, 6, 1)],
        ),
        flag("stars and ampersands inside a text", "owner: a*b&c\ndescription: \"*a &b\"", &[]),
        segment("an alias in a segment", "users: &a [u]\nemails: *a", &[(Alias, 3, 8)]),
    ]
}

/// The finding is at the tag, not at its value.
pub fn tags() -> Vec<Case> {
    vec![
        flag("a text by tag", "owner: !!str team", &[(Tag, 6, 8)]).hint("remove the `!…`"),
        flag("a custom tag", "owner: !team a", &[(Tag, 6, 8)]),
        flag("a tag without a name", "owner: ! a", &[(Tag, 6, 8)]),
        flag("a tag with nothing behind it", "owner: !", &[(Tag, 6, 8)]),
        flag("a verbatim tag", "owner: !<tag:yaml.org,2002:str> a", &[(Tag, 6, 8)]),
        whole("a boolean by tag", HEAD.replace("true", "!!bool true"), &[(Tag, 3, 10)]),
        whole("a null by tag", "!!null", &[(Tag, 1, 1)]),
        flag("a list by tag", "deny: !!seq []", &[(Tag, 6, 7)]),
        flag("a set by tag", "deny: !!set {a, b}", &[(Tag, 6, 7)]),
        flag("a map by tag, below it", "rollout: !!map\n  realtime-v2: 1%", &[(Tag, 6, 10)]),
        flag("an entry by tag, below it", "deny:\n- !entry\n  users: [u]", &[(Tag, 7, 3)]),
        flag("a key by tag", "!!str owner: a", &[(Tag, 6, 1)]),
        flag("bytes by tag", "owner: !!binary aGk=", &[(Tag, 6, 8)]),
        flag("code by tag", "owner: !!python/object/apply:os.system [\"id\"]", &[(Tag, 6, 8)]),
        flag("an object by tag", "rules: [!ruby/object:Gem::Installer {}]", &[(Tag, 6, 9)]),
        flag("a file by tag", "owner: !include /etc/passwd", &[(Tag, 6, 8)]),
        flag("a variable by tag", "owner: !env HOME", &[(Tag, 6, 8)]),
        whole("the whole file by tag", format!("!!map\n{HEAD}"), &[(Tag, 1, 1)]),
        whole("the whole file by tag after a marker", format!("--- !flag\n{HEAD}"), &[(Tag, 1, 5)]),
        flag("an undeclared handle", "owner: !a!b c", &[(Syntax, 6, 8)]),
        flag("a verbatim tag that never ends", "owner: !<a", &[(Syntax, 6, 8)]),
        flag("exclamation marks inside a text", "owner: a !b\ndescription: \"!c\"", &[]),
        segment("a tag in a segment", "users: [!!str u]", &[(Tag, 3, 9)]),
    ]
}

pub fn duplicate_keys() -> Vec<Case> {
    vec![
        flag("at the top", "enabled: true", &[(DuplicateKey, 6, 1)]).hint("keep one of the two"),
        flag("with another value", "enabled: false", &[(DuplicateKey, 6, 1)]).says("a second time"),
        flag("in double quotes", "\"enabled\": false", &[(DuplicateKey, 6, 1)]),
        flag("in single quotes", "'flag': chat", &[(DuplicateKey, 6, 1)]),
        flag("with an escape in it", "owner: a\n\"own\\x65r\": b", &[(DuplicateKey, 7, 1)]),
        flag("with a blank before the colon", "owner: a\nowner : b", &[(DuplicateKey, 7, 1)]),
        flag("written out", "? owner\n: a\n? owner\n: b", &[(DuplicateKey, 8, 3)]),
        flag("of an unknown key", "a: b\na: b", &[(DuplicateKey, 7, 1)]),
        flag("of a number", "1: a\n1: b", &[(DuplicateKey, 7, 1)]),
        flag("of an empty key", "\"\": a\n\"\": b", &[(DuplicateKey, 7, 1)]),
        flag(
            "of a whole block",
            "rollout: {realtime-v2: 1%}\nrollout: {realtime-v2: 1%}",
            &[(DuplicateKey, 7, 1)],
        ),
        flag(
            "in a map on one line",
            "rollout: {realtime-v2: 1%, realtime-v2: 2%}",
            &[(DuplicateKey, 6, 28)],
        ),
        flag(
            "in a map on several lines",
            "rollout:\n  realtime-v2: 1%\n  \"realtime-v2\": 2%",
            &[(DuplicateKey, 8, 3)],
        ),
        flag(
            "of an attribute",
            "attributes: {a: text, b: text, a: number}",
            &[(DuplicateKey, 6, 32)],
        ),
        flag("in an entry", "deny: [{users: [a], users: [b]}]", &[(DuplicateKey, 6, 21)]),
        flag(
            "in a condition",
            "rules: [{name: a, strategy: polling, when: {b: 1, b: 2}}]",
            &[(DuplicateKey, 6, 51)],
        ),
        flag(
            "in a comparison",
            "deny: [{when: {a: {below: 1, below: 2}}}]",
            &[(DuplicateKey, 6, 30)],
        ),
        flag("of a transport", "transports: {polling: {}, polling: {}}", &[(DuplicateKey, 6, 27)]),
        flag(
            "in the client's part",
            "client: {valid_for: 1s, valid_for: 2s}",
            &[(DuplicateKey, 6, 25)],
        ),
        flag(
            "in a test",
            "tests: [{expect: polling, with: {a: 1, a: 2}}]",
            &[(DuplicateKey, 6, 40)],
        ),
        flag(
            "the reader stops at the first",
            "owner: a\nowner: b\nowner: c\nenabled: no",
            &[(DuplicateKey, 7, 1)],
        ),
        flag("in another case it is another key", "owner: a\nOwner: b", &[(UnknownKey, 7, 1)])
            .hint("did you mean `owner`?"),
        flag(
            "in another normal form it is another key",
            "caf\u{e9}: a\ncafe\u{301}: b",
            &[(UnknownKey, 6, 1), (UnknownKey, 7, 1)],
        ),
        segment("in a segment", "users: [a]\nusers: [b]", &[(DuplicateKey, 4, 1)]),
        segment("of the segment's key", "segment: internal", &[(DuplicateKey, 3, 1)]),
    ]
}
