//! Values of the right type with wrong content: shares, strategies, names, numbers and durations.

use turnout_core::definition::Code::*;

use super::harness::{Case, Expected, HEAD, SEGMENT, flag, whole};

pub fn shares() -> Vec<Case> {
    let share = |name: &str, text: &str| {
        flag(name, &format!("rollout:\n  realtime-v2: {text}"), &[(BadShare, 7, 16)])
    };
    vec![
        share("no per cent sign", "10").hint("write 10%"),
        share("no per cent sign, with decimals", "10.5").hint("write 10.5%"),
        share("no per cent sign, a fraction", "0.1").hint("write 0.1%, or 10%"),
        share("a blank before the sign", "10 %"),
        share("below zero", "-1%"),
        share("a plus", "+5%"),
        share("just over a hundred", "100.001%").says("at most 100%"),
        share("far over a hundred", "1000%").says("at most 100%"),
        share("over every number", &format!("{}%", "9".repeat(400))).says("at most 100%"),
        share("four decimals", "10.1234%").says("never rounded"),
        share("a thousandth of the smallest", "0.000001%").says("never rounded"),
        share("four decimals of nothing", "1.0000%").says("never rounded"),
        share("no whole", ".5%").hint("write 0.5%"),
        share("no decimals", "5.%"),
        share("a zero before it", "05%"),
        share("two zeros", "00%"),
        share("a power", "1e1%"),
        share("hexadecimal", "0x10%"),
        share("octal", "0o10%"),
        share("an underscore", "1_0%"),
        share("a decimal comma", "10,5%"),
        share("two points", "1.5.5%"),
        share("two signs", "10%%"),
        share("in words", "ten%"),
        share("not a number", "nan%"),
        share("a boolean", "true"),
        share("a fraction", "1/2"),
        share("digits of another script", "१०%"),
        share("a wide per cent sign", "10％"),
        share("an empty text", "''"),
        flag("a sign alone", "rollout:\n  realtime-v2: %", &[(Syntax, 7, 16)]),
        flag(
            "more than a hundred together",
            "rollout: {realtime-v2: 60%, disabled: 50%}",
            &[(BadShare, 6, 10)],
        )
        .says("60% and 50% together are over 100%"),
        flag(
            "just more together",
            "rollout: {realtime-v2: 100%, disabled: 0.001%}",
            &[(BadShare, 6, 10)],
        ),
        flag(
            "both over a hundred",
            "rollout: {disabled: 101%, realtime-v2: 101%}",
            &[(BadShare, 6, 21), (BadShare, 6, 40)],
        ),
        flag(
            "a hundred together, in quotes",
            "rollout: {realtime-v2: \"99.999%\", disabled: '0.001%'}",
            &[],
        ),
    ]
}

