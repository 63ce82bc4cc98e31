//! Calls the admin listener of a running server, with the token in the file that the caller may
//! read. A server's refusal becomes an exit code and a message that says what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hyper::header::HeaderName;
use hyper::{Method, StatusCode};
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use super::admin_client::{AdminClient, Call, NoAnswer, Token};
use super::http_client::{self, CliError, Silence, Target};
use super::listener::{self, Listener};
use super::{Exit, time};
use crate::auth::random_name;
use crate::display_text;

/// Longer than any call but one takes by the server's own bounds.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// How to find the server.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// The admin listener of the server to ask; unless said, the one in `addresses.json` of the
    /// data folder, or http://127.0.0.1:7071
    #[arg(long, value_name = "URL", env = "TURNOUT_SERVER")]
    server: Option<String>,

    /// The file with the token to ask with; unless said, `admin.token` in the data folder
    #[arg(long, value_name = "FILE", env = "TURNOUT_TOKEN_FILE")]
    token_file: Option<PathBuf>,

    /// The data folder of the server on this machine
    #[arg(long = "data", value_name = "DIR", env = "TURNOUT_DATA", default_value = "./data")]
    data: PathBuf,
}

/// The admin listener with a client for any number of calls, one after the other.
pub struct AdminConnection {
    runtime: Runtime,
    caller: AdminCaller,
}

/// The way to the admin listener, and the words for what went wrong on it.
pub struct AdminCaller {
    pub server: String,
    pub client: AdminClient,
    /// Why there is no token. Without one the server is called all the same: whether it runs is the
    /// more important question.
    no_token: Option<String>,
}

/// Whether sending a request twice does no more than sending it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idempotency {
    Harmless,
    Harmful,
}

/// How a change is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeMode {
    /// Only if `realtime-v2` opens to no further user.
    OnlyNarrowing,
    Anyway,
}

impl ServerArgs {
    /// A JSON document of the server, or why there is none.
    pub fn get(&self, path: &str) -> Result<Json, (Exit, String)> {
        Ok(self.open()?.get(path)?)
    }

    /// The same for a call that has a body.
    pub fn post(&self, path: &str, body: &Json) -> Result<Json, (Exit, String)> {
        Ok(self.open()?.ask(call(Method::POST, path, Some(body)), Idempotency::Harmful)?.1)
    }

    /// Requests a change. The request has an idempotency key, so that sending it again after a lost
    /// connection changes nothing twice.
    pub fn change(
        &self,
        path: &str,
        body: &Json,
        going: ChangeMode,
    ) -> Result<(StatusCode, Json), CliError> {
        let name =
            random_name().ok_or_else(|| CliError::failed("the system gives no randomness"))?;
        let mut call = call(Method::POST, path, Some(body));
        call.headers.push((HeaderName::from_static("idempotency-key"), name));
        if going == ChangeMode::OnlyNarrowing {
            call.headers.push((HeaderName::from_static("turnout-narrow-only"), "1".to_owned()));
        }
        self.open()?.ask(call, Idempotency::Harmless)
    }

    /// Opens a connection for more than one call.
    pub fn open(&self) -> Result<AdminConnection, CliError> {
        Ok(AdminConnection { runtime: http_client::runtime()?, caller: self.caller()? })
    }

    /// The data folder of the server on this machine.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Finds the server, and the token to ask with.
    pub fn caller(&self) -> Result<AdminCaller, CliError> {
        let server = listener::url(self.server.as_deref(), &self.data, Listener::Admin)?;
        let path = self.token_file.clone().unwrap_or_else(|| self.data.join("admin.token"));
        let say = "--token-file or TURNOUT_TOKEN_FILE names a token, --data or TURNOUT_DATA the server's data folder";
        let (secret, no_token) = match http_client::credential(&path, say) {
            Ok(secret) => (Some(secret), None),
            Err(why) => (None, Some(why)),
        };
        let token = secret.map(|secret| Token { secret, is_local: self.token_file.is_none() });
        let data =
            listener::is_of(&self.data, &server, self.server.as_deref()).then(|| self.data.clone());
        let client = AdminClient::new(Target::parse(&server)?, data, token)?;
        Ok(AdminCaller { server, client, no_token })
    }
}

