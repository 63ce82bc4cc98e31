//! The pending entries: a state of each flag, bounded by the number of flags and not of requests,
//! and found without a search through all entries.

use std::time::{Duration, Instant};

use turnout_core::flag::{FlagKey, Split};
use turnout_core::ledger::{
    Action, Attribution, Catalog, ChangeSource, Command, CommandPath, ContentCache, ContentHash,
    EffectiveState, FlagRecord, Head, Overlay, PendingChange, PendingEntry, SplitOverride, Unknown,
    expire, without_superseded,
};

fn mark(at_ms: i64) -> Attribution {
    Attribution {
        by: "oncall".into(),
        at_ms,
        reason: Some("incident".to_owned()),
        unknown: Unknown::default(),
    }
}

fn entry(id: &str, narrowed: Vec<PendingChange>) -> PendingEntry {
    PendingEntry {
        id: id.to_owned(),
        at_ms: 1,
        actor: "oncall".into(),
        origin: ChangeSource::Api,
        reason: Some("incident".to_owned()),
        request: Some(ContentHash::of(id.as_bytes())),
        narrowed,
        revoked: Vec::new(),
        superseded: Vec::new(),
        unknown: Unknown::default(),
    }
}

fn narrowed(flag: &str, action: Action, op: Overlay) -> PendingChange {
    PendingChange { flag: flag.parse().unwrap(), action, op, unknown: Unknown::default() }
}

fn stop(flag: &str) -> PendingChange {
    narrowed(flag, Action::Stop, Overlay::Stop(mark(1).into()))
}

/// A split of so many thousandths of a per cent, held.
fn set(flag: &str, share: u32) -> PendingChange {
    let split = Split::new(
        turnout_core::flag::Share::from_millipercent(share).unwrap(),
        turnout_core::flag::Share::NONE,
    )
    .unwrap();
    let held = SplitOverride { split, mark: mark(1), ends: None, unknown: Unknown::default() };
    let op = Overlay::Split {
        requested: Some(split),
        held: Some(held),
        mark: mark(1),
        unknown: Unknown::default(),
    };
    narrowed(flag, Action::Set, op)
}

/// Flags at 100 %, and no pending entry.
fn state(flags: usize) -> EffectiveState {
    state_at(flags, "100%")
}

fn state_at(flags: usize, share: &str) -> EffectiveState {
    let mut content = ContentCache::default();
    let records: Vec<_> = (0..flags)
        .map(|number| {
            let key: FlagKey = format!("f{number:05}").parse().unwrap();
            let text = format!(
                "version: 1\nflag: {key}\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: {{ realtime-v2: {share} }}\n"
            );
            let definition = ContentHash::of(text.as_bytes());
            content.blobs.insert(definition, text.into());
            let record = FlagRecord { definition: Some(definition), ..FlagRecord::default() };
            content.read_flag(&key, &record).unwrap();
            (key, record, 1)
        })
        .collect();
    EffectiveState::of(
        Catalog::of(Head { revision: 1, ..Head::none() }, records, [], content),
        Vec::new(),
    )
}

fn names(state: &EffectiveState) -> Vec<&str> {
    state.pending().iter().map(|pending| pending.id.as_str()).collect()
}

/// Each line: the entries in order, and what is pending afterwards.
#[test]
fn what_is_pending_is_a_state_of_each_flag() {
    fn check(what: &str, steps: Vec<Vec<PendingChange>>, pending: &[&str]) {
        let mut state = state(3);
        let mut position = state.position();
        for (number, narrowed) in (1..).zip(steps) {
            state.apply_pending(entry(&number.to_string(), narrowed));
            assert!(state.position() > position, "{what}: positions rise");
            position = state.position();
            for standing in state.effective_flags() {
                assert!(standing.changed_at <= position, "{what}: {standing:?}");
            }
        }
        assert_eq!(names(&state), pending, "{what}");
    }
    let (f, g) = ("f00000", "f00001");
    check("falling shares", (1..100).map(|step| vec![set(f, 50_000 - step)]).collect(), &["99"]);
    check("the same share again", (0..9).map(|_| vec![set(f, 50_000)]).collect(), &["9"]);
    check(
        "a split that is not lower",
        vec![vec![set(f, 10_000)], vec![set(f, 20_000)]],
        &["1", "2"],
    );
    check(
        "two flags",
        vec![vec![set(f, 9)], vec![set(g, 9)], vec![set(f, 8)], vec![set(g, 7)]],
        &["3", "4"],
    );
    check(
        "a stop between splits stays",
        vec![vec![set(f, 9)], vec![stop(f)], vec![set(f, 8)]],
        &["2", "3"],
    );
    check("a stop takes no split's place", vec![vec![set(f, 9)], vec![stop(f)]], &["1", "2"]);
    check(
        "one of two flags",
        vec![vec![set(f, 9), set(g, 9)], vec![set(f, 8)], vec![set(f, 7)]],
        &["1", "3"],
    );
    check(
        "both of two flags",
        vec![vec![set(f, 9), set(g, 9)], vec![set(f, 8)], vec![set(f, 7), set(g, 7)]],
        &["3"],
    );
    check("a stop of both", vec![vec![stop(f), stop(g)], vec![set(f, 7), set(g, 7)]], &["1", "2"]);
}

