//! The pending entries: a state of each flag, bounded by the number of flags and not of requests,
//! and found without a search through all entries.

use std::time::{Duration, Instant};

use turnout::flag::{FlagKey, Split};
use turnout::ledger::{
    Action, Attribution, Catalog, ChangeSource, Command, ContentCache, ContentHash, EffectiveState,
    FlagRecord, Head, Overlay, PendingChange, PendingEntry, SplitOverride, Unknown, expire,
    without_superseded,
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
        turnout::flag::Share::from_millipercent(share).unwrap(),
        turnout::flag::Share::NONE,
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
fn truth(flags: usize) -> EffectiveState {
    let mut forms = ContentCache::default();
    let records: Vec<_> = (0..flags)
        .map(|number| {
            let key: FlagKey = format!("f{number:05}").parse().unwrap();
            let text = format!(
                "version: 1\nflag: {key}\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: {{ realtime-v2: 100% }}\n"
            );
            let definition = ContentHash::of(text.as_bytes());
            forms.texts.insert(definition, text.into());
            let record = FlagRecord { definition: Some(definition), ..FlagRecord::default() };
            forms.read_flag(&key, &record).unwrap();
            (key, record, 1)
        })
        .collect();
    EffectiveState::of(
        Catalog::of(Head { revision: 1, ..Head::none() }, records, [], forms),
        Vec::new(),
    )
}

fn names(truth: &EffectiveState) -> Vec<&str> {
    truth.pending().iter().map(|pending| pending.id.as_str()).collect()
}

/// Each line: the entries in order, and what is pending afterwards.
#[test]
fn what_is_pending_is_a_state_of_each_flag() {
    fn check(what: &str, steps: Vec<Vec<PendingChange>>, pending: &[&str]) {
        let mut truth = truth(3);
        let mut position = truth.position();
        for (number, narrowed) in (1..).zip(steps) {
            truth.apply_pending(entry(&number.to_string(), narrowed));
            assert!(truth.position() > position, "{what}: positions rise");
            position = truth.position();
            for standing in truth.effective_flags() {
                assert!(standing.changed_at <= position, "{what}: {standing:?}");
            }
        }
        assert_eq!(names(&truth), pending, "{what}");
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
    let mut truth = truth(1);
    truth.apply_pending(entry("1", vec![set("f00000", 9_000)]));
    assert_eq!(truth.claim_first().map(|pending| pending.id), Some("1".to_owned()));
    truth.apply_pending(entry("2", vec![set("f00000", 8_000)]));
    truth.apply_pending(entry("3", vec![set("f00000", 7_000)]));
    assert_eq!(names(&truth), ["1", "3"]);
    truth.forget("1");
    assert_eq!(names(&truth), ["3"]);
    // The entries that a start reads may be committed: only the database can tell.
    let read = EffectiveState::of(truth.book.clone(), truth.pending().to_vec());
    let mut again = read;
    again.apply_pending(entry("4", vec![set("f00000", 6_000)]));
    assert_eq!(names(&again), ["3", "4"]);
}

/// An entry that a start would find stays until the start would find the one that supersedes it.
#[test]
fn a_durable_entry_stays_until_its_replacement_is_durable() {
    let mut truth = truth(1);
    truth.apply_pending(entry("durable", vec![set("f00000", 9_000)]));
    let may_go = |older: &PendingEntry| older.id != "durable";
    for number in 0..9 {
        truth.push_over(
            entry(&format!("in memory {number}"), vec![set("f00000", 8_000 - number)]),
            may_go,
        );
    }
    assert_eq!(names(&truth), ["durable", "in memory 8"]);
    let newest = entry("durable too", vec![set("f00000", 7_000)]);
    let named: Vec<String> =
        truth.to_journal(&newest).superseded.into_iter().map(|superseded| superseded.id).collect();
    assert_eq!(named, ["durable", "in memory 8"]);
    truth.apply_pending(newest);
    assert_eq!(names(&truth), ["durable too"]);
}

/// A request is recognised by its name for as long as its entry, or one that superseded it, is
/// pending: in memory, and at a start.
#[test]
fn a_superseded_request_is_known_by_its_idempotency_key() {
    let mut truth = truth(1);
    let mut journal: Vec<PendingEntry> = Vec::new();
    for number in 0..100 {
        let pending = entry(&format!("id-{number}"), vec![set("f00000", 50_000 - number)]);
        journal.push(truth.to_journal(&pending));
        assert!(
            journal.last().unwrap().superseded.len() <= 1,
            "one entry costs the journal no more than it and its last name"
        );
        truth.apply_pending(pending);
    }
    let known = |truth: &EffectiveState, number: u32| {
        truth.pending().request_of(&format!("id-{number}")).flatten()
    };
    let request = |number: u32| Some(ContentHash::of(format!("id-{number}").as_bytes()));
    let read = EffectiveState::of(truth.book.clone(), without_superseded(journal));
    let compacted =
        EffectiveState::of(truth.book.clone(), without_superseded(truth.pending().to_vec()));
    for truth in [&truth, &read, &compacted] {
        assert_eq!(names(truth), ["id-99"]);
        for number in 67..100 {
            assert_eq!(known(truth, number), request(number), "{number}");
        }
        assert_eq!(known(truth, 66), None, "32 are remembered");
    }
}

/// Everything that visits each flag, over as many entries as there are flags and over one that
/// stops them all. A search through all entries for each flag would take minutes.
#[test]
fn asking_every_flag_costs_no_more_with_all_of_them_pending() {
    const FLAGS: usize = 10_000;
    let base = truth(FLAGS);
    let keys: Vec<String> = base.book.flags().map(|(key, _)| key.to_string()).collect();
    let one_by_one = keys.iter().map(|key| entry(key, vec![stop(key), set(key, 9_000)]));
    let together = [entry("all", keys.iter().map(|key| stop(key)).collect())];
    for entries in [one_by_one.collect::<Vec<_>>(), together.to_vec()] {
        let began = Instant::now();
        let mut truth = base.clone();
        for pending in entries {
            truth.to_journal(&pending);
            truth.apply_pending(pending);
        }
        assert!(keys.iter().all(|key| truth.flag(key).unwrap().record.stop.is_some()));
        assert_eq!(truth.effective_flags().len(), FLAGS);
        assert!(Command::StopAll.decide(&truth, None, &mark(2)).unwrap().parts.is_empty());
        assert!(expire(&truth, 5, |_, _| turnout::moment::Due::ByBoth).decided.parts.is_empty());
        assert!(truth.revocations_to_carry(5).is_empty());
        while let Some(pending) = truth.claim_first() {
            assert!(truth.pending().request_of(&pending.id).is_some());
            truth.forget(&pending.id);
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
