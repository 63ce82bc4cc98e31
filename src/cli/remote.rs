//! Calls the admin listener of a running server, with the token in the file that the caller may
//! read. A server's refusal becomes an exit code and a message that says what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hyper::body::Bytes;
use hyper::header::HeaderName;
use hyper::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use turnout_api::admin::commands::Outcome;
use turnout_api::admin::history::Revision;
use turnout_api::problem::{Code, Problem};

use super::admin_client::{AdminClient, Call, NoAnswer, Token};
use super::answer::{Answer, RefusedAnswer};
use super::http_client::{self, CliError, Silence, Target};
use super::listener::{self, Listener};
use super::{time, words};
use crate::auth::random_name;

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
    /// Whether a file was named for it.
    is_named: bool,
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
    /// A document of the server, or why there is none.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, CliError> {
        self.open()?.get(path)
    }

    /// A document of a server that answers within this time, with nothing said if it does not.
    pub fn get_within<T: DeserializeOwned>(&self, path: &str, time: Duration) -> Option<T> {
        let AdminConnection { runtime, caller } = self.open().ok()?;
        let asked = call(Method::GET, path, None);
        let answer = async { timeout(time, caller.client.send(&asked)).await };
        let answer = runtime.block_on(answer).ok()?.ok()?;
        Answer::of(answer.body(), &caller.server, "admin").ok().map(|answer| answer.read)
    }

    /// The same for a call that has a body.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, CliError> {
        self.open()?.ask(call(Method::POST, path, Some(text_of(body)?)), Idempotency::Harmful)
    }

    /// Requests a change. The request has an idempotency key, so that sending it again after a lost
    /// connection changes nothing twice.
    pub fn change(
        &self,
        path: &str,
        body: &impl Serialize,
        going: ChangeMode,
    ) -> Result<Answer<Outcome>, CliError> {
        let name =
            random_name().ok_or_else(|| CliError::failed("the system gives no randomness"))?;
        let mut call = call(Method::POST, path, Some(text_of(body)?));
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
        Ok(AdminCaller { server, client, no_token, is_named: self.token_file.is_some() })
    }
}

/// A call that takes as long as the server's own bounds.
fn call(method: Method, path: &str, body: Option<String>) -> Call {
    Call { method, path: path.to_owned(), headers: Vec::new(), body, patience: PATIENCE }
}

fn text_of(body: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string(body)
        .map_err(|_| CliError::failed("what was typed cannot be written as JSON"))
}

