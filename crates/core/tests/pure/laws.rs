//! The laws as properties. Each test is named after its law; `scripts/prove-tests.sh` breaks every law
//! once and checks that its test fails.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use turnout_core::definition::{Code, DefinitionSet, File, FlagFiles, Text, limits};
use turnout_core::flag::{
    Context, Flag, Identity, MAX_ATTRIBUTES, Reason, Resolution, ServerAuth, Share, Step,
    Strategy as Answer, TargetingKey, Unit, bucket, bucket_for, evaluate, hash,
};
use turnout_core::ledger::{
    Attribution, Catalog, ChangeSource, Command, ContentCache, EffectiveState, Head, PendingEntry,
    Reconciliation, reconcile,
};
use turnout_core::public_path::PublicPath;
use turnout_core::snapshot::Snapshot;

fn flag_file(key: &str, more: &str) -> String {
    format!(
        "version: 1\nflag: {key}\nenabled: true\ndefault: polling\nwhen_stopped: polling\n{more}\n"
    )
}

/// The flag of a definition, parsed again.
fn read(more: &str) -> Flag {
    let mut definitions = DefinitionSet::default();
    let findings = definitions.update(&FlagFiles::of([("chat.yaml", &*flag_file("chat", more))]));
    assert_eq!(findings, [], "{more}");
    let (_, form) = definitions.flags().next().unwrap();
    let (definition, segments) = form.unwrap();
    Flag::as_written(definition, segments)
}

fn ask(flag: &Flag, user: &str) -> Resolution {
    let context = Context::new(Identity::Plain, TargetingKey::parse(user).unwrap(), &[]);
    evaluate(flag, &context, ServerAuth::Off)
}

fn share_text(millipercent: u32) -> String {
    Share::from_millipercent(millipercent).unwrap().to_string()
}

fn split(realtime: u32, disabled: u32) -> Flag {
    read(&format!(
        "rollout: {{ realtime-v2: {}, disabled: {} }}",
        share_text(realtime),
        share_text(disabled)
    ))
}

