//! `turnout diff`: it compares meaning and not text, names exact buckets, and prints no ids.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::definition::{DefinitionSet, FlagFiles};
use turnout::flag::{
    Bucket, Context, Definition, EvaluationTracer, Flag, Identity, MatchResult, Moves, Segments,
    ServerAuth, Step, Strategy as Answer, TargetingKey, differences, evaluate_traced, moves,
};

const FLAG: &str = r"version: 1
flag: f
enabled: true
default: polling
when_stopped: polling
attributes: { plan: text, os: [ios, web], seats: number }
deny:
  - { users: [u-1, u-2] }
  - { segment: staff, when: { os: ios } }
allow:
  - { emails: [a@b.c], when: { email: { not: x@y.z } }, strategy: realtime-v2 }
rules:
  - { name: big, when: { seats: { at_least: 5 }, plan: [team, gold] }, strategy: realtime-v2 }
  - { name: small, when: { plan: { starts_with: s } }, strategy: disabled }
rollout:
  realtime-v2: 10%
";
const STAFF: &str = "version: 1\nsegment: staff\nusers: [u-7]\n";

/// A flag's text with some parts replaced, each of which must occur.
fn with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(FLAG.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no {from}");
        text.replacen(from, to, 1)
    })
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("segments")).unwrap();
    files.iter().for_each(|(path, text)| fs::write(home.path().join(path), text).unwrap());
    home
}

