//! What `publish`, `follow` and `streams` take in common.

use std::path::PathBuf;

use clap::Args;

use crate::cli::remote::ServerArgs;
use crate::feeds::{STREAM_PATTERN, is_stream};

/// How to find the server, and what to ask it with: a credential of the public listener, else the
/// admin listener's token.
#[derive(Debug, Args)]
pub struct FeedArgs {
    #[command(flatten)]
    pub server: ServerArgs,

    /// The public listener to ask with --bearer-file; unless said, the one in `addresses.json` of
    /// the data folder, or http://127.0.0.1:7070
    #[arg(long, value_name = "URL", env = "TURNOUT_URL")]
    pub url: Option<String>,

    /// A file with a server key, or for `follow` a session token, to ask the public listener with;
    /// without one the admin listener is asked
    #[arg(long, value_name = "FILE", env = "TURNOUT_BEARER_FILE")]
    pub bearer_file: Option<PathBuf>,
}

/// The name of a stream.
pub fn stream_name(text: &str) -> Result<String, String> {
    let must = || format!("a stream's name must match {STREAM_PATTERN}, and names no user");
    is_stream(text).then(|| text.to_owned()).ok_or_else(must)
}