type Answer = Result<(StatusCode, Option<Json>), NoAnswer>;

/// A call that takes as long as the server's own bounds.
fn call(method: Method, path: &str, body: Option<&Json>) -> Call {
    Call {
        method,
        path: path.to_owned(),
        headers: Vec::new(),
        body: body.map(Json::to_string),
        patience: PATIENCE,
    }
}

impl AdminConnection {
    /// A JSON document of the server, or why there is none.
    pub fn get(&self, path: &str) -> Result<Json, CliError> {
        Ok(self.ask(call(Method::GET, path, None), Idempotency::Harmless)?.1)
    }

    /// A document that the server may work on for long: asked again, the server goes on with the
    /// same work. The call waits for as long as the server answers other calls meanwhile.
    pub fn get_when_done(&self, path: &str) -> Result<Json, CliError> {
        let (asked, alive) = (call(Method::GET, path, None), call(Method::GET, "/v1/status", None));
        let is_going_on = || self.runtime.block_on(self.caller.client.ask(&alive)).is_ok();
        loop {
            match self.answer(&asked, Idempotency::Harmless) {
                Err(NoAnswer::Silence(Silence::TimedOut)) if is_going_on() => {}
                answer => return Ok(self.read(answer)?.1),
            }
        }
    }

    pub fn pause(&self, pause: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(pause).await });
    }

    fn ask(&self, call: Call, twice: Idempotency) -> Result<(StatusCode, Json), CliError> {
        self.read(self.answer(&call, twice))
    }

    fn answer(&self, call: &Call, twice: Idempotency) -> Answer {
        self.runtime.block_on(async {
            match self.caller.client.ask(call).await {
                Err(lost) if twice == Idempotency::Harmless && lost.may_be_lost() => {
                    self.caller.client.ask(call).await
                }
                answer => answer,
            }
        })
    }

    fn read(&self, answer: Answer) -> Result<(StatusCode, Json), CliError> {
        let (status, body) = answer.map_err(|why| self.caller.unanswered(why))?;
        if status.is_success() {
            let strange = || {
                CliError::failed(format!(
                    "{}: it did not answer in JSON; is that the admin listener?",
                    self.caller.server
                ))
            };
            return body.map(|body| (status, body)).ok_or_else(strange);
        }
        Err(self.caller.refused(status, body.unwrap_or_default()))
    }
}

impl AdminCaller {
    pub fn has_token(&self) -> bool {
        self.no_token.is_none()
    }

    /// What to say of a call without a response.
    pub fn unanswered(&self, why: NoAnswer) -> CliError {
        let server = &self.server;
        match why {
            NoAnswer::Silence(silence) => CliError::unreachable(
                server,
                silence,
                "--server",
                "; `turnout status` says how it stands",
            ),
            NoAnswer::Refused(status, problem) => self.refused(status, problem),
            NoAnswer::Unproven => CliError::failed(format!(
                "{server}: what answers there did not show that it is the server; the token was not sent"
            )),
            NoAnswer::Elsewhere(address) => CliError::failed(format!(
                "{server}: the server listens on {address}; its admin.token was not sent through what is between; \
                 --token-file names a token that may be"
            )),
        }
    }

