//! Speaks to the admin listener of a running server, with the token of whoever may read it. What a server refuses becomes an exit code
//! and a message that says what to do.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value as Json;

use super::{Exit, time};
use crate::token::random_name;

/// Longer than any call takes by the server's own bounds but one.
const PATIENCE: Duration = Duration::from_secs(15);
/// A long history takes its time to verify.
const LONG_PATIENCE: Duration = Duration::from_secs(75);

/// How to find the server.
#[derive(Debug, Args)]
pub struct Remote {
    /// The admin listener of the server to ask
    #[arg(long, value_name = "URL", env = "TURNOUT_SERVER", default_value = "http://127.0.0.1:7071")]
    server: String,

    /// The file with the token to ask with; unless said, `admin.token` in the data folder
    #[arg(long, value_name = "FILE", env = "TURNOUT_TOKEN_FILE")]
    token_file: Option<PathBuf>,

    /// The data folder of the server on this machine
    #[arg(long = "data", value_name = "DIR", env = "TURNOUT_DATA", default_value = "./data")]
    data: PathBuf,
}

/// What a server said that does not do as asked.
#[derive(Debug)]
pub struct Fault {
    pub exit: Exit,
    pub message: String,
    /// The stable code of its problem details.
    pub code: String,
}

impl From<Fault> for (Exit, String) {
    fn from(fault: Fault) -> (Exit, String) {
        (fault.exit, fault.message)
    }
}

/// Whether asking twice does no more than asking once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twice {
    Harmless,
    Harmful,
}

/// How a change is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// Only if nobody gets `realtime-v2` who does not have it.
    OnlyNarrowing,
    Anyway,
}

impl Remote {
    /// A JSON document of the server, or why there is none.
    pub fn get(&self, path: &str) -> Result<Json, (Exit, String)> {
        Ok(self.ask(Method::GET, path, Twice::Harmless, |request| request)?.1)
    }

    /// The same for a question that has a body.
    pub fn post(&self, path: &str, body: &Json) -> Result<Json, (Exit, String)> {
        Ok(self.ask(Method::POST, path, Twice::Harmful, |request| request.json(body))?.1)
    }

    /// Asks for a change. It has a name of its own, so that asking again after a lost connection changes nothing twice.
    pub fn change(&self, path: &str, body: &Json, going: Going) -> Result<(StatusCode, Json), Fault> {
        let nameless =
            || Fault { exit: Exit::Failed, message: "the system gives no randomness".to_owned(), code: String::new() };
        let name = random_name().ok_or_else(nameless)?;
        self.ask(Method::POST, path, Twice::Harmless, |request| {
            let request = request.json(body).header("idempotency-key", &name);
            match going {
                Going::OnlyNarrowing => request.header("turnout-narrow-only", "1"),
                Going::Anyway => request,
            }
        })
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        twice: Twice,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<(StatusCode, Json), Fault> {
        let failed = |why: String| Fault { exit: Exit::Failed, message: why, code: String::new() };
        let token = self.token();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(format!("cannot start: {error}")))?;
        let client = self.client(path).map_err(|error| failed(format!("cannot start: {error}")))?;
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let fetch = async {
            let request = || match &token {
                Ok(token) => with(client.request(method.clone(), &url).bearer_auth(token)),
                Err(_) => with(client.request(method.clone(), &url)),
            };
            match read(request().send().await).await {
                // Once more: the first may have been lost on its way, or its answer.
                Err(error) if twice == Twice::Harmless && !error.is_timeout() && !error.is_builder() => {
                    read(request().send().await).await
                }
                read => read,
            }
        };
        let (status, body) = runtime.block_on(fetch).map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return body
                .map(|body| (status, body))
                .ok_or_else(|| failed(format!("{}: it did not answer in JSON; is that the admin listener?", self.server)));
        }
        Err(self.refused(status, body.unwrap_or_default(), token.err()))
    }

    fn client(&self, path: &str) -> Result<Client, reqwest::Error> {
        let patience = if path.ends_with("/verify") { LONG_PATIENCE } else { PATIENCE };
        let client = Client::builder().timeout(patience).redirect(reqwest::redirect::Policy::none());
        let here = ["//127.", "//localhost", "//[::1]"].iter().any(|host| self.server.contains(host));
        // No proxy stands between a machine and itself.
        if here { client.no_proxy().build() } else { client.build() }
    }

    /// The token, or why there is none. Without one the server is asked all the same: whether it runs is the better question.
    fn token(&self) -> Result<String, String> {
        let path = self.token_file.clone().unwrap_or_else(|| self.data.join("admin.token"));
        let say = "--token-file or TURNOUT_TOKEN_FILE names a token, --data or TURNOUT_DATA the server's data folder";
        let read = std::fs::read_to_string(&path).map_err(|error| {
            let why = error.to_string();
            let why = why.split(" (os error").next().unwrap_or_default().to_owned();
            format!("no token could be read from {} ({why}); {say}", path.display())
        })?;
        let token = read.trim();
        match !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(token.to_owned()),
            false => Err(format!("{} holds no token; {say}", path.display())),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Fault {
        let why = match () {
            () if error.is_builder() => "that is no URL; write http://HOST:PORT",
            () if error.is_timeout() => "it did not answer in time; `turnout status` says how it stands",
            () if error.is_connect() => "nobody answers there; is it running? --server says where to ask",
            () => "the connection broke; `turnout status` says how it stands",
        };
        Fault { exit: Exit::Failed, message: format!("{}: {why}", self.server), code: String::new() }
    }

    fn refused(&self, status: StatusCode, problem: Json, tokenless: Option<String>) -> Fault {
        let (code, detail) = (word(&problem["code"]), word(&problem["detail"]));
        let exit = match status.as_u16() {
            401 | 403 | 409 | 422 => Exit::Refused,
            400 | 413 => Exit::Usage,
            404 if code != "no-such-route" && !code.is_empty() => Exit::No,
            _ => Exit::Failed,
        };
        let message = match (tokenless, status.as_u16()) {
            (Some(why), 401) => why,
            (None, 401) if !code.is_empty() => {
                "the server does not accept this token; it may be revoked or expired, or be another server's".to_owned()
            }
            _ if code.is_empty() => format!("{}: it answered {status}; is that the admin listener?", self.server),
            _ if code == "flag-not-found" && !detail.contains("did you mean") => {
                format!("{detail}; turnout status lists the flags")
            }
            _ => format!("{detail}{}{}", hint(&code), meanwhile(&problem["since"])),
        };
        Fault { exit, message, code }
    }
}