#[test]
fn an_entry_whose_commit_has_begun_stays() {
    let mut state = state(1);
    state.apply_pending(entry("1", vec![set("f00000", 9_000)]));
    assert_eq!(state.claim_first().map(|pending| pending.id), Some("1".to_owned()));
    state.apply_pending(entry("2", vec![set("f00000", 8_000)]));
    state.apply_pending(entry("3", vec![set("f00000", 7_000)]));
    assert_eq!(names(&state), ["1", "3"]);
    state.mark_committed("1");
    assert_eq!(names(&state), ["3"]);
    // The entries that a start reads may be committed: only the database can tell.
    let read = EffectiveState::of(state.catalog.clone(), state.pending().to_vec());
    let mut again = read;
    again.apply_pending(entry("4", vec![set("f00000", 6_000)]));
    assert_eq!(names(&again), ["3", "4"]);
}

/// An entry that a start would find stays until the start would find the one that supersedes it.
#[test]
fn a_durable_entry_stays_until_its_replacement_is_durable() {
    let mut state = state(1);
    state.apply_pending(entry("durable", vec![set("f00000", 9_000)]));
    let may_go = |older: &PendingEntry| older.id != "durable";
    for number in 0..9 {
        state.push_over(
            entry(&format!("in memory {number}"), vec![set("f00000", 8_000 - number)]),
            may_go,
        );
    }
    assert_eq!(names(&state), ["durable", "in memory 8"]);
    let newest = entry("durable too", vec![set("f00000", 7_000)]);
    let named: Vec<String> =
        state.to_journal(&newest).superseded.into_iter().map(|superseded| superseded.id).collect();
    assert_eq!(named, ["durable", "in memory 8"]);
    state.apply_pending(newest);
    assert_eq!(names(&state), ["durable too"]);
}

/// A request is recognised by its name for as long as its entry, or one that superseded it, is
/// pending: in memory, and at a start.
#[test]
fn a_superseded_request_is_known_by_its_idempotency_key() {
    let mut state = state(1);
    let mut journal: Vec<PendingEntry> = Vec::new();
    for number in 0..100 {
        let pending = entry(&format!("id-{number}"), vec![set("f00000", 50_000 - number)]);
        journal.push(state.to_journal(&pending));
        assert!(
            journal.last().unwrap().superseded.len() <= 1,
            "one entry costs the journal no more than it and its last name"
        );
        state.apply_pending(pending);
    }
    let known = |state: &EffectiveState, number: u32| {
        state.pending().request_of(&format!("id-{number}")).flatten()
    };
    let request = |number: u32| Some(ContentHash::of(format!("id-{number}").as_bytes()));
    let read = EffectiveState::of(state.catalog.clone(), without_superseded(journal));
    let compacted =
        EffectiveState::of(state.catalog.clone(), without_superseded(state.pending().to_vec()));
    for state in [&state, &read, &compacted] {
        assert_eq!(names(state), ["id-99"]);
        for number in 67..100 {
            assert_eq!(known(state, number), request(number), "{number}");
        }
        assert_eq!(known(state, 66), None, "32 are remembered");
    }
}

