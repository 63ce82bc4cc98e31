//! The verbs that change something. Each becomes a command for the coordinator; the response holds
//! the outcome and what is live then.

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::ExtensionRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, Response, StatusCode};
use tokio::task::spawn_blocking;
use turnout_api::admin::commands::{
    self as messages, Outcome, PlainCommand, ResumeCommand, RollbackCommand, SetCommand,
};
use turnout_api::bounds::{MAX_HELD_MS, MAX_KEY_BYTES, MAX_REASON_BYTES};
use turnout_api::strict;

use super::answer::{json as answer, refuse};
use super::body::{invalid_request, one_line};
use super::flags::{is_clamped, of_flag};
use super::in_force::{OVERTAKEN, is_in_force, lifted_since};
use super::notes::{MAY_WIDEN, notes, undo};
use super::permissions::Permission;
use super::state::AdminState;
use super::view;
use crate::auth::Caller;
use crate::control::{CommandOutcome, CommandRejected, CommandRequest};
use crate::flag::{FlagKey, ServerAuth, Share};
use crate::http::error::ApiError;
use crate::http::flag_path::{FlagPath, key};
use crate::http::request_body::body as read_body;
use crate::ledger::{
    Command, ContentHash, CredentialId, EffectiveState, ExpiryRequest, PlannedChange,
};

/// A header of any value: a command that would widen is refused, whatever the role. A client that
/// asks a person first learns by it whether to ask.
pub const NARROW_ONLY: &str = "turnout-narrow-only";
/// The outcome of a command with more parts than these is not written by the listener's own thread.
const MANY_PARTS: usize = 64;

/// A request for a command as it arrived.
pub struct CommandCall {
    state: AdminState,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
}

impl FromRequest<AdminState> for CommandCall {
    type Rejection = ExtensionRejection;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Self::Rejection> {
        let (mut head, body) = request.into_parts();
        let Extension(caller) = Extension::from_request_parts(&mut head, state).await?;
        Ok(CommandCall { state: state.clone(), caller, headers: head.headers, body })
    }
}

pub async fn set(path: FlagPath, call: CommandCall) -> Response<Body> {
    call.execute("set", key(&path), |flag, body: SetCommand| {
        let SetCommand { realtime, disabled, for_ms, then, reason, expected_revision } = body;
        let realtime = share("realtime-v2", realtime)?;
        let disabled = share("disabled", disabled)?;
        let ends = expiry(for_ms, share("then", then)?)?;
        if (realtime, disabled) == (None, None) {
            return Err(invalid_request("name a share: {\"realtime-v2\": \"25%\"}"));
        }
        Ok((Command::Set { flag, realtime, disabled, ends }, reason, expected_revision))
    })
    .await
}

pub async fn unset(path: FlagPath, call: CommandCall) -> Response<Body> {
    call.execute("unset", key(&path), |flag, body: PlainCommand| {
        Ok((Command::Unset { flag }, body.reason, body.expected_revision))
    })
    .await
}

pub async fn stop(path: FlagPath, call: CommandCall) -> Response<Body> {
    call.execute("stop", key(&path), |flag, body: PlainCommand| {
        Ok((Command::Stop { flag }, body.reason, body.expected_revision))
    })
    .await
}

pub async fn resume(path: FlagPath, call: CommandCall) -> Response<Body> {
    call.execute("resume", key(&path), |flag, body: ResumeCommand| {
        let at = share("at", body.at)?;
        Ok((Command::Resume { flag, at }, body.reason, body.expected_revision))
    })
    .await
}

pub async fn rollback(path: FlagPath, call: CommandCall) -> Response<Body> {
    call.execute("rollback", key(&path), |flag, body: RollbackCommand| {
        Ok((Command::Rollback { flag, to: body.to }, body.reason, body.expected_revision))
    })
    .await
}

