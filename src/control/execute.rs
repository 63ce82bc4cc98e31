//! Decides which way a command takes: the fast path if it only stops and lowers, else the
//! committer, if the gates for what widens let it through.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::as_of::AsOf;
use super::committer::{CommitError, LATE, MAX_TRIES, Proposal, READ_TIMEOUT};
use super::idempotency::{KeyState, look_up};
use super::unsettled::UnderWay;
use super::{CommandOutcome, CommandRejected, CommandRequest, Coordinator, Inner};
use crate::auth::random_name;
use crate::flag::FlagKey;
use crate::ledger::{
    Attribution, ChangeSource, Command, CommandError, CommandPath, Decision, EffectiveState,
    PendingChange, PendingEntry, Unknown,
};
use crate::snapshot::Position;

/// How long a caller waits for the outcome. A command that narrows is carried out all the same; one
/// that opens does not begin its commit after that.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(2500);
/// The longest wait of a command for the commits before it.
const QUEUE_TIMEOUT: Duration = Duration::from_millis(1200);
/// How long a rollback may search the history while no other commit can run.
const AS_OF_TIMEOUT: Duration = Duration::from_secs(2);

/// A command from its arrival on.
struct Arrival {
    at: Instant,
    /// The revision that was live when it came.
    seen: u64,
    /// `None` for a command that only stops.
    under_way: Option<Arc<UnderWay>>,
    /// Whether all changes of its flag were saved by then.
    all_saved: bool,
}

impl Arrival {
    /// Refuses a command that may open its flag and has waited for so long that its caller was
    /// answered: what its caller did since then is not undone by it.
    fn check_time(&self) -> Result<(), CommandRejected> {
        if Instant::now() < self.at + ANSWER_TIMEOUT { Ok(()) } else { Err(late()) }
    }

    /// Whether the newest change, which a rollback is to undo, is another one than its caller saw.
    fn is_another_newest(&self, state: &EffectiveState, command: &Command) -> bool {
        let Command::Rollback { flag, to: None } = command else { return false };
        self.under_way.as_ref().is_some_and(|one| one.is_changed())
            || self.all_saved && state.changed_at(flag.as_str()) > self.seen
    }

    /// Whether a rollback cannot be decided yet: its flag was changed since it came, or a change of
    /// it is still to be saved.
    fn must_wait(&self, state: &EffectiveState, command: &Command) -> bool {
        let Command::Rollback { flag, to: None } = command else { return false };
        self.is_another_newest(state, command)
            || state.pending().ops_of(flag.as_str()).next().is_some()
    }

    /// The revision after which its flag was stopped, or was to stay as it is.
    fn overtaken_after(&self) -> Option<u64> {
        self.under_way.as_ref().filter(|one| one.is_overtaken()).map(|_| self.seen)
    }
}

impl Coordinator {
    /// Carries a command out. An outcome that is returned as done holds; a command whose caller
    /// went away is carried out all the same.
    pub async fn execute(
        &self,
        request: CommandRequest,
    ) -> Result<CommandOutcome, CommandRejected> {
        let (inner, now) = (self.0.clone(), Instant::now());
        let executed = tokio::spawn(async move { inner.execute(request, now).await });
        match timeout_at(now + ANSWER_TIMEOUT, executed).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) | Err(_) => Err(CommandRejected::Unknown),
        }
    }
}

impl Inner {
    async fn execute(
        self: &Arc<Self>,
        request: CommandRequest,
        now: Instant,
    ) -> Result<CommandOutcome, CommandRejected> {
        let arrival = self.note_arrival(&request.command, now);
        let Some((key, _)) = request.key.clone() else {
            return Box::pin(self.execute_one(request, arrival)).await;
        };
        let lock = match timeout_at(now + ANSWER_TIMEOUT, self.keys.lock(&key)).await {
            Ok(lock) => lock,
            Err(_) if self.narrows_now(&request) => self.keys.lock(&key).await,
            Err(_) => {
                self.keys.leave(&key);
                return Err(late());
            }
        };
        let done = Box::pin(self.execute_one(request, arrival)).await;
        self.keys.unlock(&key, lock);
        done
    }

    /// Whether a command surely narrows. What a rollback goes back to is not looked up for that.
    fn narrows_now(&self, request: &CommandRequest) -> bool {
        let is_rollback = matches!(request.command, Command::Rollback { .. });
        let decided =
            (!is_rollback).then(|| decide(&self.state(), request, None, &self.mark(request)));
        matches!(decided, Some(Ok(decided)) if decided.is_narrowing())
    }

