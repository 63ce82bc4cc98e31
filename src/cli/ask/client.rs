//! How a question is sent to the public listener, and for which user. A user's id stands in a body
//! and never in an address.

use std::path::PathBuf;
use std::time::Duration;

use hyper::body::Bytes;
use reqwest::header::{ETAG, HeaderName, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value as Json, json};
use tokio::time::timeout;
use turnout_api::problem::{Code, Problem};
use turnout_api::strategy::{StrategyDocument, StrategyDocuments};
use turnout_api::watch::Acknowledgement;

use crate::cli::answer::{self, Answer, RefusedAnswer};
use crate::cli::http_client::{self, CliError, credential};
use crate::definition::similar;
use crate::flag::FlagKey;

/// Longer than a healthy server takes.
const PATIENCE: Duration = Duration::from_secs(5);
const REVISION: HeaderName = HeaderName::from_static("turnout-revision");
const ERROR_ATTRIBUTE: HeaderName = HeaderName::from_static("turnout-error-attribute");

/// Whom to ask, for which flag, and as whom.
pub struct StrategyClient {
    pub client: Client,
    pub url: String,
    pub flag: FlagKey,
    /// The body; `None` where the token says who asks.
    pub question: Option<Json>,
    pub bearer_file: Option<PathBuf>,
}

/// A document, and what the head of its response says about it.
pub struct StrategyAnswer {
    pub document: Answer<StrategyDocument>,
    pub etag: String,
    pub position: String,
    /// The attribute whose type ended the evaluation in an error.
    pub error_attribute: Option<String>,
}

/// Why there is no answer, and how long to wait for one if the server said so.
pub struct AskError {
    pub error: CliError,
    pub retry_after: Option<Duration>,
}

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    Yes,
    /// The server no longer has the stream.
    NoSuchStream,
    /// It may be tried again.
    Lost,
}

impl StrategyClient {
    /// Asks once.
    pub async fn ask(&self) -> Result<StrategyAnswer, AskError> {
        let path = format!("/v1/strategy/{}", self.flag);
        let response = self.send(|method| self.put(method, &path)).await?;
        let header = |name: HeaderName| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (etag, position) = (header(ETAG), header(REVISION));
        let error_attribute = header(ERROR_ATTRIBUTE);
        let document = Answer::of(&whole(response).await, &self.url, "public")?;
        match (etag, position) {
            (Some(etag), Some(position)) => {
                Ok(StrategyAnswer { document, etag, position, error_attribute })
            }
            _ => Err(CliError::failed(format!(
                "{}: its answer lacks `ETag` or `Turnout-Revision`; does a proxy take them away?",
                self.url
            ))
            .into()),
        }
    }

    /// Opens a stream.
    pub async fn open(&self) -> Result<Response, AskError> {
        let path = format!("/v1/strategy/{}/watch", self.flag);
        self.send(|method| self.put(method, &path)).await
    }

    /// Acknowledges the position that is held.
    pub async fn acknowledge(&self, ack_id: &str, position: &str) -> Acknowledged {
        let held = Acknowledgement { ack_id: ack_id.to_owned(), position: position.to_owned() };
        let request = self.client.post(format!("{}/v1/watch/ack", self.url)).json(&held);
        match timeout(PATIENCE, request.send())
            .await
            .map(|sent| sent.map(|response| response.status()))
        {
            Ok(Ok(StatusCode::NOT_FOUND)) => Acknowledged::NoSuchStream,
            // The server would answer the same again.
            Ok(Ok(status)) if !status.is_server_error() => Acknowledged::Yes,
            _ => Acknowledged::Lost,
        }
    }

    /// Adds the flag that may have been meant where the flag does not exist.
    pub async fn with_hint(&self, error: CliError) -> CliError {
        if error.code != Some(Code::FlagNotFound) {
            return error;
        }
        let everything = |_| {
            Ok(self
                .request(Method::POST, "/v1/strategy")?
                .json(self.question.as_ref().unwrap_or(&json!({}))))
        };
        // What may not list the flags gets no hint.
        let known = match self.send(everything).await {
            Ok(response) => {
                let all = answer::read(&whole(response).await, &self.url, "public");
                all.map_or_else(|_| Vec::new(), |StrategyDocuments { flags }| flags)
            }
            Err(_) => Vec::new(),
        };
        let message =
            match similar(self.flag.as_str(), known.iter().map(|document| &*document.flag)) {
                Some(meant) => format!("no flag `{}`; did you mean `{meant}`?", self.flag),
                None => format!("no flag `{}`; turnout status lists the flags", self.flag),
            };
        CliError { message, ..error }
    }

    fn put(&self, method: Method, path: &str) -> Result<RequestBuilder, CliError> {
        let request = self.request(method, path)?;
        Ok(match &self.question {
            Some(question) => request.json(question),
            None => request,
        })
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, CliError> {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let Some(file) = &self.bearer_file else { return Ok(request) };
        let token = credential(file, "--bearer-file names a session token or a server key")
            .map_err(CliError::no_credential)?;
        Ok(request.bearer_auth(token))
    }

    /// Sends a request and waits for the head of the response; the caller reads the body.
    async fn send(
        &self,
        request: impl FnOnce(Method) -> Result<RequestBuilder, CliError>,
    ) -> Result<Response, AskError> {
        let method = if self.question.is_some() { Method::POST } else { Method::GET };
        let silent = |_| CliError::failed(format!("{}: it did not answer in time", self.url));
        let sent = timeout(PATIENCE, request(method)?.send()).await.map_err(silent)?;
        let response =
            sent.map_err(|error| CliError::unreachable(&self.url, (&error).into(), "--url", ""))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let seconds =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let refusal = RefusedAnswer::of(status, &whole(response).await);
        let Some(Problem { code, detail, .. }) = refusal.problem else {
            let message =
                format!("{}: it answered {status}; is that the public listener?", self.url);
            return Err(AskError {
                error: CliError::refused(status, None, message),
                retry_after: seconds.map(Duration::from_secs),
            });
        };
        let message = match (status.as_u16(), &self.bearer_file) {
            (401, Some(file)) => http_client::not_accepted(file),
            (401, None) => format!("{detail}; --bearer-file names a file with one"),
            _ => detail,
        };
        Err(AskError {
            error: CliError::refused(status, Some(code), message),
            retry_after: seconds.map(Duration::from_secs),
        })
    }
}

/// The body of a response; what is cut off cannot be read.
async fn whole(response: Response) -> Bytes {
    timeout(PATIENCE, response.bytes()).await.ok().and_then(Result::ok).unwrap_or_default()
}

impl From<CliError> for AskError {
    fn from(error: CliError) -> AskError {
        AskError { error, retry_after: None }
    }
}
