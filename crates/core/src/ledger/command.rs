//! Decides what an operator's command on a flag changes.

use super::attribution::Attribution;
use super::change::Action;
use super::content_cache::ContentCache;
use super::effective::EffectiveState;
use super::entry::FlagEntry;
use super::narrowing::is_narrowing;
use super::planned_change::{Decision, PlannedChange};
use super::record::{Expiry, FlagRecord, SplitOverride};
use super::rollback::FlagAsOf;
use super::unknown::Unknown;
use crate::definition::similar;
use crate::flag::{Baseline, FlagKey, Share, Split};

/// What an operator can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Shares that are not given stay as they are in force.
    Set {
        flag: FlagKey,
        realtime: Option<Share>,
        disabled: Option<Share>,
        ends: Option<ExpiryRequest>,
    },
    /// Returns to what the file says; a stop stays.
    Unset {
        flag: FlagKey,
    },
    Stop {
        flag: FlagKey,
    },
    StopAll,
    Resume {
        flag: FlagKey,
        at: Option<Share>,
    },
    /// `None` undoes the newest change.
    Rollback {
        flag: FlagKey,
        to: Option<u64>,
    },
}

/// How long a split holds, and what comes then; without a split given, the one now in force
/// returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryRequest {
    pub after_ms: i64,
    pub then: Option<Share>,
}

/// Why a command cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("there is no flag `{flag}`{}", .similar.as_ref().map(|key| format!("; did you mean `{key}`?")).unwrap_or_default())]
    UnknownFlag { flag: FlagKey, similar: Option<String> },
    #[error(
        "`{0}` has no good definition, so it has no rollout to change; fix its file (turnout problems)"
    )]
    NoDefinition(FlagKey),
    #[error("realtime-v2 {realtime} and disabled {disabled} exceed 100% together")]
    DoesNotFit { realtime: Share, disabled: Share },
    #[error("`{0}` serves `disabled` to all other users, so its rollout names `realtime-v2` alone")]
    DisabledIsDefault(FlagKey),
    #[error("`{0}` is not stopped; `turnout set {0} …` changes its rollout")]
    NotStopped(FlagKey),
    #[error("there is no change of `{flag}` left to roll back{}", still_stopped(.flag, *.is_stopped))]
    NothingToRollBack { flag: FlagKey, is_stopped: bool },
    #[error(
        "`{flag}` was not changed since it was resumed; to stop it again: turnout stop {flag}; to go further back all the same: turnout rollback {flag} --to {revision} --reason '…'"
    )]
    BeforeResume { flag: FlagKey, revision: u64 },
    #[error("`{flag}` had no good definition at revision {revision}")]
    NothingThen { flag: FlagKey, revision: u64 },
}

impl CommandError {
    /// The error for an unknown flag, with a known flag of a similar name if there is one.
    pub fn unknown(state: &EffectiveState, flag: &FlagKey) -> CommandError {
        let similar =
            similar(flag.as_str(), state.known_flags().map(FlagKey::as_str)).map(str::to_owned);
        CommandError::UnknownFlag { flag: flag.clone(), similar }
    }

    /// The error for a flag of which every change is rolled back, or none was made.
    pub fn nothing_to_roll_back(state: &EffectiveState, flag: &FlagKey) -> CommandError {
        let is_stopped = state.flag(flag.as_str()).is_some_and(|entry| entry.record.stop.is_some());
        CommandError::NothingToRollBack { flag: flag.clone(), is_stopped }
    }
}

/// What a caller may have meant who rolls a stopped flag back.
fn still_stopped(flag: &FlagKey, is_stopped: bool) -> String {
    if !is_stopped {
        return String::new();
    }
    format!(
        "; it is stopped, and a rollback does not lift that: turnout resume {flag} --reason '…'"
    )
}

impl Command {
    /// The flag that the command is about; `None` for all flags.
    pub fn flag(&self) -> Option<&FlagKey> {
        match self {
            Command::Set { flag, .. }
            | Command::Unset { flag }
            | Command::Stop { flag }
            | Command::Resume { flag, .. }
            | Command::Rollback { flag, .. } => Some(flag),
            Command::StopAll => None,
        }
    }