fn diff(old: &TempDir, new: &TempDir, more: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .arg("diff")
        .args([old.path(), new.path()])
        .args(more)
        .env_remove("INTERNAL_USER_IDS")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The lines printed for a flag with these changes; none if it means the same.
fn check(changes: &[(&str, &str)], wanted: &[&str]) {
    let old = folder(&[("f.yaml", FLAG), ("segments/staff.yaml", STAFF)]);
    let new = folder(&[("f.yaml", &with(changes)), ("segments/staff.yaml", STAFF)]);
    let (exit, stdout, stderr) = diff(&old, &new, &[]);
    let lines: Vec<&str> =
        stdout.lines().filter(|line| line.starts_with("    ")).map(str::trim).collect();
    assert_eq!((lines.as_slice(), stderr.as_str()), (wanted, ""), "{changes:?}");
    assert_eq!(exit, i32::from(!wanted.is_empty()), "{changes:?}: {stdout}");
    assert!(["u-1", "u-2", "u-9", "b.c", "y.z"].iter().all(|id| !stdout.contains(id)), "{stdout}");
}

#[test]
fn diff_compares_the_meaning_of_flags() {
    // Other text with the same meaning.
    check(
        &[("[u-1, u-2]", "[u-2, u-1, u-1]"), ("enabled: true", "enabled: true  # a comment")],
        &[],
    );
    check(&[("os: [ios, web], seats: number", "seats: number, os: [web, ios]")], &[]);
    check(
        &[(
            "seats: { at_least: 5 }, plan: [team, gold]",
            "plan: [gold, team], seats: { at_least: 5.0 }",
        )],
        &[],
    );
    check(&[("flag: f\n", "flag: f\nsalt: f\n")], &[]);
    check(&[("realtime-v2: 10%", "realtime-v2: 10.000%")], &[]);

    check(
        &[("realtime-v2: 10%", "realtime-v2: 50%")],
        &[
            "rollout.realtime-v2 10% -> 50%",
            "buckets 10000..49999 move polling -> realtime-v2 (40%)",
        ],
    );
    check(
        &[("realtime-v2: 10%", "realtime-v2: 5%\n  disabled: 2.5%")],
        &[
            "rollout.realtime-v2 10% -> 5%",
            "rollout.disabled 0% -> 2.5%",
            "buckets 5000..9999 move realtime-v2 -> polling (5%)",
            "buckets 97500..99999 move polling -> disabled (2.5%)",
        ],
    );
    check(
        &[("enabled: true", "enabled: false")],
        &["enabled true -> false", "buckets 0..9999 move realtime-v2 -> polling (10%)"],
    );
    check(
        &[("default: polling", "default: disabled")],
        &[
            "default polling -> disabled",
            "deny 1 strategy polling -> disabled",
            "deny 2 strategy polling -> disabled",
            "buckets 10000..99999 move polling -> disabled (90%)",
        ],
    );
    check(
        &[("when_stopped: polling", "when_stopped: disabled")],
        &["when_stopped polling -> disabled"],
    );
    check(
        &[("flag: f\n", "flag: f\nsalt: other\n")],
        &[
            "salt f -> other",
            "every user is drawn anew: about 18% of those in the rollout get another strategy",
        ],
    );
    check(
        &[("rollout:\n  realtime-v2: 10%\n", "salt: g\n")],
        &[
            "salt f -> g",
            "rollout.realtime-v2 10% -> none",
            "rollout.disabled 0% -> none",
            "buckets 0..9999 move realtime-v2 -> polling (10%)",
        ],
    );
    check(&[("[u-1, u-2]", "[u-2, u-8, u-9]")], &["deny 1 users 2 -> 3 (2 new, 1 gone)"]);
    check(
        &[("users: [u-1, u-2]", "when: { os: web }")],
        &[
            "deny 1 is for those it lists -> everybody",
            "deny 1 users 2 -> none",
            "deny 1 when none -> os in [\"web\"]",
        ],
    );
    check(&[("  - { users: [u-1, u-2] }\n", "")], &["deny 1 2 users serves polling -> none"]);
    check(
        &[("x@y.z", "w@y.z")],
        &[
            "allow 1 when not (email in [1 addresses]) -> not (email in [1 addresses]) (other addresses)",
        ],
    );
    check(&[("os: ios }", "os: web }")], &["deny 2 when os in [\"ios\"] -> os in [\"web\"]"]);
    check(
        &[("os: [ios, web]", "os: [ios, web, tv]")],
        &["attributes.os [ios, web] -> [ios, tv, web]"],
    );
    check(
        &[("at_least: 5", "at_least: 6")],
        &[
            "rule big when plan in [\"gold\", \"team\"] and seats at_least 5 -> plan in [\"gold\", \"team\"] and seats at_least 6",
        ],
    );
    check(
        &[(
            "  - { name: big",
            "  - { name: first, when: { segment: staff }, strategy: polling }\n  - { name: big",
        )],
        &["rule first none -> number 1: segment in [staff] serves polling"],
    );
    check(
        &[("name: big", "name: x"), ("name: small", "name: big"), ("name: x", "name: small")],
        &[
            "rule big when plan in [\"gold\", \"team\"] and seats at_least 5 -> plan starts_with \"s\"",
            "rule big strategy realtime-v2 -> disabled",
            "rule small when plan starts_with \"s\" -> plan in [\"gold\", \"team\"] and seats at_least 5",
            "rule small strategy disabled -> realtime-v2",
            "order of rules big, small -> small, big",
        ],
    );
    check(
        &[(
            "rollout:",
            "transports: { polling: { start: 90s, max: 2m, factor: 2 }, realtime-v2: { retry: [1s, 1500ms] } }\nclient: { valid_for: 2h }\nowner: us\nrollout:",
        )],
        &[
            "owner none -> us",
            "transports.polling.start 4s -> 90s",
            "transports.polling.max 15s -> 2m",
            "transports.polling.factor 1.5 -> 2",
            "transports.realtime-v2.retry 2s 4s 8s 16s 32s -> 1s 1500ms",
            "client.valid_for 1m -> 2h",
        ],
    );
}

#[test]
fn diff_compares_flags_and_segments_of_folders() {
    let old = folder(&[
        ("f.yaml", FLAG),
        ("gone.yaml", &FLAG.replace("flag: f", "flag: gone")),
        ("segments/staff.yaml", STAFF),
    ]);
    let new = folder(&[
        ("f.yaml", FLAG),
        ("new.yaml", &FLAG.replace("flag: f", "flag: new")),
        ("segments/staff.yaml", "version: 1\nsegment: staff\nusers: [u-8, u-9]\ndomains: [b.c]\n"),
        ("segments/more.yaml", "version: 1\nsegment: more\n"),
    ]);
    let (exit, stdout, _) = diff(&old, &new, &[]);
    let wanted = "- flag gone\n+ flag new: polling 90%, realtime-v2 10%\n\
        gone -> new: the same flag under another name?\n    add `salt: gone` to new.yaml, or 100% of users get another bucket\n\
        + segment more\n~ segment staff, named by f, new\n    \
        users 1 -> 2 (2 new, 1 gone)\n    domains none -> 1 (1 new, 0 gone)\n2 flags, 2 segments differ\n";
    assert_eq!((exit, stdout.as_str()), (1, wanted));
    let (exit, stdout, _) = diff(&old, &old, &[]);
    assert_eq!((exit, stdout.as_str()), (0, "no difference: 2 flags, 1 segment\n"));
}

#[test]
fn diff_says_what_keeps_the_buckets_of_a_renamed_flag() {
    let old = folder(&[
        ("tiny.yaml", &with(&[("flag: f", "flag: tiny")])),
        ("segments/staff.yaml", STAFF),
    ]);
    let renamed = |more: &str| {
        let text = with(&[("flag: f\n", &format!("flag: wee\n{more}"))]);
        folder(&[("wee.yaml", &text), ("segments/staff.yaml", STAFF)])
    };
    let (exit, stdout, _) = diff(&old, &renamed(""), &[]);
    let wanted = "tiny -> wee: the same flag under another name?\n    add `salt: tiny` to wee.yaml, or 100% of users get another bucket\n";
    assert!(exit == 1 && stdout.contains(wanted), "{stdout}");
    let (_, stdout, _) = diff(&old, &renamed("salt: tiny\n"), &[]);
    assert!(stdout.contains("every user keeps the strategy"), "{stdout}");
    let (_, stdout, _) = diff(&old, &renamed(""), &["--json"]);
    let whole: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(whole["renamed"], json!([{ "from": "tiny", "to": "wee", "lostSalt": "tiny" }]));
    let (_, stdout, _) = diff(&old, &renamed("salt: tiny\nowner: me\n"), &[]);
    assert!(!stdout.contains("->"), "{stdout}");
}

#[test]
fn diff_as_json_says_the_same() {
    let old = folder(&[("f.yaml", FLAG), ("segments/staff.yaml", STAFF)]);
    let new = folder(&[("f.yaml", &with(&[("10%", "50%")])), ("segments/staff.yaml", STAFF)]);
    let (exit, stdout, _) = diff(&old, &new, &["--json"]);
    assert_eq!(exit, 1);
    let reply: Json = serde_json::from_str(&stdout).unwrap();
    let wanted = json!({
        "same": false,
        "flags": [{
            "flag": "f",
            "change": "changed",
            "differences": [{ "what": "rollout.realtime-v2", "before": "10%", "after": "50%" }],
            "moves": [{ "firstBucket": 10_000, "lastBucket": 49_999, "from": "polling", "to": "realtime-v2", "share": "40%" }],
        }],
        "segments": [],
    });
    assert_eq!(reply, wanted);
    let (exit, stdout, _) = diff(&old, &old, &["--json"]);
    assert_eq!(
        (exit, serde_json::from_str::<Json>(&stdout).unwrap()),
        (0, json!({ "same": true, "flags": [], "segments": [] }))
    );
}

#[test]
fn diff_of_folders_with_errors_exits_with_1_and_of_none_with_2() {
    let good = folder(&[("f.yaml", FLAG), ("segments/staff.yaml", STAFF)]);
    let bad = folder(&[("f.yaml", FLAG)]);
    let (exit, stdout, stderr) = diff(&good, &bad, &[]);
    assert_eq!((exit, stdout.as_str()), (1, ""));
    assert!(stderr.contains("unknown-segment") && stderr.contains("turnout check"), "{stderr}");
    let gone = TempDir::new().unwrap();
    fs::remove_dir(gone.path()).unwrap();
    let (exit, _, stderr) = diff(&good, &gone, &[]);
    assert!(exit == 2 && stderr.contains("does not exist"), "{stderr}");
    assert_eq!(diff(&bad, &gone, &[]).0, 2, "what was not asked well comes first");
    assert_eq!(
        Command::new(env!("CARGO_BIN_EXE_turnout")).arg("diff").output().unwrap().status.code(),
        Some(2)
    );
}

fn read(text: &str) -> Arc<Definition> {
    let mut set = DefinitionSet::default();
    assert_eq!(set.update(&FlagFiles::of([("f.yaml", text)])), []);
    set.flags().next().unwrap().1.unwrap().0
}

/// A definition with everything that affects buckets.
fn definitions() -> impl Strategy<Value = Arc<Definition>> {
    let share = prop_oneof![
        Just(0_u32),
        Just(100_000),
        0..=100_000_u32,
        (0..=20_u32).prop_map(|n| n * 5_000)
    ];
    (any::<[bool; 4]>(), share.clone(), share).prop_map(
        |([enabled, polls, stopped_polls, rolls], a, d)| {
            let word = |polls| if polls { "polling" } else { "disabled" };
            let percent = |n: u32| format!("{}.{:03}%", n / 1000, n % 1000);
            let disabled = if polls {
                format!("disabled: {}", percent(d.min(100_000 - a)))
            } else {
                String::new()
            };
            let rollout = if rolls {
                format!("rollout: {{ realtime-v2: {}, {disabled} }}\n", percent(a))
            } else {
                String::new()
            };
            read(&format!(
                "version: 1\nflag: f\nenabled: {enabled}\ndefault: {}\nwhen_stopped: {}\n{rollout}",
                word(polls),
                word(stopped_polls)
            ))
        },
    )
}

struct NoTracer;

impl EvaluationTracer for NoTracer {
    fn record(&mut self, _: Step, _: Option<usize>, _: MatchResult) {}
}

fn answer(definition: &Arc<Definition>, bucket: u32) -> Answer {
    let flag = Flag::as_written(definition.clone(), Segments::Known(Vec::new()));
    let context = Context::new(Identity::Plain, TargetingKey::parse("x").unwrap(), &[]);
    evaluate_traced(&flag, &context, ServerAuth::Off, Bucket::new(bucket), &mut NoTracer).strategy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The ranges are those that evaluating every bucket finds, and as few as possible.
    #[test]
    fn moved_buckets_are_those_that_evaluate_differently(old in definitions(), new in definitions()) {
        let Moves::Buckets(ranges) = moves(&old, &new) else { panic!("the salt is the same") };
        let mut reply = vec![None; 100_000];
        for moved in &ranges {
            prop_assert!(moved.from != moved.to);
            for bucket in moved.buckets.clone() {
                reply[bucket as usize] = Some((moved.from, moved.to));
            }
        }
        for bucket in 0..100_000 {
            let (from, to) = (answer(&old, bucket), answer(&new, bucket));
            prop_assert_eq!(reply[bucket as usize], (from != to).then_some((from, to)), "bucket {}", bucket);
        }
        for pair in ranges.windows(2) {
            let apart = *pair[0].buckets.end() + 1 < *pair[1].buckets.start();
            prop_assert!(apart || (pair[0].from, pair[0].to) != (pair[1].from, pair[1].to));
        }
        prop_assert_eq!(differences(&old, &new).is_empty(), old == new);
    }
}
