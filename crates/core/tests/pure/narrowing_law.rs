//! The law of narrowing: for any record, any command by a stopper and any later moment,
//! `realtime-v2` is not higher and `disabled` not lower than without the command. Expiries are
//! carried out here as the service does it, with its database and without; this test does not know
//! how a command was judged.
//!
//! `TURNOUT_LAW_CASES=100000 cargo test --test logic narrowing_law::` for a long run.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use turnout_core::flag::{Definition, FlagKey, Share, Split};
use turnout_core::ledger::{
    Action, Attribution, Catalog, Change, ChangeSource, Command, ContentCache, ContentHash,
    Decision, EffectiveState, Expiry, ExpiryRequest, FlagAsOf, FlagEntry, FlagRecord, Head,
    Overlay, PendingChange, PendingEntry, Pin, SplitOverride, expire, is_narrowing,
};
use turnout_core::moment::Deadline;

/// The moment of every command; expiries are a few steps before or after it.
const NOW: i64 = 1_000;
const LAST: i64 = NOW + 6;

/// The possible definitions of a flag: another rollout, switched off, or another text.
const TEXTS: [&str; 5] = [
    "enabled: true\nrollout: { realtime-v2: 10% }",
    "enabled: true\nrollout: { realtime-v2: 60%, disabled: 10% }",
    "enabled: false\nrollout: { realtime-v2: 10% }",
    "enabled: true",
    "enabled: true\nrollout: { realtime-v2: 10% }\nallow: [{ users: [u-1], strategy: realtime-v2 }]",
];

fn key() -> FlagKey {
    "chat".parse().unwrap()
}

/// The definitions, parsed.
struct Shelf {
    content: ContentCache,
    ids: Vec<ContentHash>,
}

impl Shelf {
    fn new() -> Shelf {
        let mut shelf = Shelf { content: ContentCache::default(), ids: Vec::new() };
        for text in TEXTS {
            let text = format!(
                "version: 1\nflag: chat\ndefault: polling\nwhen_stopped: polling\n{text}\n"
            );
            let id = ContentHash::of(text.as_bytes());
            shelf.content.blobs.insert(id, text.into());
            shelf
                .content
                .read_flag(&key(), &FlagRecord { definition: Some(id), ..FlagRecord::default() })
                .unwrap();
            shelf.ids.push(id);
        }
        shelf
    }

    fn definition(&self, index: usize) -> (ContentHash, Arc<Definition>) {
        (self.ids[index], self.content.definitions[&self.ids[index]].clone())
    }

    fn state(&self, drawn: &Drawn) -> EffectiveState {
        let pin = drawn.pin.map(|index| Pin {
            definition: self.ids[index],
            of: 1,
            mark: mark("oncall"),
            unknown: Default::default(),
        });
        let split = drawn.held.clone();
        let stop = drawn.stopped.then(|| mark("oncall"));
        let record = FlagRecord {
            definition: Some(self.ids[drawn.file]),
            pin,
            split,
            stop,
            unknown: Default::default(),
        };
        let head = Head { revision: 1, ..Head::none() };
        EffectiveState::of(
            Catalog::of(head, [(key(), record, 1)], [], self.content.clone()),
            Vec::new(),
        )
    }
}

fn mark(by: &str) -> Attribution {
    Attribution { by: by.into(), at_ms: NOW, reason: None, unknown: Default::default() }
}

/// A random state of a flag.
#[derive(Clone, Debug)]
struct Drawn {
    file: usize,
    pin: Option<usize>,
    held: Option<SplitOverride>,
    stopped: bool,
}

/// A random command; a rollback comes with the state it goes back to.
#[derive(Clone, Debug)]
enum Drawing {
    Command(Command),
    Rollback { definition: usize, split: Option<Split>, ends: Option<Expiry> },
}

/// Few shares, so that many are equal.
fn share() -> impl Strategy<Value = Share> {
    prop::sample::select(vec![0u32, 5_000, 10_000, 20_000, 50_000])
        .prop_map(|share| Share::from_millipercent(share).unwrap())
}

fn split() -> impl Strategy<Value = Split> {
    (share(), share()).prop_map(|(realtime, disabled)| Split::new(realtime, disabled).unwrap())
}

fn end() -> impl Strategy<Value = Expiry> {
    (NOW - 2..=NOW + 5, prop::option::weighted(0.9, split()), any::<bool>()).prop_map(
        |(at_ms, split, named)| Expiry { at_ms, split, named, unknown: Default::default() },
    )
}