pub fn strategies_and_baselines() -> Vec<Case> {
    let default = |name: &str, value: &str, more: &str, expect: &[Expected]| {
        whole(name, HEAD.replace("default: polling", &format!("default: {value}")) + more, expect)
    };
    let head =
        |of: &str, value: &str| HEAD.replace(&format!("{of}: polling"), &format!("{of}: {value}"));
    let rule = |name: &str, strategy: &str, expect: &[Expected]| {
        flag(
            name,
            &format!("rules:\n- {{name: a, when: {{email: b}}, strategy: {strategy}}}"),
            expect,
        )
    };
    vec![
        default("realtime-v2 by default", "realtime-v2", "", &[(BadStrategy, 4, 10)])
            .hint("`allow`, `rules` and `rollout` only"),
        whole(
            "realtime-v2 when stopped",
            head("when_stopped", "realtime-v2"),
            &[(BadStrategy, 5, 15)],
        ),
        default("a mistyped default", "poling", "", &[(BadStrategy, 4, 10)])
            .hint("did you mean `polling`?"),
        default("a default in capitals", "Polling", "", &[(BadStrategy, 4, 10)]),
        default("a default with a blank behind it", "\"polling \"", "", &[(BadStrategy, 4, 10)]),
        default("a default of off", "off", "", &[(BadStrategy, 4, 10)]),
        default("a default of a boolean", "true", "", &[(BadStrategy, 4, 10)]),
        default("an empty default", "\"\"", "", &[(BadStrategy, 4, 10)]),
        // That hint would lead to the next refusal.
        default("a default of an old name", "realtime", "", &[(BadStrategy, 4, 10)])
            .never_says("did you mean `realtime-v2`?"),
        whole("when stopped, nonsense", head("when_stopped", "stopped"), &[(BadStrategy, 5, 15)])
            .never_says("one of `polling`, `realtime-v2` and `disabled`"),
        whole(
            "both wrong",
            HEAD.replace("polling", "realtime-v2"),
            &[(BadStrategy, 4, 10), (BadStrategy, 5, 15)],
        ),
        flag("polling in the rollout", "rollout: {polling: 50%}", &[(BadStrategy, 6, 11)])
            .hint("what the others leave over"),
        flag(
            "polling beside the others",
            "rollout: {realtime-v2: 10%, polling: 90%}",
            &[(BadStrategy, 6, 29)],
        ),
        default(
            "polling beside disabled by default",
            "disabled",
            "rollout: {polling: 5%}\n",
            &[(BadStrategy, 6, 11)],
        ),
        default(
            "disabled beside disabled by default",
            "disabled",
            "rollout: {disabled: 5%}\n",
            &[(BadStrategy, 6, 21)],
        )
        .hint("what `realtime-v2` leaves over"),
        default(
            "0% disabled beside disabled by default",
            "disabled",
            "rollout: {disabled: 0%}\n",
            &[(BadStrategy, 6, 21)],
        ),
        default(
            "realtime-v2 beside disabled by default",
            "disabled",
            "rollout: {realtime-v2: 5%}\n",
            &[],
        ),
        default(
            "an unknown default beside a rollout",
            "x",
            "rollout: {disabled: 5%}\n",
            &[(BadStrategy, 4, 10)],
        ),
        flag(
            "realtime-v2 for the denied",
            "deny: [{users: [a], strategy: realtime-v2}]",
            &[(BadStrategy, 6, 31)],
        )
        .says("what `deny` serves"),
        flag(
            "nonsense for the denied",
            "deny: [{users: [a], strategy: x}]",
            &[(BadStrategy, 6, 31)],
        ),
        flag("nothing for the denied", "deny: [{users: [a], strategy: ~}]", &[(WrongType, 6, 31)]),
        flag(
            "a protocol for the allowed",
            "allow: [{users: [a], strategy: sse}]",
            &[(BadStrategy, 6, 32)],
        ),
        flag(
            "the default for the allowed",
            "allow: [{users: [a], strategy: default}]",
            &[(BadStrategy, 6, 32)],
        ),
        rule("a rule's old name", "realtime", &[(BadStrategy, 7, 41)])
            .hint("did you mean `realtime-v2`?"),
        rule("a rule's name to come", "realtime-v3", &[(BadStrategy, 7, 41)])
            .hint("did you mean `realtime-v2`?"),
        rule("a rule's underscore", "realtime_v2", &[(BadStrategy, 7, 41)]),
        rule("a rule's look-alike hyphen", "realtime\u{2011}v2", &[(BadStrategy, 7, 41)]),
        rule("a rule's look-alike letter", "pоlling", &[(BadStrategy, 7, 41)])
            .hint("did you mean `polling`?"),
        rule("a rule's number", "2", &[(BadStrategy, 7, 41)]),
        flag("a test's old name", "tests: [{expect: realtime}]", &[(BadStrategy, 6, 18)]),
    ]
}

