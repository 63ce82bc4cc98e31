//! Speaks to the admin listener of a running server.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value as Json;

use super::Exit;

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

impl Remote {
    fn token(&self) -> Option<String> {
        let path = self.token_file.clone().unwrap_or_else(|| self.data.join("admin.token"));
        std::fs::read_to_string(path).ok().map(|token| token.trim().to_owned())
    }

    /// A JSON document of the server, or why there is none.
    pub fn get(&self, path: &str) -> Result<Json, (Exit, String)> {
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let fetch = async {
            let request = reqwest::Client::new().get(&url);
            let request = match self.token() {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let response = request.send().await?.error_for_status()?;
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