impl AdminConnection {
    /// A document of the server, or why there is none.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, CliError> {
        self.ask(call(Method::GET, path, None), Idempotency::Harmless)
    }

    /// A document that the server may work on for long: asked again, the server goes on with the
    /// same work. The call waits for as long as the server answers other calls meanwhile.
    pub fn get_when_done<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, CliError> {
        let (asked, alive) = (call(Method::GET, path, None), call(Method::GET, "/v1/status", None));
        let is_going_on = || self.runtime.block_on(self.caller.client.send(&alive)).is_ok();
        loop {
            match self.answer(&asked, Idempotency::Harmless) {
                Err(NoAnswer::Silence(Silence::TimedOut)) if is_going_on() => {}
                answer => return self.read(answer),
            }
        }
    }

    /// Ctrl-C from now on, which no longer ends the program by itself.
    pub fn interrupts(&self) -> Result<Signal, CliError> {
        let _entered = self.runtime.enter();
        signal(SignalKind::interrupt())
            .map_err(|error| CliError::failed(format!("cannot listen for Ctrl-C: {error}")))
    }

    /// Waits, and returns false as soon as a person interrupts.
    pub fn pause_unless(&self, pause: Duration, interrupt: &mut Signal) -> bool {
        self.runtime.block_on(async { timeout(pause, interrupt.recv()).await.is_err() })
    }

    /// A document of a server that has this long to answer; `None` as soon as a person interrupts.
    pub fn get_unless<T: DeserializeOwned>(
        &self,
        path: &str,
        patience: Duration,
        interrupt: &mut Signal,
    ) -> Option<Result<Answer<T>, CliError>> {
        let asked = call(Method::GET, path, None);
        let answer = async {
            tokio::select! {
                answer = timeout(patience, self.sent(&asked, Idempotency::Harmless)) => Some(answer),
                _ = interrupt.recv() => None,
            }
        };
        let answer = self.runtime.block_on(answer)?;
        Some(self.read(answer.unwrap_or(Err(NoAnswer::Silence(Silence::TimedOut)))))
    }

    fn ask<T: DeserializeOwned>(
        &self,
        call: Call,
        twice: Idempotency,
    ) -> Result<Answer<T>, CliError> {
        self.read(self.answer(&call, twice))
    }

    fn answer(&self, call: &Call, twice: Idempotency) -> Result<Response<Bytes>, NoAnswer> {
        self.runtime.block_on(self.sent(call, twice))
    }

    async fn sent(&self, call: &Call, twice: Idempotency) -> Result<Response<Bytes>, NoAnswer> {
        match self.caller.client.send(call).await {
            Err(lost) if twice == Idempotency::Harmless && lost.may_be_lost() => {
                self.caller.client.send(call).await
            }
            answer => answer,
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<Response<Bytes>, NoAnswer>,
    ) -> Result<Answer<T>, CliError> {
        let answer = answer.map_err(|why| self.caller.unanswered(why))?;
        let (status, body) = (answer.status(), answer.body());
        if status.is_success() {
            Answer::of(body, &self.caller.server, "admin")
        } else {
            Err(self.caller.refused(RefusedAnswer::of(status, body)))
        }
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
            NoAnswer::Refused(refusal) => self.refused(refusal),
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
    pub fn refused(&self, refusal: RefusedAnswer) -> CliError {
        let RefusedAnswer { status, problem, since, widening, .. } = refusal;
        let Some(Problem { code, detail, .. }) = problem else {
            let message = match (&self.no_token, status.as_u16()) {
                (Some(why), 401) => why.clone(),
                _ => format!("{}: it answered {status}; is that the admin listener?", self.server),
            };
            return CliError::refused(status, None, message);
        };
        if let (Some(why), true, 401) = (&self.no_token, self.is_named, status.as_u16()) {
            return CliError::no_credential(why.clone());
        }
        let message = match (&self.no_token, status.as_u16(), code) {
            (Some(why), 401, _) => why.clone(),
            (None, 401, _) => {
                "the server does not accept this token; it may be revoked or expired, or be another server's".to_owned()
            }
            (_, _, Code::FlagNotFound) if !detail.contains("did you mean") => {
                format!("{detail}; turnout status lists the flags")
            }
            _ => format!("{detail}{}{}", hint(code), meanwhile(&since)),
        };
        CliError { widening, ..CliError::refused(status, Some(code), message) }
    }
}

/// What to do about it, where the server's words do not say.
pub fn hint(code: Code) -> &'static str {
    match code {
        Code::ReasonRequired => "; say --reason \"…\"",
        Code::RevisionConflict => "; look again (turnout status) and ask again",
        Code::NoSuchToken => "; turnout token list shows them",
        Code::StreamEnded => "; it takes no further event: publish to a stream of another name",
        Code::DiskFull => "; make room in the data folder",
        Code::MayOnlyNarrow => "; ask a person with the role operator or admin",
        Code::NoSuchRevision => "; turnout history lists them",
        _ => "",
    }
}

/// Who changed what since the caller looked.
fn meanwhile(since: &[Revision]) -> String {
    let line = |revision: &Revision| {
        let changes: Vec<String> = revision.changes.iter().map(words::change).collect();
        let reason = revision.reason.as_ref().map(|reason| format!(" ({reason})"));
        format!(
            "\n  revision {} {} {}: {}{}",
            revision.revision,
            time::at(revision.committed_at_ms),
            revision.actor,
            changes.join(", "),
            reason.unwrap_or_default()
        )
    };
    if since.is_empty() {
        return String::new();
    }
    since.iter().map(line).fold(". Meanwhile:".to_owned(), |lines, line| lines + &line)
}
