//! How feeds are asked: on the public listener with a server key or a session token, else on the
//! admin listener with its token. A message names the file of a credential and never what is in it.

use std::path::PathBuf;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ETAG, IF_NONE_MATCH, RETRY_AFTER};
use hyper::{HeaderMap, Method, Response, StatusCode};
use reqwest::Client;
use serde::de::DeserializeOwned;
use turnout_api::admin::flags::Status;
use turnout_api::problem::{Code, Problem};
use turnout_api::strategy::StrategyDocuments;

use super::allowance::Allowance;
use super::arguments::FeedArgs;
use crate::cli::admin_client::{Call, NoAnswer};
use crate::cli::answer::{self, RefusedAnswer};
use crate::cli::http_client::{self, CliError, Target, credential};
use crate::cli::listener::{self, Listener};
use crate::cli::remote::{AdminCaller, PATIENCE, hint};
use crate::definition::similar;
use crate::display_text;
use crate::flag::FlagKey;
use crate::snapshot::Position;

/// A way to the feeds of a server.
pub enum FeedClient {
    Admin(Box<AdminCaller>),
    Public(PublicCaller),
}

/// The way over the public listener.
pub struct PublicCaller {
    client: Client,
    url: String,
    /// Read anew for each call, so that it may be renewed meanwhile.
    bearer_file: PathBuf,
}

/// Why a call did not succeed.
#[derive(Debug)]
pub struct FeedError {
    pub error: CliError,
    /// `None` where there was no response.
    pub status: Option<StatusCode>,
    /// Where to go on, if the server said so.
    pub cursor: Option<String>,
    /// The least to wait, if the server said so.
    pub retry_after: Option<Duration>,
    /// What the server said of the user's limit.
    pub allowance: Option<Allowance>,
}

impl From<CliError> for FeedError {
    fn from(error: CliError) -> FeedError {
        FeedError { error, status: None, cursor: None, retry_after: None, allowance: None }
    }
}

impl FeedArgs {
    pub fn client(&self) -> Result<FeedClient, CliError> {
        let Some(bearer_file) = &self.bearer_file else {
            let caller = self.server.caller()?;
            let elsewhere = self.url.as_deref().filter(|_| !caller.has_token());
            return match elsewhere {
                Some(url) => Err(self.needs_a_key(url)),
                None => Ok(FeedClient::Admin(Box::new(caller))),
            };
        };
        let url = listener::url(self.url.as_deref(), self.server.data(), Listener::Public)?;
        Ok(FeedClient::Public(PublicCaller {
            client: Target::parse(&url)?.client()?,
            url: url.trim_end_matches('/').to_owned(),
            bearer_file: bearer_file.clone(),
        }))
    }

    /// There is no token for the admin listener, and a public listener was named.
    fn needs_a_key(&self, url: &str) -> CliError {
        let message = match Target::parse(url) {
            Ok(_) => format!(
                "{url}: a server key is needed there; --bearer-file or TURNOUT_BEARER_FILE names a file with one"
            ),
            Err(error) => return error,
        };
        CliError::refused(StatusCode::UNAUTHORIZED, Some(Code::Unauthenticated), message)
    }
}

impl FeedClient {
    /// The listener that is asked.
    pub fn place(&self) -> &str {
        match self {
            FeedClient::Admin(caller) => &caller.server,
            FeedClient::Public(caller) => &caller.url,
        }
    }