fn held() -> impl Strategy<Value = SplitOverride> {
    (split(), prop::option::weighted(0.7, end())).prop_map(|(split, ends)| SplitOverride {
        split,
        mark: mark("operator"),
        ends,
        unknown: Default::default(),
    })
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let texts = 0..TEXTS.len();
    (
        texts.clone(),
        prop::option::weighted(0.2, texts),
        prop::option::weighted(0.8, held()),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(file, pin, held, stopped)| Drawn { file, pin, held, stopped })
}

fn command() -> impl Strategy<Value = Drawing> {
    let some_share = || prop::option::weighted(0.7, share());
    let ends =
        (1..=5i64, some_share()).prop_map(|(after_ms, then)| ExpiryRequest { after_ms, then });
    let set =
        (some_share(), prop::option::weighted(0.3, share()), prop::option::weighted(0.5, ends))
            .prop_map(|(realtime, disabled, ends)| Command::Set {
                flag: key(),
                realtime,
                disabled,
                ends,
            });
    let resume = some_share().prop_map(|at| Command::Resume { flag: key(), at });
    let command = prop_oneof![
        8 => set,
        1 => Just(Command::Unset { flag: key() }),
        1 => Just(Command::Stop { flag: key() }),
        1 => Just(Command::StopAll),
        1 => resume,
    ];
    let rollback =
        (0..TEXTS.len(), prop::option::weighted(0.8, split()), prop::option::weighted(0.5, end()))
            .prop_map(|(definition, split, ends)| Drawing::Rollback { definition, split, ends });
    prop_oneof![6 => command.prop_map(Drawing::Command), 1 => rollback]
}

/// The strategies of all users at a moment: those who reach the rollout, and whether it is reached
/// at all.
#[derive(Clone, Debug, PartialEq)]
struct Moment {
    split: Split,
    is_off: bool,
    allows: bool,
}

impl Moment {
    fn of(state: &EffectiveState) -> Moment {
        let entry = state.flag("chat").unwrap();
        let record = &entry.record;
        let in_force = entry.in_force().unwrap();
        let is_off = record.stop.is_some() || !in_force.enabled;
        Moment {
            split: entry.split().unwrap_or_default(),
            is_off,
            allows: !in_force.allow.is_empty(),
        }
    }

    /// Whether this opens nothing that `other` does not open. The state below a stop counts too:
    /// the stop may be lifted.
    fn opens_no_more_than(&self, other: &Moment) -> bool {
        let (mine, theirs) = (self.split, other.split);
        let no_more = mine.realtime() <= theirs.realtime() && mine.disabled() >= theirs.disabled();
        no_more && (self.is_off || !other.is_off) && (other.allows || !self.allows)
    }
}

/// Whether the database accepts commits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Store {
    There,
    Away,
}

/// One sequence of events.
struct Line<'a> {
    state: EffectiveState,
    store: Store,
    shelf: &'a Shelf,
}

impl Line<'_> {
    fn apply(&mut self, changes: &[Change]) {
        let head = Head { revision: self.state.catalog.head.revision + 1, ..Head::none() };
        self.state.catalog.apply(head, changes, &self.shelf.content);
    }

    fn push(&mut self, narrowed: Vec<PendingChange>) {
        let id = format!("entry at {}", self.state.position());
        let (actor, origin, revoked) = ("x".into(), ChangeSource::Api, Vec::new());
        self.state.apply_pending(PendingEntry {
            id,
            at_ms: NOW,
            actor,
            origin,
            reason: None,
            request: None,
            narrowed,
            revoked,
            superseded: Vec::new(),
            unknown: Default::default(),
        });
        if self.store == Store::There {
            self.replay();
        }
    }

    /// Commits what is pending, oldest first.
    fn replay(&mut self) {
        while let Some(pending) = self.state.pending().first().cloned() {
            let (changes, _) = pending.changes(|key| self.state.catalog.flag(key.as_str()));
            self.state.mark_committed(&pending.id);
            self.apply(&changes);
        }
    }

    /// The state of the flag at each moment from now on; the database comes back at the last one.
    fn future(mut self) -> BTreeMap<i64, Moment> {
        let mut moments = BTreeMap::new();
        for now_ms in NOW..=LAST {
            if now_ms == LAST {
                self.store = Store::There;
                self.replay();
            }
            // One expiry takes two steps at most.
            for _ in 0..2 {
                let now = turnout_core::moment::Moment { wall_ms: now_ms, steady_ms: now_ms };
                let due = |_: &FlagKey, end: &Expiry| Deadline::at(end.at_ms, now).due(now);
                for part in expire(&self.state, now_ms, due).decided.parts {
                    let decided = Decision { parts: vec![part], ..Default::default() };
                    match decided.narrowed(&mark("expiry")) {
                        Some(narrowed) => self.push(narrowed),
                        None if self.store == Store::There => self.apply(&decided.changes()),
                        None => {}
                    }
                }
            }
            moments.insert(now_ms, Moment::of(&self.state));
        }
        moments
    }
}