/// Two shares that fit together, and a larger first one.
fn shares() -> impl Strategy<Value = (u32, u32, u32)> {
    (0..=100_000u32).prop_flat_map(|disabled| {
        (0..=100_000 - disabled)
            .prop_flat_map(move |high| (0..=high).prop_map(move |low| (low, high, disabled)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Same snapshot, same context, same answer, however often it is asked and however the snapshot
    /// was built.
    #[test]
    fn law_1_deterministic((low, _, disabled) in shares(), users in prop::collection::vec("\\PC{1,64}", 1..20)) {
        let (one, other) = (split(low, disabled), split(low, disabled));
        for user in &users {
            prop_assert_eq!(ask(&one, user), ask(&one, user));
            prop_assert_eq!(ask(&one, user), ask(&other, user));
        }
    }

    /// Raising `realtime-v2` only moves users of the default to it; lowering it undoes exactly
    /// that.
    #[test]
    fn law_2_monotone((low, high, disabled) in shares(), users in prop::collection::vec("[a-z0-9-]{1,40}", 1..60)) {
        let (before, after) = (split(low, disabled), split(high, disabled));
        for user in &users {
            let (was, is) = (ask(&before, user).strategy, ask(&after, user).strategy);
            let moved_to_realtime = was == Answer::Polling && is == Answer::RealtimeV2;
            prop_assert!(was == is || moved_to_realtime, "{user}: {was} became {is} from {low} to {high} beside {disabled}");
        }
    }

    /// Raising `disabled` takes only from the default, too.
    #[test]
    fn law_2_monotone_at_the_other_end((low, high, realtime) in shares(), users in prop::collection::vec("[a-z0-9-]{1,40}", 1..60)) {
        let (before, after) = (split(realtime, low), split(realtime, high));
        for user in &users {
            let (was, is) = (ask(&before, user).strategy, ask(&after, user).strategy);
            prop_assert!(was == is || (was == Answer::Polling && is == Answer::Disabled), "{user}: {was} became {is}");
        }
    }

    /// The hash over a slice equals the `murmur3` crate's, and `bucket < share` is the whole
    /// comparison.
    #[test]
    fn law_3_frozen_hash(salt in "[a-z0-9._-]{1,64}", unit in "\\PC{1,64}", share in 0..=100_000u32) {
        let h = murmur3::murmur3_32(&mut format!("{salt}:{unit}").as_bytes(), 0).unwrap();
        let salt = salt.parse().unwrap();
        prop_assert_eq!(hash(&salt, Unit::new(&unit).unwrap()), h);
        let expected = u64::from(h) * 100_000 / (1 << 32);
        let bucket = bucket(h);
        prop_assert_eq!(u64::from(bucket.number()), expected);
        prop_assert_eq!(bucket.is_in_lowest(Share::from_millipercent(share).unwrap()), expected < u64::from(share));
    }

    /// Per subject whole or not at all: after any saves, the last good form of each is live,
    /// whatever happened to the others.
    #[test]
    fn law_6_whole_or_not_at_all(saves in prop::collection::vec((0..3usize, 0..8usize), 1..30)) {
        let mut definitions = DefinitionSet::default();
        let mut contents = FlagFiles::default();
        let mut good: BTreeMap<&str, u32> = BTreeMap::new();
        let mut present = BTreeSet::new();
        for (which, kind) in saves {
            let (path, key) = [("a.yaml", "a"), ("b.yaml", "b"), ("c.yaml", "c")][which];
            let share = (kind as u32 + 1) * 1_000;
            let text = flag_file(key, &format!("rollout: {{ realtime-v2: {} }}", share_text(share)));
            let (text, sound) = match kind {
                0 => (text.replace("enabled: true", "enabled: no"), false),
                1 => (text[..text.len() / 2].to_owned(), false),
                2 => (format!("{text}typo: 1\n"), false),
                3 => (format!("{text}tests: [{{ user: x, bucket: 99999, expect: realtime-v2 }}]\n"), false),
                _ => (text, true),
            };
            contents.files.insert(path.to_owned(), File::Text(Text::new(text.into_bytes())));
            present.insert(key);
            if sound {
                good.insert(key, share);
            }
            let findings = definitions.update(&contents);
            prop_assert_eq!(findings.iter().any(|finding| &*finding.file == path), !sound);
            let live: BTreeMap<String, Option<u32>> = definitions
                .flags()
                .map(|(key, form)| (key.to_string(), form.map(|(definition, _)| definition.rollout.unwrap().realtime().millipercent())))
                .collect();
            let expected: BTreeMap<String, Option<u32>> = present.iter().map(|key| ((*key).to_owned(), good.get(key).copied())).collect();
            prop_assert_eq!(live, expected);
        }
    }

    /// Only `resume` lifts a stop.
    #[test]
    fn law_8_a_stop_stays(steps in prop::collection::vec(0..10usize, 1..40)) {
        let (mut state, mut definitions) = (EffectiveState::of(Catalog::empty(), Vec::new()), DefinitionSet::default());
        let mut snapshot = Snapshot::cold(ServerAuth::Off, PublicPath::default());
        let flag: turnout_core::flag::FlagKey = "chat".parse().unwrap();
        let mark = Attribution { by: "someone".into(), at_ms: 1, reason: None, unknown: Default::default() };
        let folder = |more: &str| FlagFiles::of([("chat.yaml", &*flag_file("chat", more))]);
        definitions.update(&folder(""));
        let mut stopped = false;
        for step in [9].into_iter().chain(steps) {
            let share = |text: &str| Some(text.parse().unwrap());
            let command = match step {
                0 => { stopped = true; Some(Command::Stop { flag: flag.clone() }) }
                1 => { stopped = false; Some(Command::Resume { flag: flag.clone(), at: None }) }
                2 => Some(Command::Set { flag: flag.clone(), realtime: share("100%"), disabled: None, ends: None }),
                3 => Some(Command::Unset { flag: flag.clone() }),
                4 => { definitions.update(&folder("rollout: { realtime-v2: 100% }")); None }
                5 => { definitions.update(&folder("rollout: { realtime-v2: 101% }")); None }
                6 => { definitions.update(&FlagFiles::default()); None }
                7 => { definitions.update(&FlagFiles { unreadable: Some("gone".to_owned()), ..FlagFiles::default() }); None }
                8 => { definitions.update(&folder("allow: [{ users: [u-1], strategy: realtime-v2 }]")); None }
                _ => { definitions.update(&folder("rollout: { realtime-v2: 10% }")); None }
            };
            let head = Head { revision: state.catalog.head.revision + 1, ..Head::none() };
            match command {
                Some(command) => state.catalog.apply(head, &command.decide(&state, None, &mark).unwrap().changes(), &ContentCache::default()),
                None => {
                    let Reconciliation { narrowed, mut changes, mut content, .. } = reconcile(&state, &definitions);
                    let pending = PendingEntry { id: "1".into(), at_ms: 1, actor: "file".into(), origin: ChangeSource::File, reason: None, request: None, narrowed, revoked: Vec::new(), superseded: Vec::new(), unknown: Default::default() };
                    let (more, texts) = pending.changes(|key| state.catalog.flag(key.as_str()));
                    changes.extend(more);
                    content.definitions.extend(texts.definitions);
                    state.catalog.apply(head, &changes, &content);
                }
            }
            let (next, _) = snapshot.next(state.position(), state.effective_flags().into_iter());
            prop_assert!(next.position() > snapshot.position(), "positions rise");
            snapshot = next;
            let entry = snapshot.flag("chat").unwrap();
            let answer = snapshot.evaluate(entry, &Context::new(Identity::Plain, TargetingKey::parse("u-1").unwrap(), &[]));
            prop_assert_eq!(answer.step == Step::Stop, stopped);
            prop_assert!(!stopped || answer.strategy == Answer::Polling);
        }
    }
}

/// The precedence of law 4: the earlier step decides, with the reason of the table.
#[test]
fn law_4_precedence() {
    let full = |off: &str| {
        format!(
            "{off}deny: [{{ users: [all, deny] }}]\nallow: [{{ users: [all, allow, deny], strategy: realtime-v2 }}]\n\
             attributes: {{ plan: text }}\nrules: [{{ name: paid, when: {{ plan: paid }}, strategy: disabled }}]\n\
             rollout: {{ realtime-v2: 50% }}"
        )
    };
    let flag = read(&full(""));
    let mut off = flag.clone();
    off.definition = std::sync::Arc::new({
        let text = flag_file("chat", &full("")).replace("enabled: true", "enabled: false");
        let mut definitions = DefinitionSet::default();
        assert_eq!(definitions.update(&FlagFiles::of([("chat.yaml", &*text)])), []);
        let (definition, _) = definitions.flags().next().unwrap().1.unwrap();
        drop(definitions);
        std::sync::Arc::try_unwrap(definition).unwrap()
    });
    let stopped = Flag { stopped: true, ..off.clone() };
    let paid = [("plan".into(), "paid".into())];
    let check = |flag: &Flag,
                 user: &str,
                 paid_too: bool,
                 step: Step,
                 reason: Reason,
                 strategy: Option<Answer>| {
        let attributes: &[_] = if paid_too { &paid } else { &[] };
        let context = Context::new(Identity::Plain, TargetingKey::parse(user).unwrap(), attributes);
        let answer = evaluate(flag, &context, ServerAuth::Off);
        assert_eq!((answer.step, answer.reason), (step, reason), "{user}");
        assert!(strategy.is_none_or(|strategy| strategy == answer.strategy), "{user}: {answer:?}");
    };
    check(&stopped, "all", true, Step::Stop, Reason::Static, Some(Answer::Polling));
    check(&off, "all", true, Step::Off, Reason::Static, Some(Answer::Polling));
    check(&flag, "all", true, Step::Deny, Reason::TargetingMatch, Some(Answer::Polling));
    check(&flag, "deny", true, Step::Deny, Reason::TargetingMatch, Some(Answer::Polling));
    check(&flag, "allow", true, Step::Allow, Reason::TargetingMatch, Some(Answer::RealtimeV2));
    check(&flag, "u-1", true, Step::Rule, Reason::TargetingMatch, Some(Answer::Disabled));
    check(&flag, "u-1", false, Step::Rollout, Reason::Split, None);
    check(&flag, "", false, Step::NoUnit, Reason::Default, Some(Answer::Polling));
    check(
        &read("rollout: { realtime-v2: 0% }"),
        "",
        false,
        Step::Rollout,
        Reason::Static,
        Some(Answer::Polling),
    );
    check(
        &read("rollout: { realtime-v2: 100% }"),
        "",
        false,
        Step::Rollout,
        Reason::Static,
        Some(Answer::RealtimeV2),
    );
    check(&read(""), "", false, Step::Default, Reason::Static, Some(Answer::Polling));
    let clamped = evaluate(
        &flag,
        &Context::new(Identity::Plain, TargetingKey::parse("allow").unwrap(), &[]),
        ServerAuth::WithoutHandOff,
    );
    assert_eq!(
        (clamped.strategy, clamped.step, clamped.reason),
        (Answer::Polling, Step::ServerAuth, Reason::Static)
    );
}

/// Doubt means baseline: an evaluation that cannot be made gives `polling`, a missing unit the
/// default, and no file can make `realtime-v2` a fallback.
#[test]
fn law_9_doubt_means_baseline() {
    assert_eq!(Resolution::ERROR.strategy, Answer::Polling);
    assert_eq!(Resolution::COLD_START.strategy, Answer::Polling);
    let wrong_type = [("plan".into(), turnout_core::flag::Value::Number(1.0))];
    let flag = read(
        "attributes: { plan: text }\nrules: [{ name: paid, when: { plan: paid }, strategy: disabled }]",
    );
    let answer =
        evaluate(&flag, &Context::new(Identity::Plain, None, &wrong_type), ServerAuth::Off);
    assert_eq!(
        (answer.strategy, answer.step, answer.reason),
        (Answer::Polling, Step::Error, Reason::Error)
    );

    let disabled = flag_file("chat", "rollout: { realtime-v2: 50% }")
        .replace("default: polling", "default: disabled");
    let mut definitions = DefinitionSet::default();
    assert_eq!(definitions.update(&FlagFiles::of([("chat.yaml", &*disabled)])), []);
    let (definition, segments) = definitions.flags().next().unwrap().1.unwrap();
    let answer = ask(&Flag::as_written(definition, segments), "");
    assert_eq!((answer.strategy, answer.step), (Answer::Disabled, Step::NoUnit));

    for fallback in ["default", "when_stopped"] {
        let text = flag_file("chat", "")
            .replace(&format!("{fallback}: polling"), &format!("{fallback}: realtime-v2"));
        let findings = DefinitionSet::default().update(&FlagFiles::of([("chat.yaml", &*text)]));
        assert_eq!(
            findings.iter().map(|finding| finding.code).collect::<Vec<_>>(),
            [Code::BadStrategy],
            "{fallback}"
        );
    }
}

/// Everything that grows has a named bound, and the finding states it.
#[test]
fn law_10_bounded() {
    let repeat = |count: usize, item: &str| vec![item; count].join(", ");
    let check = |what: &str, bound: usize, code: Code, text: &dyn Fn(usize) -> String| {
        for (count, refused) in [(bound, false), (bound + 1, true)] {
            let findings = DefinitionSet::default()
                .update(&FlagFiles::of([("chat.yaml", &*flag_file("chat", &text(count)))]));
            let hit = findings.iter().any(|finding| {
                finding.code == code && finding.message.contains(&bound.to_string())
            });
            assert_eq!(hit, refused, "{what}, {count}: {findings:?}");
            assert!(refused || findings.is_empty(), "{what}, {count}: {findings:?}");
        }
    };
    check("deny", limits::MAX_ENTRIES, Code::TooMany, &|n| {
        format!("deny: [{}]", repeat(n, "{ users: [a] }"))
    });
    check("allow", limits::MAX_ENTRIES, Code::TooMany, &|n| {
        format!("allow: [{}]", repeat(n, "{ users: [a], strategy: polling }"))
    });
    check("tests", limits::MAX_CASES, Code::TooMany, &|n| {
        format!("tests: [{}]", repeat(n, "{ expect: polling }"))
    });
    check("description", limits::MAX_TEXT_BYTES, Code::BadText, &|n| {
        format!("description: {}", "x".repeat(n))
    });
    check("attributes", limits::MAX_DECLARED, Code::TooMany, &|n| {
        format!(
            "attributes: {{ {} }}",
            (0..n).map(|i| format!("a{i}: text")).collect::<Vec<_>>().join(", ")
        )
    });
    check("an id", turnout_core::flag::MAX_ID_BYTES, Code::BadId, &|n| {
        format!("deny: [{{ users: [{}] }}]", "x".repeat(n))
    });
    check("retries", limits::MAX_RETRIES, Code::TooMany, &|n| {
        format!("transports: {{ realtime-v2: {{ retry: [{}] }} }}", repeat(n, "2s"))
    });

    let padded = |bytes: usize| {
        let text = flag_file("chat", "# ");
        format!("{text}#{}\n", "x".repeat(bytes - text.len() - 2))
    };
    let findings =
        |text: &str| DefinitionSet::default().update(&FlagFiles::of([("chat.yaml", text)]));
    assert_eq!(findings(&padded(limits::MAX_YAML_BYTES)), []);
    assert_eq!(findings(&padded(limits::MAX_YAML_BYTES + 1))[0].code, Code::TooLarge);

    let key = "k".repeat(turnout_core::flag::MAX_UNIT_BYTES);
    assert!(TargetingKey::parse(&key).is_ok() && TargetingKey::parse(&format!("{key}k")).is_err());
    const { assert!(MAX_ATTRIBUTES <= 256) };
}

/// The three published values of the design, made with another implementation.
#[test]
fn law_3_published_values() {
    let flag = read("salt: build-events\nrollout: { realtime-v2: 50% }");
    for (unit, h, bucket) in
        [("u-1", 585_828_482, 13_639), ("u-4711", 290_527_794, 6_764), ("é", 554_125_591, 12_901)]
    {
        let context = Context::new(Identity::Plain, TargetingKey::parse(unit).unwrap(), &[]);
        let placement = bucket_for(&flag.definition, &context).unwrap();
        assert_eq!((placement.hash, placement.bucket.number()), (Some(h), bucket), "{unit}");
    }
}
