//! Values of the wrong type: lists for maps, quoted booleans, yes and no, texts for numbers, nulls.

use turnout_core::definition::Code::*;

use super::harness::{Case, HEAD, SEGMENT, flag, segment, whole};

pub fn wrong_types() -> Vec<Case> {
    [of_the_head(), of_the_rest(), of_segments()].into_iter().flatten().collect()
}

fn of_the_head() -> Vec<Case> {
    let enabled =
        |name: &str, value: &str| whole(name, HEAD.replace("true", value), &[(WrongType, 3, 10)]);
    let version = |name: &str, value: &str| {
        let text = HEAD.replace("version: 1", &format!("version: {value}"));
        whole(name, text, &[(UnsupportedVersion, 1, 10)]).hint("write `version: 1`")
    };
    vec![
        enabled("enabled: yes", "yes").hint("write `true`"),
        enabled("enabled: on", "on").hint("write `true`"),
        enabled("enabled: no", "no").hint("write `false`"),
        enabled("enabled: off", "off").hint("write `false`"),
        enabled("enabled: n", "n").hint("write `false`"),
        enabled("enabled in quotes", "\"true\"").hint("write `true`"),
        enabled("not enabled in quotes", "'false'").hint("write `false`"),
        enabled("enabled in capitals", "TRUE").hint("write `true`"),
        enabled("enabled as a name", "True").hint("write `true`"),
        enabled("enabled: 1", "1").hint("write `true` or `false`"),
        enabled("enabled: maybe", "maybe").hint("write `true` or `false`"),
        enabled("enabled with a look-alike letter", "truе").hint("write `true` or `false`"),
        enabled("enabled: a list", "[true]"),
        enabled("enabled: a map", "{chat: true}"),
        enabled("enabled: null", "null"),
        whole("enabled: nothing", HEAD.replace(" true", ""), &[(WrongType, 3, 8)])
            .says("here is nothing"),
        version("a version in quotes", "\"1\""),
        version("a version with a decimal", "1.0"),
        version("a version in hexadecimal", "0x1"),
        version("a version with a zero before it", "01"),
        version("a version to come", "2"),
        version("a version in words", "one"),
        version("a null for a version", "~"),
        version("a list of versions", "[1]"),
        whole("a list for the key", HEAD.replace("chat", "[chat]"), &[(WrongType, 2, 7)]),
        whole("a null for the key", HEAD.replace("chat", "~"), &[(WrongType, 2, 7)]),
        whole(
            "a list for the default",
            HEAD.replace("default: polling", "default: [polling]"),
            &[(WrongType, 4, 10)],
        ),
        whole(
            "a map for the default",
            HEAD.replace("default: polling", "default: {polling: 1}"),
            &[(WrongType, 4, 10)],
        ),
        whole(
            "nothing for the default",
            HEAD.replace("default: polling", "default:"),
            &[(WrongType, 4, 8)],
        ),
        whole("every one of them", HEAD.replace(": ", ": !x ").replace("!x ", "~ #"), &ALL_NULL),
    ]
}

const ALL_NULL: [super::harness::Expected; 5] = [
    (UnsupportedVersion, 1, 10),
    (WrongType, 2, 7),
    (WrongType, 3, 10),
    (WrongType, 4, 10),
    (WrongType, 5, 15),
];