    /// Reads the answer to a GET.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, FeedError> {
        let response = self.send(Method::GET, path, None, (None, PATIENCE)).await?;
        self.read(response.body()).map_err(FeedError::from)
    }

    /// The answer to a POST, as it was sent.
    pub async fn post(&self, path: &str, body: String) -> Result<Bytes, FeedError> {
        Ok(self.send(Method::POST, path, Some(body), (None, PATIENCE)).await?.into_body())
    }

    /// Polls; `held` is the tag of the answer that the caller has, which is a 304 where it still
    /// holds. The server may hold the poll for `wait`.
    pub async fn poll(
        &self,
        path: &str,
        held: Option<&str>,
        wait: Duration,
    ) -> Result<Response<Bytes>, FeedError> {
        self.send(Method::GET, path, None, (held, PATIENCE + wait)).await
    }

    /// Opens a stream with a token of its own, behind a cursor.
    pub async fn open(
        &self,
        path: &str,
        token: &str,
        cursor: Option<&str>,
    ) -> Result<reqwest::Response, FeedError> {
        let FeedClient::Public(caller) = self else {
            return Err(CliError::failed("a stream is opened on the public listener").into());
        };
        let url = format!("{}{path}", caller.url);
        let mut request = caller.client.get(url).bearer_auth(token);
        if let Some(cursor) = cursor {
            request = request.header("last-event-id", cursor);
        }
        let sent = tokio::time::timeout(PATIENCE, request.send()).await;
        let Ok(Ok(response)) = sent else {
            return Err(CliError::failed(format!("{}: it cannot be reached", caller.url)).into());
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let retry_after = header(&headers, RETRY_AFTER).and_then(|text| text.parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        let allowance = Allowance::read(&headers);
        let whole = tokio::time::timeout(PATIENCE, response.bytes()).await;
        let bytes = whole.ok().and_then(Result::ok).unwrap_or_default();
        let refusal = RefusedAnswer::of(status, &bytes);
        let cursor = refusal.cursor.clone();
        let error = caller.refused(refusal);
        Err(FeedError { error, status: Some(status), cursor, retry_after, allowance })
    }

    /// Every flag of the server.
    pub async fn flags(&self) -> Result<Vec<FlagKey>, FeedError> {
        Ok(match self {
            FeedClient::Admin(_) => {
                let all: Status = self.get("/v1/status").await?;
                all.flags.iter().filter_map(|flag| flag.flag.parse().ok()).collect()
            }
            FeedClient::Public(_) => {
                let all = self.post("/v1/strategy", "{}".to_owned()).await?;
                let all: StrategyDocuments = self.read(&all)?;
                all.flags.iter().filter_map(|document| document.flag.parse().ok()).collect()
            }
        })
    }

    /// The error with the flag that may have been meant, where the server knows none of this name.
    pub async fn with_hint(&self, flag: &FlagKey, failed: FeedError) -> CliError {
        let error = failed.error;
        if error.code != Some(Code::FlagNotFound) {
            return error;
        }
        // What may not list the flags gets no hint.
        let known = self.flags().await.unwrap_or_default();
        let hint = match (similar(flag.as_str(), known.iter().map(FlagKey::as_str)), self) {
            (Some(meant), _) => format!("; did you mean `{meant}`?"),
            (None, FeedClient::Admin(_)) => "; turnout status lists the flags".to_owned(),
            (None, FeedClient::Public(_)) => String::new(),
        };
        CliError { message: format!("there is no flag `{flag}`{hint}"), ..error }
    }

    /// Reads an answer.
    pub fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CliError> {
        let listener = match self {
            FeedClient::Admin(_) => "admin",
            FeedClient::Public(_) => "public",
        };
        answer::read(bytes, self.place(), listener)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        (held, patience): (Option<&str>, Duration),
    ) -> Result<Response<Bytes>, FeedError> {
        let response = match self {
            FeedClient::Admin(caller) => {
                let (path, headers) = (path.to_owned(), Vec::new());
                let call = Call { method, path, headers, body, patience };
                match caller.client.send(&call).await {
                    Ok(response) => response,
                    Err(NoAnswer::Refused(refusal)) => {
                        let status = Some(refusal.status);
                        return Err(FeedError { status, ..caller.refused(refusal).into() });
                    }
                    Err(why) => return Err(caller.unanswered(why).into()),
                }
            }
            FeedClient::Public(caller) => caller.send(method, path, body, (held, patience)).await?,
        };
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let refusal = RefusedAnswer::of(status, response.body());
        let cursor = refusal.cursor.clone();
        let error = match self {
            FeedClient::Admin(caller) => caller.refused(refusal),
            FeedClient::Public(caller) => caller.refused(refusal),
        };
        let retry_after =
            header(response.headers(), RETRY_AFTER).and_then(|text| text.parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        let allowance = Allowance::read(response.headers());
        Err(FeedError { error, status: Some(status), cursor, retry_after, allowance })
    }
}

impl PublicCaller {
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        (held, patience): (Option<&str>, Duration),
    ) -> Result<Response<Bytes>, FeedError> {
        let token = credential(&self.bearer_file, "--bearer-file names a server key")
            .map_err(CliError::no_credential)?;
        let url = format!("{}{path}", self.url);
        let mut request = self.client.request(method, url).bearer_auth(token).timeout(patience);
        if let Some(body) = body {
            request = request.header(hyper::header::CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(held) = held {
            request = request.header(IF_NONE_MATCH, held);
        }
        let unreachable = |silence| CliError::unreachable(&self.url, silence, "--url", "");
        Ok(http_client::whole(request).await.map_err(unreachable)?)
    }

    fn refused(&self, RefusedAnswer { status, problem, .. }: RefusedAnswer) -> CliError {
        let Some(Problem { code, detail, .. }) = problem else {
            let message =
                format!("{}: it answered {status}; is that the public listener?", self.url);
            return CliError::refused(status, None, message);
        };
        let file = || display_text::path(&self.bearer_file);
        let message = match status.as_u16() {
            401 => http_client::not_accepted(&self.bearer_file),
            403 => format!("{detail} ({} holds the credential)", file()),
            _ => format!("{detail}{}", hint(code)),
        };
        CliError::refused(status, Some(code), message)
    }
}

/// The position at which the flag last changed, as an answer says.
pub fn flag_position(response: &Response<Bytes>) -> Option<Position> {
    let name = hyper::header::HeaderName::from_static("turnout-flag-revision");
    header(response.headers(), name)?.parse().ok()
}

/// The tag of an answer.
pub fn tag(response: &Response<Bytes>) -> Option<String> {
    header(response.headers(), ETAG)
}

fn header(headers: &HeaderMap, name: hyper::header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