pub fn names() -> Vec<Case> {
    let key =
        |name: &str, value: &str, code| whole(name, HEAD.replace("chat", value), &[(code, 2, 7)]);
    let salt = |name: &str, value: &str| flag(name, &format!("salt: {value}"), &[(BadName, 6, 7)]);
    let rule = |name: &str, value: &str| {
        flag(
            name,
            &format!("rules: [{{name: {value}, when: {{email: a}}, strategy: polling}}]"),
            &[(BadName, 6, 16)],
        )
    };
    let attribute = |name: &str, value: &str| {
        flag(name, &format!("attributes: {{{value}: text}}"), &[(BadName, 6, 14)])
    };
    let segment = |name: &str, value: &str, code| {
        Case::new(
            name,
            SEGMENT,
            format!("version: 1\nsegment: {value}\n").as_bytes(),
            &[(code, 2, 10)],
        )
    };
    vec![
        key("another flag's key", "chats", NameMismatch)
            .hint("write `flag: chat`, or rename the file"),
        key("a number for a key", "1", NameMismatch),
        key("a key in capitals", "Chat", BadName).says("[a-z0-9][a-z0-9._-]{0,63}"),
        key("a key with a blank", "\"chat \"", BadName),
        key("a key with an accent", "chât", BadName),
        key("a key with a look-alike letter", "chаt", BadName),
        key("an empty key", "\"\"", BadName),
        key("a key too long", &"a".repeat(65), BadName),
        key("a key that is a path", "../chat", BadName),
        salt("an empty salt", "\"\""),
        salt("a salt in capitals", "A"),
        salt("a salt with a colon", "a:b"),
        salt("a salt with a blank", "\"a b\""),
        salt("a salt with an accent", "é"),
        salt("a salt too long", &"a".repeat(65)),
        flag("the longest salt", &format!("salt: {}", "-".repeat(63) + "a"), &[]),
        rule("a rule called as a step", "deny").hint("give the rule another name"),
        rule("a rule called as a step of two words", "no-unit"),
        rule("a rule called as a step of no test", "cold-start"),
        rule("a rule called rule", "rule"),
        rule("a rule in capitals", "A"),
        rule("a rule with a blank", "a b"),
        rule("a rule without a name", "\"\""),
        rule("a rule's name too long", &"a".repeat(65)),
        flag(
            "two rules of one name",
            &rules(&["{email: a}", "{email: b}"]),
            &[(DuplicateName, 8, 10)],
        )
        .says("called `a`"),
        flag(
            "three rules of one name",
            &rules(&["{email: a}"; 3]),
            &[(DuplicateName, 8, 10), (DuplicateName, 9, 10)],
        ),
        // All faults are reported together.
        flag(
            "two rules of one name, the first broken",
            &rules(&["{}", "{email: b}"]),
            &[(EmptyEntry, 7, 19), (DuplicateName, 8, 10)],
        ),
        attribute("an attribute called segment", "segment").hint("give the attribute another name"),
        attribute("an attribute called not", "not"),
        attribute("an attribute that starts with a digit", "1a"),
        attribute("an attribute that starts with a hyphen", "-a"),
        attribute("an attribute with a blank", "a b"),
        attribute("an attribute with an accent", "é"),
        attribute("an attribute without a name", "\"\""),
        attribute("an attribute's name too long", &"a".repeat(65)),
        flag("the address as a number", "attributes: {email: number}", &[(WrongType, 6, 21)])
            .hint("needs no declaring"),
        flag("the address as words", "attributes: {email: [a]}", &[(WrongType, 6, 21)]),
        flag(
            "several attributes",
            "attributes: {a: text, b: nope, not: [c], 1: text}",
            &[(WrongType, 6, 26), (BadName, 6, 32), (BadName, 6, 42)],
        ),
        flag("an undeclared unit", "bucket_by: account", &[(UnknownAttribute, 6, 12)])
            .hint("attributes: { account: text }"),
        flag(
            "a number for a unit",
            "attributes: {account: number}\nbucket_by: account",
            &[(UnknownAttribute, 7, 12)],
        ),
        flag("the undeclared address for a unit", "bucket_by: email", &[(UnknownAttribute, 6, 12)]),
        flag("a unit that is no name", "bucket_by: \"a b\"", &[(BadName, 6, 12)]),
        segment("another segment's key", "intern", NameMismatch)
            .hint("write `segment: internal`, or rename the file"),
        segment("a segment's key in capitals", "Internal", BadName),
        segment("an empty segment's key", "\"\"", BadName),
        segment("a segment's key that starts with a dot", ".internal", BadName),
    ]
}

/// Rules called `a`, one a line from line 7.
fn rules(conditions: &[&str]) -> String {
    let rules =
        conditions.iter().map(|when| format!("\n- {{name: a, when: {when}, strategy: polling}}"));
    format!("rules:{}", rules.collect::<String>())
}

