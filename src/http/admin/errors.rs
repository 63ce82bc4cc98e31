//! The coordinator's rejections as responses: the one table from each to its status, its code and
//! its meaning.

use axum::http::StatusCode;
use turnout_api::admin::commands::FlagChange;
use turnout_api::admin::history::Revision;
use turnout_api::problem::Code;

use super::revisions::revisions;
use super::view::flag_change;
use crate::control::CommandRejected;
use crate::flag::{FlagKey, Share};
use crate::http::error::ApiError;
use crate::ledger::{CommandError, PlannedChange};

impl From<CommandRejected> for ApiError {
    fn from(rejected: CommandRejected) -> ApiError {
        let since = match &rejected {
            CommandRejected::Moved { since, .. } => Some(revisions(since)),
            _ => None,
        };
        let would = match &rejected {
            CommandRejected::MayOnlyNarrow(decided) => {
                let change = |part: &PlannedChange| flag_change(part, Some(&part.after));
                Some((!decided.is_narrowing(), decided.parts.iter().map(change).collect()))
            }
            _ => None,
        };
        let (status, code, says) = status_code_and_title(&rejected);
        ApiError::Order { row: (status, code), says, detail: rejected.to_string(), since, would }
    }
}

fn status_code_and_title(rejected: &CommandRejected) -> (StatusCode, Code, &'static str) {
    use StatusCode as S;
    match rejected {
        CommandRejected::Refused(refused) => row_of_refused(refused),
        CommandRejected::NoSuchRevision(_) => {
            (S::UNPROCESSABLE_ENTITY, Code::NoSuchRevision, "there is no such revision")
        }
        CommandRejected::ReasonNeeded => {
            (S::UNPROCESSABLE_ENTITY, Code::ReasonRequired, "what widens needs a reason")
        }
        CommandRejected::KeyReused => (
            S::UNPROCESSABLE_ENTITY,
            Code::KeyReused,
            "the idempotency key was used for another request, or by another caller",
        ),
        CommandRejected::MayOnlyNarrow(_) => {
            (S::FORBIDDEN, Code::MayOnlyNarrow, "the role may stop and lower only")
        }
        CommandRejected::Moved { .. } => (
            S::CONFLICT,
            Code::RevisionConflict,
            "the flag, or a segment it names, changed since the caller looked; `since` says how",
        ),
        CommandRejected::NameTaken(_) => (
            S::UNPROCESSABLE_ENTITY,
            Code::NameTaken,
            "a living token has this name, or one that is hard to tell from it",
        ),
        CommandRejected::TooManyCredentials { .. } => (
            S::UNPROCESSABLE_ENTITY,
            Code::TooManyTokens,
            "there are as many tokens as there may be",
        ),
        CommandRejected::Down(_) | CommandRejected::NoHistory { .. } => {
            (S::SERVICE_UNAVAILABLE, Code::DatabaseDown, "the database is out of reach")
        }
        CommandRejected::NoSpace => (S::INSUFFICIENT_STORAGE, Code::DiskFull, "the disk is full"),
        CommandRejected::Unknown => (
            S::SERVICE_UNAVAILABLE,
            Code::OutcomeUnknown,
            "the database did not say whether it is saved",
        ),
    }
}

fn row_of_refused(refused: &CommandError) -> (StatusCode, Code, &'static str) {
    let not_so = StatusCode::UNPROCESSABLE_ENTITY;
    match refused {
        CommandError::UnknownFlag { .. } => {
            (StatusCode::NOT_FOUND, Code::FlagNotFound, "there is no flag of this name")
        }
        CommandError::NoDefinition(_) => {
            (not_so, Code::NoDefinition, "the flag has no good definition")
        }
        CommandError::DoesNotFit { .. } => {
            (not_so, Code::SharesExceed100, "the shares exceed 100% together")
        }
        CommandError::DisabledIsDefault(_) => {
            (not_so, Code::DisabledIsDefault, "the flag's default is `disabled` already")
        }
        CommandError::NotStopped(_) => (not_so, Code::NotStopped, "the flag is not stopped"),
        CommandError::NothingToRollBack { .. } | CommandError::BeforeResume { .. } => {
            (not_so, Code::NothingToRollBack, "no change is left to roll back")
        }
        CommandError::NothingThen { .. } => (
            not_so,
            Code::NoDefinitionAtRevision,
            "the flag had no good definition at that revision",
        ),
    }
}

/// What one verb may be rejected for besides what every verb is, for the OpenAPI document.
pub struct ErrorProfile {
    /// The verb changes a split.
    pub split: bool,
    /// The verb may open `realtime-v2` to more users.
    pub widen: bool,
    pub resume: bool,
    pub roll_back: bool,
}

impl ErrorProfile {
    pub const ONLY_NARROW: ErrorProfile =
        ErrorProfile { split: false, widen: false, resume: false, roll_back: false };

    /// The refusals, each made from an example.
    pub fn be_rejected(&self, of_one_flag: bool) -> Vec<ApiError> {
        let Ok(flag) = "flag".parse::<FlagKey>() else { return Vec::new() };
        let refused = |refused: CommandError| CommandRejected::Refused(refused);
        let mut rejected = vec![
            CommandRejected::KeyReused,
            CommandRejected::Down(String::new()),
            CommandRejected::NoSpace,
            CommandRejected::Unknown,
        ];
        if of_one_flag {
            rejected.push(refused(CommandError::UnknownFlag { flag: flag.clone(), similar: None }));
        }
        if self.split {
            let (realtime, disabled) = (Share::NONE, Share::NONE);
            rejected.push(refused(CommandError::NoDefinition(flag.clone())));
            rejected.push(refused(CommandError::DoesNotFit { realtime, disabled }));
            rejected.push(refused(CommandError::DisabledIsDefault(flag.clone())));
        }
        if self.widen {
            rejected.push(CommandRejected::ReasonNeeded);
            rejected.push(CommandRejected::MayOnlyNarrow(Box::default()));
            rejected.push(CommandRejected::Moved {
                flag: flag.clone(),
                changed_at: 0,
                since: Vec::new(),
            });
        }
        if self.resume {
            rejected.push(refused(CommandError::NotStopped(flag.clone())));
        }
        if self.roll_back {
            rejected.push(CommandRejected::NoSuchRevision(0));
            let nothing_left =
                CommandError::NothingToRollBack { flag: flag.clone(), is_stopped: false };
            rejected.push(refused(nothing_left));
            rejected.push(refused(CommandError::NothingThen { flag, revision: 0 }));
        }
        rejected.into_iter().map(ApiError::from).collect()
    }
}

/// A call that changes no flag may still find the database out of reach.
pub fn without_a_database() -> Vec<ApiError> {
    vec![
        CommandRejected::Down(String::new()).into(),
        CommandRejected::NoSpace.into(),
        CommandRejected::Unknown.into(),
    ]
}

/// Why there is no room for another token.
pub fn no_room_for_a_token() -> Vec<ApiError> {
    vec![
        CommandRejected::NameTaken(String::new()).into(),
        CommandRejected::TooManyCredentials { what: "", limit: 0 }.into(),
    ]
}

/// What was changed meanwhile, where that is the reason.
pub fn since(refusal: &ApiError) -> Option<&[Revision]> {
    match refusal {
        ApiError::Order { since, .. } => since.as_deref(),
        _ => None,
    }
}

/// Whether the command would have widened, and what it would have changed, where it was refused for
/// that.
pub fn would(refusal: &ApiError) -> Option<&(bool, Vec<FlagChange>)> {
    match refusal {
        ApiError::Order { would, .. } => would.as_ref(),
        _ => None,
    }
}
