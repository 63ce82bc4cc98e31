//! Random lives of a service, compared with a model that knows nothing of revisions, journals or
//! rows: edits, commands, expiries, restarts and a database that goes away and comes back. No stop
//! is undone, no acknowledged change is lost, positions only rise.
//!
//! `TURNOUT_SEQUENCES=100000 cargo test --release --test logic model::` for a long run; a failing
//! seed is printed, and `TURNOUT_SEED` repeats it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::random::Random;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use turnout::clock::Clock;
use turnout::control::{
    CommandOutcome, CommandRejected, CommandRequest, Coordinator, Database, OpenOptions,
    ProblemKind,
};
use turnout::data_dir::DataDir;
use turnout::definition::FlagFiles;
use turnout::flag::{FlagKey, ServerAuth, Share, Split};
use turnout::ledger::{Command, CommandError, ExpiryRequest, FlagEntry};
use turnout::moment::Moment;
use turnout::public_path::PublicPath;
use turnout::snapshot::Position;

const FLAGS: [&str; 2] = ["chat", "feed"];
const STEPS: usize = 14;
const HOUR: i64 = 3_600_000;

/// The model of a flag.
#[derive(Clone, Debug, Default)]
struct Model {
    /// What its file says: a share of realtime-v2, and the text around it.
    file: Form,
    /// The definition in force if it is not the file's.
    pin: Option<Form>,
    held: Option<Hold>,
    stopped: bool,
    /// The recorded changes, oldest first.
    past: Vec<Past>,
}

/// A recorded change, and what was in force after it.
#[derive(Clone, Debug)]
struct Past {
    kind: Kind,
    then: Form,
    is_held: bool,
    end: Option<End>,
    /// The name of the pending entry, until the database has the change.
    pending: Option<String>,
}

/// A share that an operator holds, and what follows its expiry.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hold {
    share: u32,
    end: Option<End>,
}

/// Expiries are hours away, so that none comes by itself; of two, the one with the higher rank
/// comes later.
#[derive(Clone, Copy, Debug, PartialEq)]
struct End {
    rank: u64,
    share: u32,
    named: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Form {
    share: u32,
    text: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Can be rolled back.
    Change,
    /// Went back to the entry at this index.
    Rollback(usize),
    Resume,
    Other,
}

impl Model {
    fn in_force(&self) -> Form {
        let base = self.pin.unwrap_or(self.file);
        Form { share: self.held.map_or(base.share, |held| held.share), ..base }
    }

    /// The expiry that happens: one that widens must have been named.
    fn end(&self) -> Option<End> {
        let held = self.held?;
        held.end.filter(|end| end.named || end.share <= held.share)
    }

    /// The share at a moment, given as the rank of an expiry.
    fn share_at(&self, rank: u64) -> u32 {
        self.end().filter(|end| end.rank <= rank).map_or(self.in_force().share, |end| end.share)
    }

    /// Whether the step from `before` to this opens nothing at any moment.
    fn narrows(&self, before: &Model) -> bool {
        let moments = [self.end(), before.end()].into_iter().flatten().map(|end| end.rank);
        let opens_nothing =
            [0].into_iter().chain(moments).all(|rank| self.share_at(rank) <= before.share_at(rank));
        opens_nothing
            && self.in_force().text == before.in_force().text
            && (self.stopped || !before.stopped)
    }

    /// Holds a share. A lower share keeps an expiry that lowers further, unless it names its own.
    fn hold(&mut self, share: u32, named: Option<End>) {
        let kept = self.end().filter(|end| share < self.in_force().share && end.share < share);
        self.held = Some(Hold { share, end: named.or(kept) });
    }

    fn record(&mut self, kind: Kind) {
        let (then, end) = (self.in_force(), self.held.and_then(|held| held.end));
        self.past.push(Past { kind, then, end, is_held: self.held.is_some(), pending: None });
    }

    /// The entry a rollback goes back to, if there is one.
    fn undone(&self, may_release: bool) -> Option<usize> {
        self.look_back(may_release).0
    }

    /// Whether it was resumed after the change that a rollback undoes: then one that widens is refused.
    fn is_resumed(&self, may_release: bool) -> bool {
        self.look_back(may_release).1 && !self.stopped
    }