pub async fn stop_all(call: CommandCall) -> Response<Body> {
    let state = call.state.clone();
    if call.caller.flags.is_some() {
        return refuse(&state, &ApiError::OtherFlags);
    }
    let may_widen = Permission::Write.is_given_to(call.caller.role);
    let read = call.read_command("stop --all", |body: PlainCommand| {
        Ok((Command::StopAll, body.reason, body.expected_revision))
    });
    match read.await {
        Ok(request) => execute_command(&state, request, may_widen).await,
        Err(refusal) => refuse(&state, &refusal),
    }
}

/// A command, its reason, and the revision its caller looked at.
type Read = (Command, Option<String>, Option<u64>);

impl CommandCall {
    async fn execute<B: strict::Body>(
        self,
        verb: &str,
        key: &str,
        command: impl FnOnce(FlagKey, B) -> Result<Read, ApiError>,
    ) -> Response<Body> {
        let state = self.state.clone();
        let Ok(flag) = key.parse::<FlagKey>() else {
            return refuse(&state, &ApiError::UnknownFlag);
        };
        if !self.caller.reaches(flag.as_str()) {
            return refuse(&state, &ApiError::OtherFlags);
        }
        let name = format!("{verb} {flag}");
        let may_widen = Permission::Write.is_given_to(self.caller.role);
        match self.read_command(&name, |body| command(flag, body)).await {
            Ok(request) => execute_command(&state, request, may_widen).await,
            Err(refusal) => refuse(&state, &refusal),
        }
    }

    /// Reads the command of a request. An empty body asks for nothing in particular.
    async fn read_command<B: strict::Body>(
        self,
        name: &str,
        command: impl FnOnce(B) -> Result<Read, ApiError>,
    ) -> Result<CommandRequest, ApiError> {
        let CommandCall { state, caller, headers, body, .. } = self;
        let key = idempotency_key(&headers)?;
        let bytes = read_body(&state.public.incoming_commands, false, body).await?;
        let (command, reason, expected) = command(strict::read(&bytes)?)?;
        one_line("reason", MAX_REASON_BYTES, reason.as_deref())?;
        let key = key.map(|key| (key, key_request_hash(&caller, name, &bytes)));
        let may_release = Permission::Write.is_given_to(caller.role);
        let may_widen = may_release && !headers.contains_key(NARROW_ONLY);
        let actor = caller.actor();
        Ok(CommandRequest { command, actor, reason, key, expected, may_widen, may_release })
    }
}

/// When a held split ends, and what follows.
fn expiry(for_ms: Option<i64>, then: Option<Share>) -> Result<Option<ExpiryRequest>, ApiError> {
    match (for_ms, then) {
        (None, Some(_)) => {
            Err(invalid_request("`then` says what comes after `forMs`, which is missing"))
        }
        (None, None) => Ok(None),
        (Some(after_ms), then) if (1..=MAX_HELD_MS).contains(&after_ms) => {
            Ok(Some(ExpiryRequest { after_ms, then }))
        }
        (Some(_), _) => Err(invalid_request("`forMs` is a time from 1 ms to a year")),
    }
}

fn share(name: &str, text: Option<String>) -> Result<Option<Share>, ApiError> {
    text.map(|text| text.parse().map_err(|error| invalid_request(format!("`{name}`: {error}"))))
        .transpose()
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let is_plain =
        |key: &&str| (1..=MAX_KEY_BYTES).contains(&key.len()) && !key.contains(char::is_control);
    match (value.to_str().ok().filter(is_plain), values.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        _ => Err(invalid_request(format!(
            "there is one Idempotency-Key, of 1 to {MAX_KEY_BYTES} printable ASCII characters"
        ))),
    }
}

/// A hash of who asked for what. An idempotency key belongs to its caller: with another caller's
/// key a stop would count as repeated though it was never made.
fn key_request_hash(caller: &Caller, verb: &str, body: &[u8]) -> ContentHash {
    let who = caller.id.as_ref().map_or(&*caller.name, CredentialId::as_str);
    ContentHash::of(&[who.as_bytes(), b"\0", verb.as_bytes(), b"\0", body].concat())
}