    /// Decides the changes in the present state. A rollback also needs the flag as of the revision
    /// it goes back to (`then`).
    pub fn decide(
        &self,
        state: &EffectiveState,
        then: Option<&FlagAsOf>,
        mark: &Attribution,
    ) -> Result<Decision, CommandError> {
        if let Command::StopAll = self {
            return Ok(stop_all(state, mark));
        }
        let Some(flag) = self.flag() else { return Ok(Decision::default()) };
        let current = match self {
            // A flag that is served as stopped because its state is in doubt can be stopped for
            // good.
            Command::Stop { .. } => state.flag_as_known(flag.as_str()),
            _ => state.flag(flag.as_str()),
        };
        // A flag can be stopped before it is known: the stop holds once it is.
        if current.is_none() && !(matches!(self, Command::Stop { .. }) && state.may_come(flag)) {
            return Err(CommandError::unknown(state, flag));
        }
        let old = current.clone().unwrap_or_default();
        let with = |record: FlagRecord| old.with(record);
        let (action, after) = match self {
            Command::Set { realtime, disabled, ends, .. } => {
                (Action::Set, with(set(flag, &old, (*realtime, *disabled), *ends, mark)?))
            }
            Command::Unset { .. } => {
                (Action::Unset, with(FlagRecord { pin: None, split: None, ..old.record.clone() }))
            }
            Command::Stop { .. } => (Action::Stop, with(stopped(&old, mark))),
            Command::Resume { at, .. } => (Action::Resume, with(resumed(flag, &old, *at, mark)?)),
            Command::Rollback { .. } => {
                let then = then.ok_or_else(|| CommandError::nothing_to_roll_back(state, flag))?;
                let after = then.restore_onto(&old, mark.clone());
                // Who resumed a flag at 1% and rolls it back wants less than that.
                let is_live = old.record.stop.is_none();
                if then.is_before_resume && is_live && !lowers(&old, &after) {
                    let (flag, revision) = (flag.clone(), then.revision);
                    return Err(CommandError::BeforeResume { flag, revision });
                }
                (Action::Rollback { to: then.revision }, after)
            }
            Command::StopAll => return Ok(Decision::default()),
        };
        let mut decided = Decision::default();
        let part = PlannedChange { flag: flag.clone(), action, before: current, after };
        if part.is_new() {
            decided.parts.push(part);
        } else if !matches!(self, Command::Resume { .. }) {
            decided.already.push(part);
        }
        Ok(decided)
    }
}

/// Whether fewer users get `realtime-v2`, now or later, and none more.
fn lowers(old: &FlagEntry, new: &FlagEntry) -> bool {
    is_narrowing(old, new) && !is_narrowing(new, old)
}

fn stop_all(state: &EffectiveState, mark: &Attribution) -> Decision {
    let flags = state.known_flags().chain(state.coming());
    let part = |key: &FlagKey| {
        let before = state.flag_as_known(key.as_str());
        let known = before.clone().unwrap_or_default();
        let after = known.with(stopped(&known, mark));
        PlannedChange { flag: key.clone(), action: Action::Stop, before, after }
    };
    let (parts, already) = flags.map(part).partition(PlannedChange::is_new);
    Decision { parts, already, content: ContentCache::default() }
}

fn stopped(old: &FlagEntry, mark: &Attribution) -> FlagRecord {
    let stop = old.record.stop.clone().or_else(|| Some(mark.clone()));
    FlagRecord { stop, ..old.record.clone() }
}

fn set(
    flag: &FlagKey,
    old: &FlagEntry,
    (realtime, disabled): (Option<Share>, Option<Share>),
    ends: Option<ExpiryRequest>,
    mark: &Attribution,
) -> Result<FlagRecord, CommandError> {
    let now = old.split();
    let split = split_of(flag, old, realtime, disabled)?;
    let ends = match ends {
        None => old.kept_end(split),
        Some(ExpiryRequest { after_ms, then }) => {
            let named = then.map(|share| split_of(flag, old, Some(share), None)).transpose()?;
            let at_ms = mark.at_ms.saturating_add(after_ms);
            Some(Expiry {
                at_ms,
                split: named.or(now),
                named: named.is_some(),
                unknown: Unknown::default(),
            })
        }
    };
    let held = SplitOverride { split, mark: mark.clone(), ends, unknown: Unknown::default() };
    Ok(FlagRecord { split: Some(held), ..old.record.clone() })
}

fn resumed(
    flag: &FlagKey,
    old: &FlagEntry,
    at: Option<Share>,
    mark: &Attribution,
) -> Result<FlagRecord, CommandError> {
    let Some(_) = &old.record.stop else {
        return if at.is_some() {
            Err(CommandError::NotStopped(flag.clone()))
        } else {
            Ok(old.record.clone())
        };
    };
    let split = match at {
        None => old.record.split.clone(),
        Some(share) => Some(SplitOverride {
            split: split_of(flag, old, Some(share), None)?,
            mark: mark.clone(),
            ends: None,
            unknown: Unknown::default(),
        }),
    };
    Ok(FlagRecord { stop: None, split, ..old.record.clone() })
}

/// A whole split: a share that is not given stays as it is in force.
fn split_of(
    flag: &FlagKey,
    old: &FlagEntry,
    realtime: Option<Share>,
    disabled: Option<Share>,
) -> Result<Split, CommandError> {
    let definition = old.in_force().ok_or_else(|| CommandError::NoDefinition(flag.clone()))?;
    let now = old.split().unwrap_or_default();
    if definition.default == Baseline::Disabled
        && disabled.is_some_and(|share| share != Share::NONE)
    {
        return Err(CommandError::DisabledIsDefault(flag.clone()));
    }
    let (realtime, disabled) =
        (realtime.unwrap_or(now.realtime()), disabled.unwrap_or(now.disabled()));
    Split::new(realtime, disabled).ok_or(CommandError::DoesNotFit { realtime, disabled })
}