    /// The same, and whether a resume lies between. A change that left the flag as it is now is
    /// passed over.
    fn look_back(&self, may_release: bool) -> (Option<usize>, bool) {
        let (mut up_to, mut is_resumed) = (self.past.len(), false);
        for (index, Past { kind, .. }) in self.past.iter().enumerate().rev() {
            match kind {
                _ if index >= up_to => {}
                Kind::Rollback(to) => up_to = to + 1,
                Kind::Change => {
                    let Some(to) = index.checked_sub(1) else { break };
                    if is_resumed || self.is_other_at(to, may_release) {
                        return (Some(to), is_resumed);
                    }
                }
                Kind::Resume => is_resumed = true,
                Kind::Other => {}
            }
        }
        (None, is_resumed)
    }

    /// Whether going back makes it another one, and it was another one then.
    fn is_other_at(&self, to: usize, may_release: bool) -> bool {
        let (mut then, past) = (self.clone(), &self.past[to]);
        then.bring_back(to, may_release);
        let end = |model: &Model| model.held.and_then(|held| held.end);
        let standing = |model: &Model, is_held: bool| {
            let is_pinned = model.pin.is_some();
            (model.in_force(), end(model), is_pinned, is_pinned || is_held)
        };
        (then.pin, then.held) != (self.pin, self.held)
            && standing(&then, past.is_held) != standing(self, self.held.is_some())
    }

    /// What was held then is held again. A caller who may not let go holds as a `set` would.
    fn bring_back(&mut self, to: usize, may_release: bool) {
        let Past { then, end, is_held, .. } = self.past[to];
        // An expiry that is over does not come back.
        let end = end.filter(|end| end.rank > HOUR as u64 * 1000);
        let held = self.held.filter(|_| !may_release);
        if held.is_some() {
            self.hold(then.share, end);
        }
        let kept = self.held.filter(|_| held.is_some());
        self.pin = (then.text != self.file.text).then_some(then);
        let own = self.pin.unwrap_or(self.file).share;
        let restored = Hold { share: then.share, end };
        let is_held = own != then.share || end.is_some() || is_held;
        self.held = kept.or(is_held.then_some(restored));
        self.record(Kind::Rollback(to));
    }
}

/// The life of one folder.
struct Life {
    home: PathBuf,
    runtime: Option<Runtime>,
    coordinator: Option<Coordinator>,
    models: [Model; 2],
    /// The content of the folder, which may wait for the database.
    folder: [Form; 2],
    position: Position,
    database_is_there: bool,
    /// Whether it was started without its database.
    is_held: bool,
    random: Random,
    /// How many expiries were set: one that was set later comes later among those of equal hours.
    ends: u64,
    story: Vec<String>,
}

fn share(per_cent: u32) -> Share {
    Share::from_millipercent(per_cent * 1000).unwrap()
}

impl Life {
    fn begin(home: &Path, seed: u64) -> Life {
        let mut life = Life {
            home: home.to_owned(),
            runtime: None,
            coordinator: None,
            models: Default::default(),
            folder: [Form { share: 10, text: 0 }; 2],
            position: Position::default(),
            database_is_there: true,
            is_held: false,
            random: Random(seed),
            ends: 0,
            story: Vec::new(),
        };
        life.open();
        life.take_in();
        life
    }

    fn open(&mut self) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let data = Arc::new(DataDir::open(&self.home.join("data")).unwrap());
        let opening = OpenOptions {
            data,
            contents: self.contents(),
            server_auth: ServerAuth::Off,
            public_path: PublicPath::default(),
            clock: Clock::default(),
            accept_database: false,
            may_be_new: true,
            observer: |_| (),
        };
        self.coordinator = Some(runtime.block_on(Coordinator::open(opening)).unwrap());
        self.runtime = Some(runtime);
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(future)
    }

    fn coordinator(&self) -> &Coordinator {
        self.coordinator.as_ref().unwrap()
    }

    fn step(&mut self) {
        let which = self.random.below(2) as usize;
        let flag: FlagKey = FLAGS[which].parse().unwrap();
        let asked = self.random.below(5) as u32 * 25;
        match self.random.below(18) {
            0 | 1 => {
                self.folder[which].share = asked;
                self.story.push(format!("file {flag} {asked}%"));
                self.take_in();
            }
            2 => {
                self.folder[which].text += 1;
                self.story.push(format!("file {flag} reworded"));
                self.take_in();
            }
            3 => {
                self.story.push("a broken save".to_owned());
                let broken =
                    FlagFiles::of([("chat.yaml", "version: 1\nflag: chat\nenabled: maybe\n")]);
                self.run(self.coordinator().ingest(&broken));
            }
            4..=6 => self.command(
                which,
                Command::Set { flag, realtime: Some(share(asked)), disabled: None, ends: None },
            ),
            7 => self.command(which, Command::Unset { flag }),
            8 => self.command(which, Command::Stop { flag }),
            9 => self.command(which, Command::Resume { flag, at: None }),
            10 => self.command(which, Command::Rollback { flag, to: None }),
            11 => self.restart(),
            12 => self.cut(),
            13 => self.hold_for_a_moment(which, asked),
            14..=16 => {
                let then =
                    (self.random.below(2) == 0).then(|| share(self.random.below(5) as u32 * 25));
                // In the model an end that is asked for later lies later, also in a fast machine.
                let asked_at = Clock::default().now();
                wait_past(asked_at);
                let ends = Some(ExpiryRequest {
                    after_ms: HOUR * (1 + self.random.below(3) as i64),
                    then,
                });
                self.command(
                    which,
                    Command::Set { flag, realtime: Some(share(asked)), disabled: None, ends },
                );
            }
            _ => self.bring_the_database(),
        }
        self.note_pending();
        self.check();
    }