/// Shares in thousandths of a per cent. Each line: what the file says where the flag is recorded, what
/// is held over it, the split that is asked for and whether it is held, and what is held then.
#[test]
fn a_lowering_holds_whatever_its_flag_is_by_then() {
    fn check(file: Option<&str>, before: Option<u32>, asked: (u32, bool), after: Option<u32>) {
        let what = format!("{file:?} {before:?} {asked:?}");
        let split_of = |share| match set("f00000", share).op {
            Overlay::Split { held, .. } => held,
            _ => None,
        };
        let entry = file.map(|share| {
            let entry = state_at(1, share).flag("f00000").unwrap();
            let split = before.and_then(split_of);
            entry.with(FlagRecord { split, ..entry.record.clone() })
        });
        let mut op = set("f00000", asked.0).op;
        if let (Overlay::Split { held, .. }, (_, false)) = (&mut op, asked) {
            *held = None;
        }
        let laid = op.apply_to(entry.as_ref()).unwrap();
        let held = laid.record.split.map(|held| held.split.realtime().millipercent());
        assert_eq!(held, after, "{what}");
    }
    // It was not recorded yet, or it was given up just then.
    check(None, None, (5_000, true), Some(5_000));
    check(None, None, (5_000, false), Some(5_000));
    check(Some("50%"), None, (5_000, true), Some(5_000));
    // Another save of its file came, which says less; a later one may say more.
    check(Some("2%"), None, (5_000, true), Some(2_000));
    check(Some("2%"), Some(60_000), (5_000, true), Some(5_000));
    check(Some("50%"), Some(2_000), (5_000, true), Some(2_000));
    // A hold is given back to the file.
    check(Some("50%"), Some(60_000), (50_000, false), None);
    check(Some("2%"), Some(60_000), (50_000, false), None);
    check(Some("80%"), Some(60_000), (50_000, false), Some(50_000));
    check(Some("2%"), None, (50_000, false), None);
}

/// A commit may end before its entry is pushed, which then is not laid over it a second time. A commit
/// that was found twice leaves nothing behind: another entry may have its name.
#[test]
fn an_entry_that_was_committed_is_passed_over_once() {
    let mut state = state(1);
    let of = |share| entry("1", vec![set("f00000", share)]);
    state.claim("1");
    state.mark_committed("1");
    assert!(!state.apply_pending(of(9_000)), "its commit was the first to end");
    assert!(state.apply_pending(of(8_000)), "the same name again");
    assert_eq!(state.claim_first().map(|pending| pending.id), Some("1".to_owned()));
    state.mark_committed("1");
    state.mark_committed("1");
    assert!(state.apply_pending(of(7_000)), "the commit was found twice");
    assert_eq!(names(&state), ["1"]);
}

/// Everything that visits each flag, over as many entries as there are flags and over one that
/// stops them all. A search through all entries for each flag would take minutes.
#[test]
fn asking_every_flag_costs_no_more_with_all_of_them_pending() {
    const FLAGS: usize = 10_000;
    let base = state(FLAGS);
    let keys: Vec<String> = base.catalog.flags().map(|(key, _)| key.to_string()).collect();
    let one_by_one = keys.iter().map(|key| entry(key, vec![stop(key), set(key, 9_000)]));
    let together = [entry("all", keys.iter().map(|key| stop(key)).collect())];
    for entries in [one_by_one.collect::<Vec<_>>(), together.to_vec()] {
        let began = Instant::now();
        let mut state = base.clone();
        for pending in entries {
            state.to_journal(&pending);
            state.apply_pending(pending);
        }
        assert!(keys.iter().all(|key| state.flag(key).unwrap().record.stop.is_some()));
        assert_eq!(state.effective_flags().len(), FLAGS);
        assert!(Command::StopAll.decide(&state, None, &mark(2)).unwrap().parts.is_empty());
        assert!(
            expire(&state, 5, |_, _| turnout_core::moment::Due::ByBoth).decided.parts.is_empty()
        );
        assert!(state.revocations_to_carry(5).is_empty());
        while let Some(pending) = state.claim_first() {
            assert!(state.pending().request_of(&pending.id).is_some());
            state.mark_committed(&pending.id);
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

/// A stop of all flags is never refused for one that is stopped already and has no definition: it
/// was stopped before its file was read.
#[test]
fn a_stop_that_is_repeated_narrows_also_where_a_flag_has_no_definition() {
    let stopped = FlagRecord { stop: Some(mark(1)), ..FlagRecord::default() };
    let records = [("cold".parse().unwrap(), stopped, 1)];
    let catalog =
        Catalog::of(Head { revision: 1, ..Head::none() }, records, [], ContentCache::default());
    let state = EffectiveState::of(catalog, Vec::new());
    for command in [Command::StopAll, Command::Stop { flag: "cold".parse().unwrap() }] {
        let mut decided = command.decide(&state, None, &mark(2)).unwrap();
        decided.hold(state.pending(), |_| true);
        let path = decided.classify(&mark(2));
        assert!(
            matches!(&path, CommandPath::Narrowing { narrowed, .. } if narrowed.len() == 1),
            "{command:?}: {path:?}"
        );
    }
}
