//! Unknown keys and missing keys, at each level.

use turnout_core::definition::Code::*;

use super::harness::{Case, HEAD, SEGMENT, flag, segment, whole};

pub fn unknown_keys() -> Vec<Case> {
    vec![
        flag("a typo", "ownr: a", &[(UnknownKey, 6, 1)]).hint("did you mean `owner`?"),
        flag("nothing like it", "colour: red", &[(UnknownKey, 6, 1)])
            .hint("a flag has the keys `version`, `flag`"),
        flag("another case", "Enabled: true", &[(UnknownKey, 6, 1)])
            .hint("did you mean `enabled`?"),
        flag("a plural", "rollouts: {}", &[(UnknownKey, 6, 1)]).hint("did you mean `rollout`?"),
        flag("a hyphen", "when-stopped: polling", &[(UnknownKey, 6, 1)])
            .hint("did you mean `when_stopped`?"),
        whole("a look-alike letter", HEAD.replace("version", "vеrsion"), &[(UnknownKey, 1, 1)])
            .hint("did you mean `version`?"),
        whole("a required key", HEAD.replace("default", "defalt"), &[(UnknownKey, 4, 1)])
            .hint("did you mean `default`?"),
        flag("an empty key", "\"\": a", &[(UnknownKey, 6, 1)]),
        flag("two of them", "a: 1\nb: 2", &[(UnknownKey, 6, 1), (UnknownKey, 7, 1)]),
        flag("a segment's key", "users: [a]", &[(UnknownKey, 6, 1)]),
        flag("plans to come", "plan: {}", &[(NotYet, 6, 7)]).hint("by hand until then"),
        flag("plans to come, empty", "plan:", &[(NotYet, 6, 5)]),
        flag("guards to come", "guard: {}", &[(UnknownKey, 6, 1)]),
        flag("in deny", "deny: [{name: a, users: [b]}]", &[(UnknownKey, 6, 9)])
            .hint("an entry of `deny` has the keys `users`"),
        flag(
            "in deny, the only key",
            "deny: [{user: [a]}]",
            &[(EmptyEntry, 6, 8), (UnknownKey, 6, 9)],
        )
        .hint("did you mean `users`?"),
        flag(
            "in allow",
            "allow: [{user: [a], users: [b], strategy: polling}]",
            &[(UnknownKey, 6, 10)],
        ),
        flag(
            "in a rule",
            "rules: [{name: a, when: {email: b}, strategy: polling, users: [c]}]",
            &[(UnknownKey, 6, 56)],
        )
        .hint("a rule has the keys `name`, `when` and `strategy`"),
        flag(
            "in place of a rule's",
            "rules: [{nam: a, when: {email: b}, strategy: polling}]",
            &[(UnknownKey, 6, 10)],
        )
        .hint("did you mean `name`?"),
        flag(
            "a rule's without its blank",
            "rules: [{name: a, when: {email: b}, strategy:polling}]",
            &[(UnknownKey, 6, 37)],
        )
        .hint("a blank after the colon"),
        flag(
            "a rule's without its colon",
            "rules:\n  - name: a\n    when {email: b}\n    strategy: polling",
            &[(UnknownKey, 8, 5)],
        )
        .hint("a colon after the key: `when: …`"),
        flag("in the rollout, an old name", "rollout: {realtime: 10%}", &[(UnknownKey, 6, 11)])
            .hint("did you mean `realtime-v2`?"),
        flag("in the rollout, with a sign", "rollout: {realtime=60%}", &[(UnknownKey, 6, 11)])
            .hint("did you mean `realtime-v2`?"),
        flag("in the rollout, the default", "rollout: {default: 10%}", &[(UnknownKey, 6, 11)])
            .hint("`rollout` has the keys `realtime-v2` and `disabled`"),
        flag("among the transports", "transports: {disabled: {}}", &[(UnknownKey, 6, 14)]),
        flag(
            "in the polling transport",
            "transports: {polling: {interval: 4s}}",
            &[(UnknownKey, 6, 24)],
        ),
        flag(
            "in the realtime transport",
            "transports: {realtime-v2: {token-ttl: 10m}}",
            &[(UnknownKey, 6, 28)],
        )
        .hint("did you mean `token_ttl`?"),
        flag("in the client's part", "client: {validfor: 1s}", &[(UnknownKey, 6, 10)])
            .hint("did you mean `valid_for`?"),
        flag("in a test", "tests: [{expect: polling, users: a}]", &[(UnknownKey, 6, 27)])
            .hint("did you mean `user`?"),
        flag("in place of a test's", "tests: [{expects: polling}]", &[(UnknownKey, 6, 10)]),
        flag(
            "an unknown comparison",
            "deny: [{when: {email: {contains: a}}}]",
            &[(UnknownKey, 6, 24)],
        )
        .hint("`starts_with`"),
        flag(
            "a mistyped comparison",
            "deny: [{when: {email: {endswith: a}}}]",
            &[(UnknownKey, 6, 24)],
        )
        .hint("did you mean `ends_with`?"),
        segment("in a segment", "user: [a]", &[(UnknownKey, 3, 1)]).hint("did you mean `users`?"),
        segment("in a segment, nothing like it", "ids: [a]", &[(UnknownKey, 3, 1)])
            .hint("`users_file`"),
        segment("in a segment, a flag's", "enabled: true", &[(UnknownKey, 3, 1)]),
        segment(
            "levels of wrongness at once",
            "user: [a]\nusers: [\"\"]\ndomain: b",
            &[(UnknownKey, 3, 1), (BadId, 4, 9), (UnknownKey, 5, 1)],
        ),
    ]
}