fn opens_more(with: &BTreeMap<i64, Moment>, without: &BTreeMap<i64, Moment>) -> Option<i64> {
    with.iter()
        .find(|(at_ms, moment)| !moment.opens_no_more_than(&without[at_ms]))
        .map(|(at_ms, _)| *at_ms)
}

fn ops(narrowed: &[PendingChange]) -> Vec<&Overlay> {
    narrowed.iter().map(|narrowed| &narrowed.op).collect()
}

/// The requested split, held.
fn asked(requested: Option<Split>, held: &Option<SplitOverride>) -> SplitOverride {
    let split = requested.unwrap_or_default();
    held.clone().unwrap_or(SplitOverride {
        split,
        mark: mark("stopper"),
        ends: None,
        unknown: Default::default(),
    })
}

fn runner() -> TestRunner {
    let cases = std::env::var("TURNOUT_LAW_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(2_000);
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn no_command_of_a_stopper_opens_more_at_any_moment() {
    let shelf = Shelf::new();
    let (accepted, refused) = (Cell::new(0u32), Cell::new(0u32));
    let law = |(drawn, other, command): (Drawn, Drawn, Drawing)| {
        let state = shelf.state(&drawn);
        let then = match &command {
            Drawing::Command(_) => None,
            Drawing::Rollback { definition, split, ends } => {
                let (split, ends) = (*split, ends.clone().filter(|_| split.is_some()));
                Some(FlagAsOf {
                    is_before_resume: false,
                    may_release: false,
                    revision: 1,
                    definition: shelf.definition(*definition),
                    split,
                    ends,
                    is_held: split.is_some(),
                })
            }
        };
        let command = match &command {
            Drawing::Command(command) => command.clone(),
            Drawing::Rollback { .. } => Command::Rollback { flag: key(), to: Some(1) },
        };
        let Ok(decided) = command.decide(&state, then.as_ref(), &mark("stopper")) else {
            return Ok(());
        };
        let line =
            |state: &EffectiveState, store| Line { state: state.clone(), store, shelf: &shelf };
        let without = |store| line(&state, store).future();
        let committed = || {
            let mut with = line(&state, Store::There);
            with.apply(&decided.changes());
            with
        };
        if !decided.is_narrowing() {
            refused.set(refused.get() + 1);
            // A stop is never refused; and a command that is refused over the same definition does
            // open more at some moment.
            prop_assert!(
                !matches!(command, Command::Stop { .. } | Command::StopAll),
                "a stop is refused"
            );
            let ends_are_to_come =
                drawn.held.iter().flat_map(|held| &held.ends).all(|end| end.at_ms > NOW);
            if drawn.pin.is_none()
                && matches!(command, Command::Set { .. } | Command::Unset { .. })
                && ends_are_to_come
            {
                prop_assert!(
                    opens_more(&committed().future(), &without(Store::There)).is_some(),
                    "refused for nothing"
                );
            }
            return Ok(());
        }
        accepted.set(accepted.get() + 1);
        prop_assert_eq!(
            opens_more(&committed().future(), &without(Store::There)),
            None,
            "committed"
        );
        let Some(narrowed) = decided.narrowed(&mark("stopper")) else { return Ok(()) };
        for store in [Store::There, Store::Away] {
            let mut with = line(&state, store);
            with.push(narrowed.clone());
            prop_assert_eq!(
                opens_more(&with.future(), &without(store)),
                None,
                "journaled, {:?}",
                store
            );
            // Applied to another state than it was judged by: never more than that state opens, nor
            // than was requested.
            let found = shelf.state(&other);
            let mut over = line(&found, store);
            over.push(narrowed.clone());
            let over = over.future();
            prop_assert_eq!(
                opens_more(&over, &line(&found, store).future()),
                None,
                "replayed over another, {:?}",
                store
            );
            if let [Overlay::Split { requested, held, .. }] = ops(&narrowed)[..] {
                let held = asked(*requested, held);
                let asked = line(&shelf.state(&Drawn { held: Some(held), ..other.clone() }), store)
                    .future();
                prop_assert_eq!(
                    opens_more(&over, &asked),
                    None,
                    "wider than asked for, {:?}",
                    store
                );
            }
        }
        Ok(())
    };
    runner().run(&(drawn(), drawn(), command()), law).unwrap();
    let (accepted, refused) = (accepted.get(), refused.get());
    println!("{accepted} orders narrow, {refused} do not");
    assert!(
        accepted > refused / 4 && refused > accepted / 4,
        "the lots show little: {accepted} narrow, {refused} do not"
    );
}

/// A step of a life with the database away: a command of a stopper, or a saved file.
fn step() -> impl Strategy<Value = Option<Drawing>> {
    prop::option::weighted(0.8, command())
}

/// An entry that supersedes older ones gives the same as all of them in turn, at every moment; and
/// applied to another state it opens no more than any of them asked for.
#[test]
fn a_superseding_entry_has_the_same_effect_as_those_it_replaces() {
    let shelf = Shelf::new();
    let folded = Cell::new(0);
    let law = |(drawn, other, steps): (Drawn, Drawn, Vec<(Option<Drawing>, usize)>)| {
        let line = |state: EffectiveState| Line { state, store: Store::Away, shelf: &shelf };
        let (mut one, mut all) = (line(shelf.state(&drawn)), line(shelf.state(&drawn)));
        let mut pushed: Vec<Vec<PendingChange>> = Vec::new();
        for (step, text) in steps {
            let narrowed = match step {
                Some(Drawing::Command(command)) => {
                    command.decide(&one.state, None, &mark("stopper")).ok().and_then(|decided| {
                        decided.narrowed(&mark("stopper")).filter(|narrowed| !narrowed.is_empty())
                    })
                }
                Some(Drawing::Rollback { .. }) => None,
                None => save(&shelf, &one.state, text).map(|narrowed| vec![narrowed]),
            };
            let Some(narrowed) = narrowed else { continue };
            one.push(narrowed.clone());
            // An entry whose commit was begun stays.
            all.push(narrowed.clone());
            let newest = all.state.pending().iter().last().unwrap().id.clone();
            all.state.claim(&newest);
            pushed.push(narrowed);
            prop_assert_eq!(Moment::of(&one.state), Moment::of(&all.state));
        }
        prop_assert_eq!(all.state.pending().len(), pushed.len());
        folded.set(folded.get() + pushed.len() - one.state.pending().len());
        let entries = one.state.pending().to_vec();
        prop_assert_eq!(one.future(), all.future());
        let is_file =
            |narrowed: &Vec<PendingChange>| matches!(ops(narrowed)[..], [Overlay::Define { .. }]);
        if pushed.iter().any(is_file) {
            return Ok(());
        }
        let mut over = line(shelf.state(&other));
        entries.into_iter().for_each(|entry| over.push(entry.narrowed));
        let over = over.future();
        prop_assert_eq!(
            opens_more(&over, &line(shelf.state(&other)).future()),
            None,
            "over another state"
        );
        for narrowed in pushed {
            let asked = match ops(&narrowed)[..] {
                [Overlay::Split { requested, held, .. }] => {
                    Drawn { held: Some(asked(*requested, held)), ..other.clone() }
                }
                _ => Drawn { stopped: true, ..other.clone() },
            };
            prop_assert_eq!(
                opens_more(&over, &line(shelf.state(&asked)).future()),
                None,
                "wider than asked for"
            );
        }
        Ok(())
    };
    let steps = prop::collection::vec((step(), 0..TEXTS.len()), 1..8);
    runner().run(&(drawn(), drawn(), steps), law).unwrap();
    println!("{} entries took the place of others", folded.get());
    assert!(folded.get() > 100, "the lots show little: {}", folded.get());
}

/// The change that a saved file with this text brings, if it narrows.
fn save(shelf: &Shelf, state: &EffectiveState, text: usize) -> Option<PendingChange> {
    let before = state.flag("chat")?;
    let (after, definition) = shelf.definition(text);
    let record = FlagRecord { definition: Some(after), ..before.record.clone() };
    let entry = FlagEntry { definition: Some(definition), ..before.with(record) };
    if before.record.definition == Some(after) || !is_narrowing(&before, &entry) {
        return None;
    }
    let text = String::from_utf8(shelf.content.blobs[&after].to_vec()).unwrap();
    let before = before.record.definition;
    let op = Overlay::Define {
        before,
        after,
        text,
        content: ContentCache::default(),
        unknown: Default::default(),
    };
    Some(PendingChange { flag: key(), action: Action::Define, op, unknown: Default::default() })
}
