//! How a question is sent to the public listener, and for which user. A user's id stands in a body
//! and never in an address.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{ETAG, HeaderName, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use crate::cli::http_client::{CliError, credential};
use crate::cli::remote::text_of;
use crate::definition::similar;
use crate::display_text;
use crate::flag::FlagKey;

/// Longer than a healthy server takes.
const PATIENCE: Duration = Duration::from_secs(5);
const REVISION: HeaderName = HeaderName::from_static("turnout-revision");

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
    pub document: Json,
    pub etag: String,
    pub position: String,
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
        let reply = timeout(PATIENCE, response.json::<Json>()).await.ok().and_then(Result::ok);
        match (reply, etag, position) {
            (Some(document), Some(etag), Some(position)) if document["strategy"].is_string() => {
                Ok(StrategyAnswer { document, etag, position })
            }
            _ => Err(CliError::failed(format!(
                "{}: that is not a strategy; is it the public listener?",
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
        let request = self
            .client
            .post(format!("{}/v1/watch/ack", self.url))
            .json(&json!({ "ackId": ack_id, "position": position }));
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
        if error.code != "flag-not-found" {
            return error;
        }
        let everything = |_| {
            Ok(self
                .request(Method::POST, "/v1/strategy")?
                .json(self.question.as_ref().unwrap_or(&json!({}))))
        };
        let reply = match self.send(everything).await {
            Ok(response) => timeout(PATIENCE, response.json::<Json>())
                .await
                .ok()
                .and_then(Result::ok)
                .unwrap_or_default(),
            Err(_) => Json::Null,
        };
        let known: Vec<String> = reply["flags"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|flag| text_of(&flag["flag"]))
            .collect();
        let message = match similar(self.flag.as_str(), known.iter().map(String::as_str)) {
            Some(meant) => format!("no flag `{}`; did you mean `{meant}`?", self.flag),
            None => format!("no flag `{}`", self.flag),
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
        let refused = |message| {
            CliError::refused(StatusCode::UNAUTHORIZED, "unauthenticated".to_owned(), message)
        };
        let token = credential(file, "--bearer-file names a session token or a server key")
            .map_err(refused)?;
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
        let problem = timeout(PATIENCE, response.json::<Json>())
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        let (code, detail) = (text_of(&problem["code"]), text_of(&problem["detail"]));
        let message = match (status.as_u16(), &self.bearer_file) {
            _ if code.is_empty() => {
                format!("{}: it answered {status}; is that the public listener?", self.url)
            }
            (401, Some(file)) => {
                format!(
                    "the server does not accept the token in {}; it may be expired",
                    display_text::path(file)
                )
            }
            (401, None) => format!("{detail}; --bearer-file names a file with one"),
            _ => detail,
        };
        Err(AskError {
            error: CliError::refused(status, code, message),
            retry_after: seconds.map(Duration::from_secs),
        })
    }
}

impl From<CliError> for AskError {
    fn from(error: CliError) -> AskError {
        AskError { error, retry_after: None }
    }
}