    /// A split that expires at once: back to what was in force, or to what was named.
    fn hold_for_a_moment(&mut self, which: usize, asked: u32) {
        if !self.database_is_there {
            return;
        }
        let flag: FlagKey = FLAGS[which].parse().unwrap();
        let named = (self.random.below(2) == 0).then(|| self.random.below(5) as u32 * 25);
        let before = self.models[which].in_force().share;
        let ends = Some(ExpiryRequest { after_ms: 1, then: named.map(share) });
        self.command_as(
            true,
            which,
            Command::Set { flag: flag.clone(), realtime: Some(share(asked)), disabled: None, ends },
        );
        let back = named.unwrap_or(before);
        let happens = named.is_some() || back <= asked;
        self.run(async {
            loop {
                let state = self.coordinator().state();
                let held = state.flag(flag.as_str()).unwrap().record.split;
                let over = held.as_ref().is_none_or(|held| held.ends.is_none());
                let refused = self.coordinator().problems().has(ProblemKind::ExpiryWouldWiden);
                if (over || (refused && !happens)) && state.pending().is_empty() {
                    break;
                }
                self.coordinator().look_again();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        self.story
            .push(format!("its end: {back}%, {}", if happens { "happens" } else { "would widen" }));
        if happens {
            let model = &mut self.models[which];
            let own = model.pin.unwrap_or(model.file).share;
            model.held = (own != back).then_some(Hold { share: back, end: None });
            model.record(Kind::Change);
        }
    }

    /// Reads the folder; a widening edit waits while the database is away.
    fn contents(&self) -> FlagFiles {
        let text = |which: usize| {
            let Form { share, text } = self.folder[which];
            format!(
                "version: 1\nflag: {}\ndescription: number {text}\nenabled: true\ndefault: polling\nwhen_stopped: polling\n\
                 rollout: {{ realtime-v2: {share}% }}\n",
                FLAGS[which]
            )
        };
        let (chat, feed) = (text(0), text(1));
        FlagFiles::of([("chat.yaml", &*chat), ("feed.yaml", &*feed)])
    }

    fn take_in(&mut self) {
        self.run(self.coordinator().ingest(&self.contents()));
        self.files_go_live();
    }

    fn files_go_live(&mut self) {
        for (model, file) in self.models.iter_mut().zip(self.folder) {
            let known = !model.past.is_empty();
            if known && model.file == file {
                continue;
            }
            let mut after = model.clone();
            after.file = file;
            // By its shape: only the share differs, and it does not rise, nor does what is live.
            let same_text = model.file.text == file.text;
            let narrows =
                known && same_text && file.share <= model.file.share && after.narrows(model);
            if self.database_is_there || narrows && !self.is_held {
                *model = after;
                model.record(Kind::Change);
            }
        }
    }

    fn command(&mut self, which: usize, command: Command) {
        let may_widen = self.random.below(3) != 0;
        self.command_as(may_widen, which, command);
    }

    /// A command of an operator, or of a caller that may only narrow.
    fn command_as(&mut self, may_widen: bool, which: usize, command: Command) {
        let request = CommandRequest {
            command: command.clone(),
            actor: "operator".into(),
            reason: Some("because".to_owned()),
            key: None,
            expected: None,
            may_widen,
            may_release: may_widen,
        };
        let done = self.run(self.coordinator().execute(request));
        self.story.push(format!(
            "{command:?}{} -> {}",
            if may_widen { "" } else { " by a stopper" },
            match &done {
                Ok(done) => format!("{done:?}").chars().take(60).collect(),
                Err(rejected) => rejected.to_string(),
            }
        ));
        let Some((kind, after)) = self.wanted(which, &command, may_widen) else {
            let nothing_left = matches!(
                done,
                Err(CommandRejected::Refused(CommandError::NothingToRollBack { .. }))
            );
            let out_of_reach = !self.database_is_there
                && matches!(done, Err(CommandRejected::Down(_) | CommandRejected::Unknown));
            assert!(nothing_left || out_of_reach, "{:#?}", self.story);
            return;
        };
        let narrows = after.narrows(&self.models[which]);
        // A caller that may only narrow removes no held split and no pin.
        let before = &self.models[which];
        let (held, pin) = (
            before.held.is_some() && after.held.is_none(),
            before.pin.is_some() && after.pin.is_none(),
        );
        // In this model a restored definition is part of the pin; the service holds it separately.
        let (may_release, releases) = (held || pin, pin || held && after.pin.is_none());
        // The content that a rollback restores is read from the database; and a text that comes
        // back is in doubt not a narrowing.
        let is_plain = !matches!(command, Command::Rollback { .. });
        match done {
            Ok(CommandOutcome::Unchanged) => {}
            Err(CommandRejected::Refused(CommandError::BeforeResume { .. })) => {
                assert!(
                    self.models[which].is_resumed(may_widen)
                        && matches!(command, Command::Rollback { .. }),
                    "{:#?}",
                    self.story
                );
            }
            Err(CommandRejected::MayOnlyNarrow(_)) => {
                // A rollback of a share alone narrows as any other command does.
                let is_of_share = is_plain || before.pin.is_none() && after.pin.is_none();
                assert!(
                    !(may_widen || is_of_share && narrows && !may_release),
                    "{:#?}",
                    self.story
                );
            }
            Err(CommandRejected::Down(_) | CommandRejected::Unknown) if !self.database_is_there => {
                assert!(
                    !(is_plain && narrows),
                    "refused with the database away: {:#?}",
                    self.story
                );
            }
            Err(rejected) => panic!("{rejected}: {:#?}", self.story),
            Ok(_) => {
                assert!(
                    narrows || is_plain || !self.models[which].is_resumed(may_widen),
                    "a rollback went back past a resume and widened: {:#?}",
                    self.story
                );
                assert!(may_widen || !releases, "a stopper took a hold away: {:#?}", self.story);
                assert!(
                    narrows || (may_widen && self.database_is_there),
                    "done though it widens: {:#?}",
                    self.story
                );
                self.models[which] = after;
                self.models[which].record(kind);
            }
        }
    }

    /// The flag after the command; `None` where there is nothing to roll back.
    fn wanted(
        &mut self,
        which: usize,
        command: &Command,
        may_release: bool,
    ) -> Option<(Kind, Model)> {
        let mut after = self.models[which].clone();
        let per_cent = |share: Share| share.millipercent() / 1000;
        let kind = match command {
            Command::Set { realtime, ends, .. } => {
                let now = after.in_force().share;
                let end = ends.map(|ExpiryRequest { after_ms, then }| {
                    self.ends += 1;
                    let rank = after_ms as u64 * 1000 + self.ends;
                    End { rank, share: then.map_or(now, per_cent), named: then.is_some() }
                });
                after.hold(realtime.map_or(now, per_cent), end);
                Kind::Change
            }
            Command::Unset { .. } => {
                (after.pin, after.held) = (None, None);
                Kind::Change
            }
            Command::Stop { .. } | Command::StopAll => {
                after.stopped = true;
                Kind::Other
            }
            Command::Resume { .. } => {
                after.stopped = false;
                Kind::Resume
            }
            Command::Rollback { .. } => {
                let to = after.undone(may_release)?;
                after.bring_back(to, may_release);
                after.past.pop();
                Kind::Rollback(to)
            }
        };
        Some((kind, after))
    }

    /// With the database away a lowering may take the place of earlier ones. These become no
    /// revisions of their own, so that a rollback undoes them together (decision 0050).
    fn note_pending(&mut self) {
        let state = self.coordinator().state();
        for (model, key) in self.models.iter_mut().zip(FLAGS) {
            if self.database_is_there {
                model.past.iter_mut().for_each(|past| past.pending = None);
                continue;
            }
            let entries = state
                .pending()
                .iter()
                .filter(|entry| entry.flags().any(|flag| flag.as_str() == key));
            let waiting: Vec<&String> = entries.map(|entry| &entry.id).collect();
            let waits = |past: &Past| past.pending.as_ref().is_none_or(|id| waiting.contains(&id));
            model.past.retain(waits);
            let is_new =
                |id: &&&String| model.past.iter().all(|past| past.pending.as_ref() != Some(**id));
            if let Some(new) = waiting.iter().find(is_new).map(|id| (**id).clone())
                && let Some(newest) = model.past.last_mut()
            {
                newest.pending = Some(new);
            }
        }
    }

    /// A crash while the database is there; without it an orderly stop, as the last commit may
    /// exist nowhere else.
    fn restart(&mut self) {
        self.story.push("restart".to_owned());
        if !self.database_is_there {
            self.run(self.coordinator().close());
        }
        self.coordinator = None;
        self.runtime = None;
        self.position = Position { pending: 0, ..self.position };
        self.open();
        // Without its database the node takes in no file: a person decides.
        self.is_held = !self.database_is_there;
        self.take_in();
    }

    fn cut(&mut self) {
        if self.database_is_there {
            self.story.push("the database goes".to_owned());
            // What is committed is saved beside the database before the database goes away.
            self.run(self.coordinator().close());
            self.coordinator = None;
            self.runtime = None;
            self.open();
            self.take_in();
            std::fs::rename(self.home.join("data/turnout.db"), self.home.join("data/away"))
                .unwrap();
            self.database_is_there = false;
        }
    }

    fn bring_the_database(&mut self) {
        if !self.database_is_there {
            self.story.push("the database comes back".to_owned());
            std::fs::rename(self.home.join("data/away"), self.home.join("data/turnout.db"))
                .unwrap();
            (self.database_is_there, self.is_held) = (true, false);
            self.run(async {
                loop {
                    self.coordinator().look_again();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    let state = self.coordinator().state();
                    if self.coordinator().store_status().database == Database::Up
                        && state.pending().is_empty()
                    {
                        break;
                    }
                }
            });
            self.take_in();
        }
    }

    fn check(&mut self) {
        let coordinator = self.coordinator().clone();
        let state = coordinator.state();
        let position = state.position();
        assert_eq!(
            coordinator.live().current().position(),
            position,
            "what is known is live: {:#?}",
            self.story
        );
        assert!(position >= self.position, "{position} after {}: {:#?}", self.position, self.story);
        self.position = position;
        for (model, key) in self.models.iter().zip(FLAGS) {
            let entry =
                state.flag(key).unwrap_or_else(|| panic!("{key} is gone: {:#?}", self.story));
            let shown = |entry: &FlagEntry| {
                let split = entry.split().unwrap_or_default().realtime().millipercent() / 1000;
                let text = entry.in_force().unwrap().description.clone().unwrap();
                let per_cent = |split: Split| split.realtime().millipercent() / 1000;
                let later = entry.timeline().later.map(|(_, split)| per_cent(split));
                (split, later, text, entry.record.stop.is_some())
            };
            let Form { share, text } = model.in_force();
            let later = model.end().map(|end| end.share).filter(|later| *later != share);
            let expected = (share, later, format!("number {text}"), model.stopped);
            assert_eq!(
                shown(&entry),
                expected,
                "{key}: stop {:?}; {model:?} {:#?}",
                entry.record.stop,
                self.story
            );
        }
    }
}

/// Waits until both clocks have moved on from this moment.
fn wait_past(moment: Moment) {
    loop {
        let now = Clock::default().now();
        if now.wall_ms > moment.wall_ms && now.steady_ms > moment.steady_ms {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn every_random_history_agrees_with_the_model() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let sequences = number("TURNOUT_SEQUENCES").unwrap_or(2_000);
    let first = number("TURNOUT_SEED");
    // In memory, where there is such a folder: these tests are about order, not durability.
    let place = ["/dev/shm", "/tmp"].into_iter().find(|place| Path::new(place).is_dir()).unwrap();
    let try_one = |seed: u64| {
        let home = TempDir::new_in(place).unwrap();
        let outcome = std::panic::catch_unwind(|| {
            let mut life = Life::begin(home.path(), seed);
            (0..STEPS).for_each(|_| life.step());
        });
        if let Err(panic) = outcome {
            eprintln!("TURNOUT_SEED={seed} repeats it");
            std::panic::resume_unwind(panic);
        }
    };
    match first {
        Some(seed) => try_one(seed),
        // Each core has its part: the sequences know nothing of each other.
        None => std::thread::scope(|scope| {
            let workers = std::thread::available_parallelism().map_or(1, usize::from);
            for worker in 0..workers as u64 {
                scope.spawn(move || (worker..sequences).step_by(workers).for_each(try_one));
            }
        }),
    }
    println!("{sequences} sequences of {STEPS} steps");
}