pub fn numbers_and_durations() -> Vec<Case> {
    let start = |name: &str, text: &str| {
        flag(
            name,
            &format!("transports: {{polling: {{max: 30d, start: {text}}}}}"),
            &[(BadDuration, 6, 41)],
        )
    };
    let polling = |name: &str, text: &str, expect: &[Expected]| {
        flag(name, &format!("transports:\n  polling: {{{text}}}"), expect)
    };
    let realtime = |name: &str, text: &str, expect: &[Expected]| {
        flag(name, &format!("transports:\n  realtime-v2: {{{text}}}"), expect)
    };
    let factor =
        |name: &str, text: &str| polling(name, &format!("factor: {text}"), &[(BadNumber, 7, 21)]);
    let limit =
        |name: &str, text: &str| polling(name, &format!("limit: {text}"), &[(BadNumber, 7, 20)]);
    vec![
        start("a duration without a unit", "4").hint("like 500ms, 4s, 10m, 2h or 1d"),
        start("a duration with a blank", "4 s"),
        start("a duration with a capital", "4S"),
        start("a duration with a long unit", "4sec"),
        start("a duration in weeks", "1w"),
        start("a duration below zero", "-4s"),
        start("a duration with a plus", "+4s"),
        start("a duration with decimals", "4.5s"),
        start("a duration of a unit alone", "ms"),
        start("two durations", "4s5ms"),
        start("a duration as a power", "1e3ms"),
        start("a duration in hexadecimal", "0x4s"),
        start("a duration of ISO 8601", "PT4S"),
        start("a duration in digits of another script", "٤s"),
        start("a duration over the most", "31d").says("at most 30 days"),
        start("a duration a millisecond over the most", "2592000001ms"),
        start("a duration over every number", "99999999999999999999s"),
        start("a duration whose milliseconds are over every number", "18446744073709551615d"),
        polling("a null for a duration", "start: ~", &[(WrongType, 7, 20)]),
        polling("a list for a duration", "start: [4s]", &[(WrongType, 7, 20)]),
        polling("a start below the least", "start: 2s", &[(BadDuration, 7, 12)])
            .says("out of order"),
        polling("a start over the most", "start: 16s", &[(BadDuration, 7, 12)]),
        polling("a least of nothing", "min: 0s", &[(BadDuration, 7, 12)]),
        polling("a most below the least", "min: 10s, start: 10s, max: 1s", &[(BadDuration, 7, 12)]),
        // An unreadable start has no order.
        polling("an unreadable start and a least", "min: 5s, start: x", &[(BadDuration, 7, 29)]),
        polling("an unreadable dedupe", "dedupe: 2", &[(BadDuration, 7, 21)]),
        polling(
            "in order",
            "min: 1s, start: \"1s\", max: 30d, dedupe: 0s, factor: 10, limit: 1000",
            &[],
        ),
        factor("a factor below one", "0.999"),
        factor("a factor over ten", "10.001"),
        factor("a factor with four decimals", "1.5555"),
        factor("a factor below zero", "-1"),
        factor("a factor as a power", "1e0"),
        factor("a factor without decimals", "1."),
        factor("a factor in words", "two"),
        polling("a factor in quotes", "factor: \"1.5\"", &[(WrongType, 7, 21)]),
        polling("a factor with a comma", "factor: 1,5", &[(UnknownKey, 7, 23)]),
        limit("a limit of nothing", "0"),
        limit("a limit over the most", "1001").says("from 1 to 1000"),
        limit("a limit below zero", "-1"),
        limit("a limit with a plus", "+1"),
        limit("a limit with decimals", "1.0"),
        limit("a limit as a power", "1e1"),
        limit("a limit in hexadecimal", "0x10"),
        limit("a limit with an underscore", "1_0"),
        limit("a limit in quotes", "\"50\""),
        limit("a limit over every number", "4294967296"),
        realtime(
            "bad waits",
            "retry: [2s, x, 3s, 31d]",
            &[(BadDuration, 7, 29), (BadDuration, 7, 36)],
        ),
        realtime("a null among waits", "retry: [~]", &[(WrongType, 7, 25)]),
        realtime("an unknown kind", "kind: http", &[(BadText, 7, 23)])
            .says("`sse` and `websocket`"),
        realtime("a kind in capitals", "kind: SSE", &[(BadText, 7, 23)]),
        realtime("a token for ever", "token_ttl: never", &[(BadDuration, 7, 28)]),
        realtime("a token for too long", "token_ttl: 3601s", &[(BadDuration, 7, 28)])
            .hint("400s to 1h"),
        realtime("a token too short", "token_ttl: 399s", &[(BadDuration, 7, 28)]),
        realtime("a token for a month", "token_ttl: 30d", &[(BadDuration, 7, 28)]),
        realtime("a template without quotes", "url: /a/{b}", &[(Syntax, 7, 25)]),
        flag(
            "the client's durations",
            "client: {valid_for: 60, stale_if_error: x, enter_spread: 31d}",
            &[(BadDuration, 6, 21), (BadDuration, 6, 41), (BadDuration, 6, 58)],
        ),
    ]
}