fn of_the_rest() -> Vec<Case> {
    vec![
        flag("a list for the description", "description: [a]", &[(WrongType, 6, 14)]),
        flag("nothing for the description", "description:", &[(WrongType, 6, 12)]),
        flag("a map for the owner", "owner: {a: b}", &[(WrongType, 6, 8)]),
        flag("a list for the salt", "salt: [a]", &[(WrongType, 6, 7)]),
        flag("a null for the salt", "salt: ~", &[(WrongType, 6, 7)]),
        flag("a list for bucket_by", "bucket_by: [a]", &[(WrongType, 6, 12)]),
        flag("a list of attributes", "attributes: [a]", &[(WrongType, 6, 13)]),
        flag("a null for an attribute", "attributes: {a: ~}", &[(WrongType, 6, 17)]),
        flag("a map for an attribute", "attributes: {a: {b: c}}", &[(WrongType, 6, 17)]),
        flag("an attribute's type mistyped", "attributes: {a: txt}", &[(WrongType, 6, 17)])
            .hint("did you mean `text`?"),
        flag(
            "an attribute's type of another language",
            "attributes: {a: bool}",
            &[(WrongType, 6, 17)],
        )
        .hint("did you mean `boolean`?"),
        flag("an attribute of unknown type", "attributes: {a: string}", &[(WrongType, 6, 17)]),
        flag(
            "a list among an attribute's values",
            "attributes: {a: [b, [c]]}",
            &[(WrongType, 6, 21)],
        ),
        flag("a map for deny", "deny: {users: [a]}", &[(WrongType, 6, 7)]),
        flag("a null for deny", "deny: ~", &[(WrongType, 6, 7)]),
        flag("a word in deny", "deny: [a]", &[(WrongType, 6, 8)]),
        flag("a list in deny", "deny: [[a]]", &[(WrongType, 6, 8)]),
        flag("nothing in deny", "deny:\n  -", &[(WrongType, 7, 4)]),
        flag("one user", "deny: [{users: a}]", &[(WrongType, 6, 16)]),
        flag("a map of users", "deny: [{users: {a: b}}]", &[(WrongType, 6, 16)]),
        flag("one address", "deny: [{emails: a@example.com}]", &[(WrongType, 6, 17)]),
        flag("one domain", "deny: [{domains: example.com}]", &[(WrongType, 6, 18)]),
        flag("a map for a condition in deny", "deny: [{when: []}]", &[(WrongType, 6, 15)]),
        flag(
            "a map of rules",
            "rules: {a: {when: {email: b}, strategy: polling}}",
            &[(WrongType, 6, 8)],
        ),
        flag(
            "lists in a rule",
            "rules: [{name: [a], when: {email: b}, strategy: [polling]}]",
            &[(WrongType, 6, 16), (WrongType, 6, 49)],
        ),
        flag("a share for the rollout", "rollout: 10%", &[(WrongType, 6, 10)]),
        flag("a list of shares", "rollout: [10%]", &[(WrongType, 6, 10)]),
        flag("nothing for the rollout", "rollout:", &[(WrongType, 6, 8)]),
        flag("a list for a share", "rollout: {realtime-v2: [10%]}", &[(WrongType, 6, 24)]),
        flag("a null for a share", "rollout: {realtime-v2: ~}", &[(WrongType, 6, 24)]),
        flag("a list of transports", "transports: []", &[(WrongType, 6, 13)]),
        flag("a null for a transport", "transports: {polling: ~}", &[(WrongType, 6, 23)]),
        flag("a list of urls", "transports: {polling: {url: [a]}}", &[(WrongType, 6, 29)]),
        flag("one wait", "transports: {realtime-v2: {retry: 2s}}", &[(WrongType, 6, 35)]),
        flag("a duration for the client's part", "client: 60s", &[(WrongType, 6, 9)]),
        flag("a map of tests", "tests: {}", &[(WrongType, 6, 8)]),
        flag("a word for a test", "tests: [a]", &[(WrongType, 6, 9)]),
        flag(
            "numbers and booleans for texts are texts",
            "owner: 42\ndescription: true\nsalt: 1.5\ndeny: [{users: [12, true, 0x1]}]",
            &[],
        ),
    ]
}

fn of_segments() -> Vec<Case> {
    vec![
        segment("one user of a segment", "users: u-1", &[(WrongType, 3, 8)]),
        segment("a map of users of a segment", "users: {u-1: }", &[(WrongType, 3, 8)]),
        segment("nothing for a segment's users", "users:", &[(WrongType, 3, 6)]),
        segment("a list among users", "users: [a, [b]]", &[(WrongType, 3, 12)]),
        segment("a null among users", "users: [a, ~]", &[(WrongType, 3, 12)]),
        segment("a list of users_files", "users_file: [a]", &[(WrongType, 3, 13)]),
        segment("a list for a segment's description", "description: [a]", &[(WrongType, 3, 14)]),
        Case::new("a list for a segment", SEGMENT, b"- a\n", &[(WrongType, 1, 1)]),
        Case::new(
            "a segment's version in quotes",
            SEGMENT,
            b"version: '1'\nsegment: internal\n",
            &[(UnsupportedVersion, 1, 10)],
        ),
    ]
}