    /// What to say of a refusal.
    pub fn refused(&self, status: StatusCode, problem: Json) -> CliError {
        let (code, detail) = (text_of(&problem["code"]), text_of(&problem["detail"]));
        let message = match (&self.no_token, status.as_u16()) {
            (Some(why), 401) => why.clone(),
            (None, 401) if !code.is_empty() => {
                "the server does not accept this token; it may be revoked or expired, or be another server's".to_owned()
            }
            _ if code.is_empty() => format!("{}: it answered {status}; is that the admin listener?", self.server),
            _ if code == "flag-not-found" && !detail.contains("did you mean") => {
                format!("{detail}; turnout status lists the flags")
            }
            _ => format!("{detail}{}{}", hint(&code), meanwhile(&problem["since"])),
        };
        CliError::refused(status, code, message)
    }
}

/// What to do about it, where the server's words do not say.
fn hint(code: &str) -> &'static str {
    match code {
        "reason-required" => "; say --reason \"…\"",
        "revision-conflict" => "; look again (turnout status) and ask again. Meanwhile:",
        "no-such-token" => "; turnout token list shows them",
        "disk-full" => "; make room in the data folder",
        "may-only-narrow" => "; ask a person with the role operator or admin",
        "no-such-revision" => "; turnout history lists them",
        _ => "",
    }
}

/// Who changed what since the caller looked.
fn meanwhile(since: &Json) -> String {
    let revisions = since.as_array().map_or(&[][..], Vec::as_slice);
    let line = |revision: &Json| {
        let changes = revision["changes"].as_array().map_or(&[][..], Vec::as_slice);
        let changes: Vec<String> = changes.iter().map(change).collect();
        let reason =
            text(&revision["reason"]).map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (at, by) = (time::of(&revision["committedAtMs"]), text_of(&revision["actor"]));
        format!("\n  revision {} {at} {by}: {}{reason}", revision["revision"], changes.join(", "))
    };
    revisions.iter().map(line).collect()
}

/// One change of a revision: `set build-events realtime-v2 10% -> 25%`.
pub fn change(change: &Json) -> String {
    let (was, is) = (text_of(&change["was"]), text_of(&change["is"]));
    if change["kind"] == "credential" {
        // Whose credential it is and what it may do; its expiry stands in the list.
        let words = if is.is_empty() { was } else { is };
        let whose =
            words.split(", until ").next().unwrap_or_default().trim_end_matches(", REVOKED");
        return format!("{} {} {whose}", text_of(&change["action"]), text_of(&change["key"]));
    }
    let moved = match (was.is_empty(), is.is_empty()) {
        (_, true) => String::new(),
        (true, false) => format!(" {is}"),
        (false, false) => format!(" {}", arrow(&was, &is)),
    };
    let back_to = change["backTo"].as_u64().map(|to| format!(" to {to}")).unwrap_or_default();
    format!("{} {}{back_to}{moved}", text_of(&change["action"]), text_of(&change["key"]))
}

/// How a server writes what a state serves, which is an arrow to people.
const SERVES: &str = " -> ";

/// What is live, in words: `realtime-v2 10%`, `STOPPED (polling)`.
pub fn serving(live: &str) -> String {
    match live.split_once(SERVES) {
        Some((state, strategy)) => format!("{state} ({strategy})"),
        None => live.to_owned(),
    }
}

/// `realtime-v2 10% -> 25%`, `STOPPED -> realtime-v2 1%`: one arrow; a part that stays is printed
/// once.
pub fn arrow(was: &str, is: &str) -> String {
    const SHARE: &str = "realtime-v2 ";
    let before = was.split(SERVES).next().unwrap_or_default();
    let after = serving(is);
    match after.strip_prefix(SHARE) {
        _ if was == is => after,
        Some(share) if before.starts_with(SHARE) => format!("{before} -> {share}"),
        _ => format!("{before} -> {after}"),
    }
}

/// A text of a response as a part of a line; empty where there is none.
pub fn text_of(json: &Json) -> String {
    text(json).unwrap_or_default()
}

/// The same, if there is one. Its writer may have meant more than a part of a line.
pub fn text(json: &Json) -> Option<String> {
    json.as_str().map(|text| display_text::line(text).into_owned())
}