    fn mark(&self, request: &CommandRequest) -> Attribution {
        Attribution {
            by: request.actor.clone(),
            at_ms: self.clock.wall_ms(),
            reason: request.reason.clone(),
            unknown: Unknown::default(),
        }
    }

    /// Makes a command that may open its flag known before it waits for anything.
    fn note_arrival(&self, command: &Command, at: Instant) -> Arrival {
        // Under this lock nothing lands between the look at the state and the note.
        let state = self.state();
        let is_saved = |flag: &FlagKey| state.pending().ops_of(flag.as_str()).next().is_none();
        let only_stops = matches!(command, Command::Stop { .. } | Command::StopAll);
        Arrival {
            at,
            seen: state.position().revision,
            under_way: (!only_stops).then(|| self.unsettled.begin(command.flag().cloned())),
            all_saved: command.flag().is_none_or(is_saved),
        }
    }

    async fn execute_one(
        self: &Arc<Self>,
        request: CommandRequest,
        arrival: Arrival,
    ) -> Result<CommandOutcome, CommandRejected> {
        let began = Instant::now();
        let key = match self.look_up(&request).await? {
            KeyState::Known(outcome) => return Ok(outcome),
            key => key,
        };
        let mark = self.mark(&request);
        let is_rollback = matches!(request.command, Command::Rollback { .. });
        let as_of = if is_rollback && !arrival.must_wait(&self.state(), &request.command) {
            Some(self.as_of(&*self.store.require()?, &request, &mark).await?)
        } else {
            None
        };
        let fast_path = self.fast_path.lock_since(arrival.at).await;
        let own = arrival.under_way.as_ref();
        let decided = {
            // At once: what lands between the two would be taken for settled.
            let state = self.state();
            if arrival.must_wait(&state, &request.command) {
                None
            } else {
                let mut decided = decide(&state, &request, as_of.as_ref(), &mark)?;
                decided.hold(state.pending(), self.unsettled.may_open(own));
                Some((state.position(), decided))
            }
        };
        let Some((position, decided)) = decided else {
            drop(fast_path);
            let not_decided = (None, Decision::default(), as_of);
            return self.execute_by_commit(request, mark, not_decided, key, &arrival).await;
        };
        check_release(&request, &decided)?;
        self.unsettled.overtake(decided.kept_closed(), own);
        match decided.classify(&mark) {
            CommandPath::Unchanged => {
                drop((fast_path, arrival));
                Ok(self.unchanged(request.command.flag()).await)
            }
            CommandPath::Narrowing { narrowed, decided } => {
                drop(arrival);
                let pushed =
                    self.apply_pending(&fast_path, pending(&request, &mark, narrowed)).await;
                drop(fast_path);
                Ok(self.await_commit(began, pushed, decided.parts).await)
            }
            CommandPath::ByCommit(decided) => {
                check_gates(&request, &decided)?;
                drop(fast_path);
                let decided = (Some(position), decided, as_of);
                self.execute_by_commit(request, mark, decided, key, &arrival).await
            }
        }
    }