/// `may_widen` says whether the caller's role may: else what undoes a change, which widens, is for
/// another person to do.
async fn execute_command(
    state: &AdminState,
    request: CommandRequest,
    may_widen: bool,
) -> Response<Body> {
    let (command, coordinator) = (request.command.clone(), state.coordinator.clone());
    let done = state.on_command_thread(async move { coordinator.execute(request).await }).await;
    match done.unwrap_or(Err(CommandRejected::Unknown)) {
        Ok(done) => {
            let status = if matches!(done, CommandOutcome::Pending { .. }) {
                StatusCode::ACCEPTED
            } else {
                StatusCode::OK
            };
            if parts_of(&done).len() <= MANY_PARTS {
                return answer(state, status, &outcome_of(state, &command, &done, may_widen));
            }
            // The response to `stop --all` is long, and other commands go through this thread.
            let told = state.clone();
            match spawn_blocking(move || outcome_of(&told, &command, &done, may_widen)).await {
                Ok(outcome) => answer(state, status, &outcome),
                Err(_) => refuse(state, &CommandRejected::Unknown.into()),
            }
        }
        Err(rejected) => refuse(state, &rejected.of(&command).into()),
    }
}

fn parts_of(done: &CommandOutcome) -> &[PlannedChange] {
    match done {
        CommandOutcome::Committed { parts, .. } | CommandOutcome::Pending { parts, .. } => parts,
        CommandOutcome::Unchanged | CommandOutcome::Repeated { .. } => &[],
    }
}

/// The outcome, what is live now, and how to undo it, or who may.
fn outcome_of(
    state: &AdminState,
    command: &Command,
    done: &CommandOutcome,
    may_widen: bool,
) -> Outcome {
    let effective = state.coordinator.state();
    let effective: &EffectiveState = &effective;
    let (outcome, revision, survives_restart) = match done {
        CommandOutcome::Committed { revision, .. } => {
            (messages::CommandOutcome::Committed, Some(*revision), true)
        }
        CommandOutcome::Pending { survives_restart, .. } => {
            (messages::CommandOutcome::Pending, None, *survives_restart)
        }
        CommandOutcome::Unchanged => (messages::CommandOutcome::Unchanged, None, true),
        CommandOutcome::Repeated { revision } => {
            (messages::CommandOutcome::Repeated, Some(*revision), true)
        }
    };
    let parts = parts_of(done);
    let in_force = is_in_force(effective, command, revision);
    let is_saved = matches!(done, CommandOutcome::Committed { .. });
    let mut notes = notes(effective, command, parts, is_saved, may_widen);
    let is_stop = matches!(command, Command::Stop { .. } | Command::StopAll);
    if !is_stop && is_clamped(state) {
        notes.push(ServerAuth::CLAMPS.to_owned());
    }
    match done {
        CommandOutcome::Repeated { revision } if !in_force => {
            notes.insert(0, lifted_since(*revision));
        }
        _ if !in_force => notes.insert(0, OVERTAKEN.to_owned()),
        _ => {}
    }
    let undo = parts.iter().find(|part| part.is_new()).and_then(|part| undo(command, part));
    if let (Some(undo), false) = (&undo, may_widen) {
        notes.push(format!("{MAY_WIDEN} may undo it: {undo}"));
    }
    let change =
        |part: &PlannedChange| view::flag_change(part, effective.flag(part.flag.as_str()).as_ref());
    Outcome {
        outcome,
        revision,
        position: effective.position().to_string(),
        survives_restart,
        in_force,
        changes: parts.iter().map(change).collect(),
        flag: command.flag().and_then(|flag| of_flag(state, effective, flag.as_str())),
        notes,
        undo: undo.filter(|_| may_widen),
    }
}
