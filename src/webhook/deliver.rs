//! How one revision is sent, and what counts as received: a 2xx in time and nothing else. No
//! redirect is followed and no proxy is used, as where those lead was never checked; every delivery
//! looks its host name up anew.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::Resolve;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};

use super::{AddressPolicy, NotPublic, Outcome, PublicOnly, WebhookConfig};
use crate::clock;
use crate::http_client::client_for;

/// How long a delivery may take.
const ANSWER_AT_MOST: Duration = Duration::from_secs(5);

/// Posts to one receiver.
pub struct Sender<N> {
    config: WebhookConfig,
    names: N,
    /// Made when it is first needed, and tried again until it can be made.
    client: Option<Client>,
}

/// Why a delivery did not arrive, without a word of what was sent or to which path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("it answered {0}, and redirects are not followed")]
    Redirected(StatusCode),
    #[error("it answered {0}")]
    Answered(StatusCode),
    #[error("it did not answer within {} s", ANSWER_AT_MOST.as_secs())]
    TimedOut,
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    #[error("it cannot be reached: {0}")]
    NotReached(String),
}

impl Failure {
    pub fn outcome(&self) -> Outcome {
        match self {
            Failure::Redirected(_) | Failure::Answered(_) => Outcome::Answered,
            Failure::TimedOut => Outcome::TimedOut,
            Failure::NotPublic(_) => Outcome::NotPublic,
            Failure::NotReached(_) => Outcome::NotReached,
        }
    }
}

impl<N: Resolve + Clone + 'static> Sender<N> {
    pub fn new(config: WebhookConfig, names: N) -> Sender<N> {
        Sender { config, names, client: None }
    }

    pub async fn post(&mut self, id: &str, body: Bytes) -> Result<(), Failure> {
        let client = self.client()?;
        let timestamp = (clock::wall_ms() / 1000).to_string();
        let signature =
            self.config.key.sign(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", &body]);
        let request = client
            .post(self.config.target.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header("turnout-webhook-id", id)
            .header("turnout-webhook-timestamp", timestamp)
            .header("turnout-webhook-signature", format!("v1={signature}"))
            .body(body);
        // Only the status of the response is read.
        match request.send().await.map_err(why)?.status() {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => Err(Failure::Redirected(status)),
            status => Err(Failure::Answered(status)),
        }
    }

    fn client(&mut self) -> Result<Client, Failure> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let builder = client_for(self.config.target.url())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            // A kept connection would outlive what its host name resolves to.
            .pool_max_idle_per_host(0)
            .timeout(ANSWER_AT_MOST)
            .user_agent(concat!("turnout/", env!("CARGO_PKG_VERSION")));
        let builder = match self.config.target.reach() {
            AddressPolicy::Public => {
                builder.https_only(true).dns_resolver(Arc::new(PublicOnly(self.names.clone())))
            }
            AddressPolicy::Anywhere => builder.dns_resolver(Arc::new(self.names.clone())),
        };
        let client = builder.build().map_err(why)?;
        Ok(self.client.insert(client).clone())
    }
}

/// The kind of error, or the innermost cause.
fn why(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let (timed_out, mut cause): (bool, &(dyn Error + 'static)) = (error.is_timeout(), &error);
    loop {
        if let Some(not_public) = cause.downcast_ref::<NotPublic>() {
            return Failure::NotPublic(*not_public);
        }
        match cause.source() {
            Some(next) => cause = next,
            None if timed_out => return Failure::TimedOut,
            None => return Failure::NotReached(cause.to_string()),
        }
    }
}