pub fn missing_keys() -> Vec<Case> {
    let without = |key: &str| {
        HEAD.lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n")
    };
    let five = [(MissingKey, 1, 1); 5];
    vec![
        whole("no version", without("version"), &five[..1]).hint("add `version: 1`"),
        whole("no key", without("flag"), &five[..1]).hint("add `flag: …`"),
        whole("no enabled", without("enabled"), &five[..1]).hint("add `enabled: true`"),
        whole("no default", without("default"), &five[..1]).hint("add `default: polling`"),
        whole("no when_stopped", without("when_stopped"), &five[..1])
            .hint("add `when_stopped: polling`"),
        whole("none of them", "owner: a\n", &five),
        whole(
            "none of them, indented below comments",
            "# a\n\n  owner: b\n",
            &[(MissingKey, 3, 3); 5],
        ),
        whole(
            "a segment's file in the flags' place",
            "version: 1\nsegment: chat\n",
            &[&five[..4], &[(UnknownKey, 2, 1)]].concat(),
        ),
        flag("no strategy in allow", "allow: [{users: [a]}]", &[(MissingKey, 6, 9)])
            .hint("add `strategy: realtime-v2`"),
        flag(
            "an empty entry of allow",
            "allow:\n  - {}",
            &[(MissingKey, 7, 5), (EmptyEntry, 7, 5)],
        ),
        flag("no users in allow", "allow: [{strategy: polling}]", &[(EmptyEntry, 6, 9)])
            .hint("add `users`"),
        flag("no users in deny", "deny: [{strategy: polling}]", &[(EmptyEntry, 6, 8)]),
        flag("an empty entry of deny", "deny: [{}]", &[(EmptyEntry, 6, 8)]),
        flag("an empty rule", "rules: [{}]", &[(MissingKey, 6, 9); 3]),
        flag(
            "a rule without a name",
            "rules:\n  - when: {email: a}\n    strategy: polling",
            &[(MissingKey, 7, 5)],
        ),
        flag(
            "a rule without a condition",
            "rules: [{name: a, strategy: polling}]",
            &[(MissingKey, 6, 9)],
        ),
        flag(
            "a rule without a strategy",
            "rules: [{name: a, when: {email: a}}]",
            &[(MissingKey, 6, 9)],
        ),
        flag("an empty test", "tests: [{}]", &[(MissingKey, 6, 9)]).hint("add `expect: polling`"),
        flag("an empty rollout", "rollout: {}", &[(EmptyEntry, 6, 10)]).hint("or remove it"),
        flag("an attribute without values", "attributes: {a: []}", &[(EmptyEntry, 6, 17)]),
        flag(
            "empty lists match no user",
            "attributes: {}\ndeny: []\nallow: []\nrules: []\ntests: []\ntransports: {}\nclient: {}",
            &[],
        ),
        flag(
            "an empty list of users matches no user",
            "deny: [{users: [], when: {email: []}}]",
            &[],
        ),
        Case::new("an empty map for a segment", SEGMENT, b"{}", &five[..2]),
        Case::new("a segment without a version", SEGMENT, b"segment: internal\n", &five[..1]),
        Case::new("a segment without a key", SEGMENT, b"version: 1\nusers: [a]\n", &five[..1])
            .hint("add `segment: …`"),
        Case::new(
            "a flag's file in the segments' place",
            SEGMENT,
            b"version: 1\nflag: internal\n",
            &[(MissingKey, 1, 1), (UnknownKey, 2, 1)],
        ),
    ]
}
