//! Calls of a listener: how one is made, and what becomes of one that is not answered as hoped, which is an exit code and a message that
//! says what to do. Which listener it is, and with which credential it is asked, is left to others.

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use super::Exit;
use crate::display_text;
use crate::http_client::client_for;

/// How long it may take to get through to a server.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// What a server said that does not do as asked, or that it said nothing.
#[derive(Clone, Debug)]
pub struct Fault {
    pub exit: Exit,
    pub message: String,
    /// The stable code of its problem details.
    pub code: String,
}

impl Fault {
    /// It could not be done.
    pub fn failed(message: impl Into<String>) -> Fault {
        Fault { exit: Exit::Failed, message: message.into(), code: String::new() }
    }

    /// What a listener refuses, with the message it deserves.
    pub fn refused(status: StatusCode, code: String, message: String) -> Fault {
        let exit = match status.as_u16() {
            401 | 403 | 409 | 422 => Exit::Refused,
            400 | 413 => Exit::Usage,
            404 if code != "no-such-route" && !code.is_empty() => Exit::No,
            _ => Exit::Failed,
        };
        Fault { exit, message, code }
    }

    /// What was named is not a URL.
    pub fn no_url(url: &str) -> Fault {
        Fault::failed(format!("{url}: that is no URL; write http://HOST:PORT"))
    }

    /// Nobody answered at `url`; `option` says where else to ask, `then` what to do after a call of which it is not known whether it was heard.
    pub fn unreachable(url: &str, error: &reqwest::Error, option: &str, then: &str) -> Fault {
        let why = match () {
            () if error.is_builder() => return Fault::no_url(url),
            () if error.is_connect() => format!("nobody answers there; is it running? {option} says where to ask"),
            () if error.is_timeout() => format!("it did not answer in time{then}"),
            () => format!("the connection broke{then}"),
        };
        Fault::failed(format!("{url}: {why}"))
    }
}

impl From<Fault> for (Exit, String) {
    fn from(fault: Fault) -> (Exit, String) {
        (fault.exit, fault.message)
    }
}

/// Something to wait on.
pub fn runtime() -> Result<Runtime, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Fault::failed(format!("cannot start: {error}")))
}

/// Something to ask with; how long an answer may take is said with each question.
pub fn client(url: &str) -> Result<Client, Fault> {
    let url: Url = url.parse().map_err(|_| Fault::no_url(url))?;
    let client = client_for(&url).connect_timeout(CONNECT_PATIENCE).build();
    client.map_err(|error| Fault::failed(format!("cannot start: {error}")))
}

/// The status and, if it is JSON, the body.
pub async fn read(response: Result<Response, reqwest::Error>) -> Result<(StatusCode, Option<Json>), reqwest::Error> {
    let response = response?;
    let (status, bytes) = (response.status(), response.bytes().await?);
    Ok((status, serde_json::from_slice(&bytes).ok()))
}

/// A credential from its file, or why there is none; `say` names what else may be done.
pub fn credential(path: &Path, say: &str) -> Result<String, String> {
    let read = std::fs::read_to_string(path).map_err(|error| {
        let why = error.to_string();
        let why = why.split(" (os error").next().unwrap_or_default().to_owned();
        format!("no token could be read from {} ({why}); {say}", display_text::path(path))
    })?;
    let token = read.trim();
    match !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(token.to_owned()),
        false => Err(format!("{} holds no token; {say}", display_text::path(path))),
    }
}
