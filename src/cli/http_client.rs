//! Calls of a listener: its address, and how a failed call becomes an exit code and a message that
//! says what to do. Callers choose the credential.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use tokio::runtime::Runtime;
use turnout_api::admin::commands::Widening;
use turnout_api::problem::Code;

use super::Exit;
use crate::display_text;
use crate::http_client::{LOOPBACK, client_for, is_loopback};

/// How long connecting to a server may take.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// A response from a server that did not do what was asked, or the lack of a response.
#[derive(Clone, Debug)]
pub struct CliError {
    pub exit: Exit,
    pub message: String,
    /// The code of its problem details.
    pub code: Option<Code>,
    /// What the command would have changed, where that is why it was refused.
    pub widening: Option<Box<Widening>>,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The text that was given is not a URL.
    NoUrl,
    NotReached,
    TimedOut,
    Broken,
}

/// Where to ask: an http or https URL.
#[derive(Clone, Debug)]
pub struct Target(Url);

impl CliError {
    /// The call could not be made.
    pub fn failed(message: impl Into<String>) -> CliError {
        CliError { exit: Exit::Failed, message: message.into(), code: None, widening: None }
    }

    /// Nothing was asked, as what was typed is wrong.
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError { exit: Exit::Usage, ..CliError::failed(message) }
    }

    /// Nothing was asked, as the file with the credential cannot be used.
    pub fn no_credential(message: String) -> CliError {
        CliError { code: Some(Code::Unauthenticated), ..CliError::usage(message) }
    }

    /// A refusal by a listener, with the exit code that fits its status.
    pub fn refused(status: StatusCode, code: Option<Code>, message: String) -> CliError {
        let exit = match status.as_u16() {
            401 | 403 | 409 | 422 => Exit::Refused,
            400 | 413 => Exit::Usage,
            404 if code.is_some_and(|code| code != Code::NoSuchRoute) => Exit::No,
            _ => Exit::Failed,
        };
        CliError { exit, message, code, widening: None }
    }

    /// No program answered at `url`; `option` says where else to ask, `then` what to do after a
    /// call that may or may not have arrived.
    pub fn unreachable(url: &str, silence: Silence, option: &str, then: &str) -> CliError {
        let why = match silence {
            Silence::NoUrl => "that is not a URL; write http://HOST:PORT".to_owned(),
            Silence::NotReached => {
                format!("no server answers there; is it running? {option} says where to ask")
            }
            Silence::TimedOut => format!("it did not answer in time{then}"),
            Silence::Broken => format!("the connection broke{then}"),
        };
        let error = CliError::failed(format!("{url}: {why}"));
        match silence {
            Silence::NoUrl => CliError { exit: Exit::Usage, ..error },
            _ => error,
        }
    }
}

impl From<CliError> for (Exit, String) {
    fn from(error: CliError) -> (Exit, String) {
        (error.exit, error.message)
    }
}

impl From<&reqwest::Error> for Silence {
    fn from(error: &reqwest::Error) -> Silence {
        match () {
            () if error.is_builder() => Silence::NoUrl,
            () if error.is_connect() => Silence::NotReached,
            () if error.is_timeout() => Silence::TimedOut,
            () => Silence::Broken,
        }
    }
}

impl Target {
    /// Where to ask: a scheme, a host, perhaps a port and a path. Messages show it, so it must not
    /// hold a secret.
    pub fn parse(text: &str) -> Result<Target, CliError> {
        let url = text
            .parse::<Url>()
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let is_plain = |url: &Url| {
            url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        match url {
            Some(url) if is_plain(&url) => Ok(Target(url)),
            None if !text.contains(['@', '?', '#']) => {
                Err(CliError::unreachable(text, Silence::NoUrl, "", ""))
            }
            _ => Err(CliError::usage(
                "the URL of the server has no user, password, query or fragment: messages show it; write http://HOST:PORT, and a token goes into a file",
            )),
        }
    }

    /// An HTTP client; the timeout is set with each request.
    pub fn client(&self) -> Result<Client, CliError> {
        client_for(&self.0).connect_timeout(CONNECT_PATIENCE).build().map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            CliError::failed(format!(
                "{}: cannot speak https: {cause}; SSL_CERT_FILE names CA certificates",
                self.0
            ))
        })
    }

    pub fn speaks_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        self.0.authority().rsplit('@').next().unwrap_or_default().to_owned()
    }

    /// The addresses of this machine, where the URL names it.
    pub fn loopback(&self) -> Option<Vec<SocketAddr>> {
        let named = self.host().parse().map(|ip| vec![ip]);
        let addresses = named
            .unwrap_or_else(|_| LOOPBACK.to_vec())
            .into_iter()
            .map(|ip| SocketAddr::new(ip, self.port()));
        is_loopback(&self.0).then(|| addresses.collect())
    }

    /// The path of a call, behind that of the URL.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.0.path().trim_end_matches('/'))
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{}", self.0.scheme(), self.authority(), self.path(path))
    }
}

/// A runtime to wait on.
pub fn runtime() -> Result<Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| CliError::failed(format!("cannot start: {error}")))
}

/// Sends a request and reads the whole response.
pub async fn whole(request: RequestBuilder) -> Result<Response<Bytes>, Silence> {
    let mut sent = request.send().await.map_err(|error| Silence::from(&error))?;
    let (status, headers) = (sent.status(), std::mem::take(sent.headers_mut()));
    let mut response = Response::new(sent.bytes().await.map_err(|error| Silence::from(&error))?);
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Ok(response)
}

/// A credential from its file, or why there is none; `say` names what else may be done.
pub fn credential(path: &Path, say: &str) -> Result<String, String> {
    let read = std::fs::read_to_string(path).map_err(|error| {
        let why = error.to_string();
        let why = why.split(" (os error").next().unwrap_or_default().to_owned();
        format!("no token could be read from {} ({why}); {say}", display_text::path(path))
    })?;
    let token = read.trim();
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token.to_owned())
    } else {
        Err(format!("{} holds no token; {say}", display_text::path(path)))
    }
}

/// What to say of the credential in a file that the public listener does not accept.
pub fn not_accepted(path: &Path) -> String {
    let file = display_text::path(path);
    let token = std::fs::read_to_string(path).unwrap_or_default();
    match role_of(&token) {
        Some(role @ ("viewer" | "stopper" | "operator" | "admin")) => format!(
            "{file} holds a token of operators (turnout-{role}-…), and none is accepted here; needed is a session (turnout session USER) or a server key (turnout token create NAME --role server)"
        ),
        Some(_) => format!(
            "the server does not accept the server key in {file}; it is revoked, expired, or another server's: turnout token list shows it, turnout token create NAME --role server makes another"
        ),
        None => format!(
            "the server does not accept the credential in {file}; it is expired, revoked, or another server's; the application makes a session, or turnout session USER does"
        ),
    }
}

/// The role that a secret of Turnout's own begins with.
fn role_of(token: &str) -> Option<&str> {
    const ROLES: [&str; 5] = ["viewer", "stopper", "operator", "admin", "server"];
    let (role, _) = token.trim().strip_prefix("turnout-")?.split_once('-')?;
    ROLES.into_iter().find(|known| *known == role)
}
