//! What the admin listener promises, call by call.

mod call;
mod commands;
mod credentials;
mod feeds;
mod flags;
mod history;
mod service;

pub use commands::{resume, rollback, set, stop, stop_all, unset};
pub use credentials::{
    create_session, create_token, keys, revoke_key, revoke_sessions, revoke_token, rotate_keys,
    tokens,
};
pub use feeds::{delete_stream, list_streams, poll, publish};
pub use flags::{convergence, convergence_of_all, explain, flag};
pub use history::{history, verify};
pub use service::{alive, hello, metrics, openapi, problems_there_are, status};

use crate::http::openapi::SecurityScheme;

pub const TITLE: &str = "Turnout, for operators";
pub const SAYS: &str = "Shows and changes what is live. Every call but `/healthz` and `/v1/hello` takes `Authorization: Bearer` with a token whose role \
    permits it. What stops or lowers is never refused for what another caller changed meanwhile.";

/// How a caller authenticates.
pub const CREDENTIAL: SecurityScheme = SecurityScheme {
    kind: "http",
    scheme: "bearer",
    says: "A token of `turnout token create`, or the data folder's own.",
};