    /// Commits a change before it is live. The command is decided again only if the state is not the
    /// one at `position`, where it was decided.
    async fn execute_by_commit(
        self: &Arc<Self>,
        request: CommandRequest,
        mark: Attribution,
        (mut position, mut decided, mut as_of): (Option<Position>, Decision, Option<AsOf>),
        mut key: KeyState,
        arrival: &Arrival,
    ) -> Result<CommandOutcome, CommandRejected> {
        let committer = timeout(QUEUE_TIMEOUT, self.committer.lock()).await;
        let mut committer = committer.map_err(|_| late())?;
        let mut conflicts = 0;
        while conflicts < MAX_TRIES {
            // Narrowing changes that came meanwhile are committed first: a revision states what the
            // one before it left, and nothing that is only pending.
            self.replay(&mut committer).await?;
            let store = self.store.require()?;
            // A change that came meanwhile may bear the same key.
            if matches!(key, KeyState::NotSaid) || Some(self.state().position()) != position {
                if let Some(outcome) =
                    timeout(READ_TIMEOUT, look_up(&store, &request)).await.map_err(|_| late())??
                {
                    return Ok(outcome);
                }
                key = KeyState::New;
            }
            let now = self.state().position();
            if Some(now) != position && matches!(request.command, Command::Rollback { .. }) {
                let is_another = arrival.is_another_newest(&self.state(), &request.command);
                self.check_expected(&store, &request, is_another.then_some(arrival.seen)).await?;
                let search = timeout(AS_OF_TIMEOUT, self.as_of(&store, &request, &mark));
                as_of = Some(search.await.map_err(|_| late())??);
            }
            {
                let state = self.state();
                if state.position() != now || !state.pending().is_empty() {
                    continue;
                }
                if Some(now) != position {
                    decided = decide(&state, &request, as_of.as_ref(), &mark)?;
                    check_release(&request, &decided)?;
                    check_gates(&request, &decided)?;
                    position = Some(now);
                }
            }
            if decided.parts.is_empty() {
                return Ok(CommandOutcome::Unchanged);
            }
            if !decided.is_narrowing() {
                // What was stopped, or was to stay as it is, while this command waited is not
                // opened by it.
                let seen = request.expected.into_iter().chain(arrival.overtaken_after()).min();
                self.check_expected(&store, &request, seen).await?;
            }
            let content = as_of.as_ref().map(|(_, content)| content.clone()).unwrap_or_default();
            let proposal = Proposal {
                actor: request.actor.clone(),
                origin: ChangeSource::Api,
                reason: request.reason.clone(),
                effective_at_ms: None,
                key: request.key.clone(),
                changes: decided.changes(),
                content,
            };
            if !decided.is_narrowing() {
                arrival.check_time()?;
            }
            match self.commit(&mut committer, proposal, None).await {
                // The other program may have done the same command under the same key.
                Err(CommitError::Conflict) => (conflicts, key) = (conflicts + 1, KeyState::NotSaid),
                Err(error) => return Err(error.into()),
                Ok(revision) => {
                    self.wake.notify_one();
                    return Ok(CommandOutcome::Committed { revision, parts: decided.parts });
                }
            }
        }
        Err(CommitError::Conflict.into())
    }
}

fn decide(
    state: &EffectiveState,
    request: &CommandRequest,
    as_of: Option<&AsOf>,
    mark: &Attribution,
) -> Result<Decision, CommandError> {
    request.command.decide(state, as_of.map(|(then, _)| then), mark)
}

/// Why a command is refused whose turn did not come in time.
fn late() -> CommandRejected {
    CommandRejected::Down(LATE.to_owned())
}

/// A caller that may only narrow cannot remove a held split or a pin.
fn check_release(request: &CommandRequest, decided: &Decision) -> Result<(), CommandRejected> {
    if !request.may_widen && decided.releases() {
        Err(CommandRejected::MayOnlyNarrow(Box::new(decided.clone())))
    } else {
        Ok(())
    }
}

/// The gates for what widens: the role, and a reason. Nothing keeps a narrowing change back.
fn check_gates(request: &CommandRequest, decided: &Decision) -> Result<(), CommandRejected> {
    if decided.is_narrowing() {
        return Ok(());
    }
    if !request.may_widen {
        return Err(CommandRejected::MayOnlyNarrow(Box::new(decided.clone())));
    }
    if request.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(CommandRejected::ReasonNeeded);
    }
    Ok(())
}

fn pending(
    request: &CommandRequest,
    mark: &Attribution,
    narrowed: Vec<PendingChange>,
) -> PendingEntry {
    let (id, hash) = request.key.clone().unzip();
    PendingEntry {
        // Without randomness two commands of one operator in one millisecond would have the same
        // name. The system gives randomness, or nothing works.
        id: id.or_else(random_name).unwrap_or_else(|| format!("{}-{}", mark.at_ms, mark.by)),
        at_ms: mark.at_ms,
        actor: request.actor.clone(),
        origin: ChangeSource::Api,
        reason: request.reason.clone(),
        request: hash,
        narrowed,
        revoked: Vec::new(),
        superseded: Vec::new(),
        unknown: Unknown::default(),
    }
}

impl From<CommitError> for CommandRejected {
    fn from(not: CommitError) -> CommandRejected {
        match not {
            CommitError::Down(why) => CommandRejected::Down(why),
            CommitError::NoSpace => CommandRejected::NoSpace,
            CommitError::Unknown => CommandRejected::Unknown,
            conflict @ CommitError::Conflict => CommandRejected::Down(conflict.to_string()),
        }
    }
}
