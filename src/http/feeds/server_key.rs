//! The server that publishes.

use axum::http::HeaderMap;

use crate::auth::ServerAction;
use crate::http::error::ApiError;
use crate::http::public::{Caller, caller};
use crate::http::state::PublicState;

/// The server that asks, if its key may do this.
pub fn server(
    state: &PublicState,
    headers: &HeaderMap,
    action: ServerAction,
    flag: &str,
) -> Result<Caller, ApiError> {
    match caller(state, headers)? {
        Caller::Server(server) => {
            server.check(action, Some(flag))?;
            Ok(Caller::Server(server))
        }
        Caller::User(_) => Err(ApiError::ServerKeyNeeded),
        Caller::Plain => Err(ApiError::Unauthenticated),
    }
}