/// The status and, if it is JSON, the body.
async fn read(response: Result<Response, reqwest::Error>) -> Result<(StatusCode, Option<Json>), reqwest::Error> {
    let response = response?;
    let (status, bytes) = (response.status(), response.bytes().await?);
    Ok((status, serde_json::from_slice(&bytes).ok()))
}

/// What to do about it, where the server's words do not say.
fn hint(code: &str) -> &'static str {
    match code {
        "reason-needed" => "; say --reason \"…\"",
        "moved" => "; look again (turnout status) and ask again. Meanwhile:",
        "no-such-token" => "; turnout token list shows them",
        "disk-full" => "; make room in the data folder",
        "may-only-narrow" => "; ask somebody with the role operator or admin",
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
        let reason = revision["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (at, by) = (time::of(&revision["committedAtMs"]), word(&revision["actor"]));
        format!("\n  revision {} {at} {by}: {}{reason}", revision["revision"], changes.join(", "))
    };
    revisions.iter().map(line).collect()
}

/// One change of a revision: `set build-events realtime-v2 10% -> 25%`.
pub fn change(change: &Json) -> String {
    let (was, is) = (word(&change["was"]), word(&change["is"]));
    let moved = match (was.is_empty(), is.is_empty()) {
        (_, true) => String::new(),
        (true, false) => format!(" {is}"),
        (false, false) => format!(" {}", arrow(&was, &is)),
    };
    let back_to = change["backTo"].as_u64().map(|to| format!(" to {to}")).unwrap_or_default();
    format!("{} {}{back_to}{moved}", word(&change["action"]), word(&change["key"]))
}

/// `realtime-v2 10% -> 25%`, `STOPPED -> realtime-v2 1%`: one arrow, and what stays is said once.
pub fn arrow(was: &str, is: &str) -> String {
    const SHARE: &str = "realtime-v2 ";
    const SERVES: &str = " -> ";
    let before = was.split(SERVES).next().unwrap_or_default();
    let after = match is.split_once(SERVES) {
        Some((state, strategy)) => format!("{state} ({strategy})"),
        None => is.to_owned(),
    };
    match after.strip_prefix(SHARE) {
        _ if was == is => after,
        Some(share) if before.starts_with(SHARE) => format!("{before} -> {share}"),
        _ => format!("{before} -> {after}"),
    }
}

/// A text of an answer; empty where there is none.
pub fn word(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}
