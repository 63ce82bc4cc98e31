//! Speaks to the admin listener of a running server.

use clap::Args;
use serde_json::Value as Json;

use super::Exit;

/// How to find the server.
#[derive(Debug, Args)]
pub struct Remote {
    /// The admin listener of the server to ask
    #[arg(long, value_name = "URL", env = "TURNOUT_SERVER", default_value = "http://127.0.0.1:7071")]
    server: String,
}

impl Remote {
    /// A JSON document of the server, or why there is none.
    pub fn get(&self, path: &str) -> Result<Json, (Exit, String)> {
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let fetch = async {
            let response = reqwest::Client::new().get(&url).send().await?.error_for_status()?;
            response.json().await
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| (Exit::Failed, format!("cannot start: {error}")))?;
        runtime.block_on(fetch).map_err(|error: reqwest::Error| {
            let why = match error.status() {
                Some(status) => format!("it answered {status}; is that the admin listener?"),
                None if error.is_builder() => "that is no URL; write http://HOST:PORT".to_owned(),
                None if error.is_decode() => "it did not answer in JSON; is that the admin listener?".to_owned(),
                None => "nobody answers there; is it running? --server says where to ask".to_owned(),
            };
            (Exit::Failed, format!("{}: {why}", self.server))
        })
    }
}
