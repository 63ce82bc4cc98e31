//! The admin listener: what operators ask and command. Floor 4.
//!
//! Every call stands in one table with the permission it takes; a call cannot be written down
//! without one. On loopback the listener answers only requests for a loopback host name: a page in
//! a browser whose own name was pointed here gets nothing.

mod answer;
mod body;
mod commands;
mod contract;
mod convergence;
mod errors;
mod explain;
mod fair_semaphore;
mod feeds;
mod flags;
mod hello;
mod history;
mod in_force;
mod keys;
mod metrics;
mod notes;
mod permissions;
mod pieces;
mod problems;
mod readings;
mod revisions;
mod scrapes;
mod state;
mod tokens;
mod view;
mod while_good;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use serde_json::Value as Json;

use self::permissions::{Permission, ProtectedEndpoint, RunsOn};
pub use self::readings::{Readings, Source, Verified};
pub use self::scrapes::Scrapes;
pub use self::state::AdminState;
use super::error::ApiError;
use super::feeds::{STREAM_PATH, STREAMS_PATH};
use super::issuer::{REVOKE_PATH, SESSIONS_PATH};
use super::openapi::{Document, Endpoint, ServedDocument, router};
use super::requests::RequestCounts;
use super::server::{ResponseFuture, Routes, by_router};
use crate::feeds::limits::MAX_PUBLISH_BYTES;

/// The counters of this listener's requests.
pub fn request_counts() -> Arc<RequestCounts> {
    Arc::new(RequestCounts::of("admin", calls().iter().map(|call| call.row().1)))
}

/// Every call, and who may make it.
fn calls() -> Vec<ProtectedEndpoint> {
    use Permission::{Admin, Anyone, Narrow, Own, Read, Write};
    vec![
        ProtectedEndpoint::new(Anyone, Endpoint::get("/healthz", problems::alive, contract::alive)),
        ProtectedEndpoint::new(Anyone, Endpoint::post("/v1/hello", hello::hello, contract::hello)),
        ProtectedEndpoint::new(
            Read,
            Endpoint::get("/openapi.json", problems::openapi, contract::openapi),
        ),
        ProtectedEndpoint::new(
            Read,
            Endpoint::get("/metrics", metrics::metrics, contract::metrics),
        ),
        ProtectedEndpoint::new(
            Read,
            Endpoint::get("/v1/problems", problems::problems, contract::problems_there_are),
        ),
        ProtectedEndpoint::new(Read, Endpoint::get("/v1/status", flags::status, contract::status)),
        ProtectedEndpoint::new(Read, Endpoint::get("/v1/flags/{flag}", flags::one, contract::flag)),
        ProtectedEndpoint::new(
            Read,
            Endpoint::get(
                "/v1/flags/{flag}/convergence",
                convergence::of_flag,
                contract::convergence,
            ),
        ),
        ProtectedEndpoint::new(
            Read,
            Endpoint::get("/v1/convergence", convergence::of_all, contract::convergence_of_all),
        ),
        ProtectedEndpoint::new(
            Read,
            Endpoint::post("/v1/flags/{flag}/explain", explain::explain, contract::explain),
        ),
        ProtectedEndpoint::new(
            Narrow,
            Endpoint::post("/v1/flags/{flag}/set", commands::set, contract::set),
        ),
        ProtectedEndpoint::new(
            Narrow,
            Endpoint::post("/v1/flags/{flag}/unset", commands::unset, contract::unset),
        ),
        ProtectedEndpoint::new(
            Narrow,
            Endpoint::post("/v1/flags/{flag}/stop", commands::stop, contract::stop),
        ),
        ProtectedEndpoint::new(
            Write,
            Endpoint::post("/v1/flags/{flag}/resume", commands::resume, contract::resume),
        ),
        ProtectedEndpoint::new(
            Narrow,
            Endpoint::post("/v1/flags/{flag}/rollback", commands::rollback, contract::rollback),
        ),
        ProtectedEndpoint::new(
            Narrow,
            Endpoint::post("/v1/stop", commands::stop_all, contract::stop_all),
        ),
        ProtectedEndpoint::new(Read, Endpoint::get(STREAM_PATH, feeds::poll, contract::poll))
            .at(RunsOn::Readings(Source::Database)),
        ProtectedEndpoint::new(
            Write,
            Endpoint::post(STREAM_PATH, feeds::publish, contract::publish),
        )
        .with_body(MAX_PUBLISH_BYTES),
        ProtectedEndpoint::new(
            Write,
            Endpoint::delete(STREAM_PATH, feeds::delete, contract::delete_stream),
        ),
        ProtectedEndpoint::new(
            Read,
            Endpoint::get(STREAMS_PATH, feeds::list, contract::list_streams),
        )
        .at(RunsOn::Readings(Source::Database)),
        ProtectedEndpoint::new(
            Read,
            Endpoint::get("/v1/history", history::history, contract::history),
        )
        .at(RunsOn::Readings(Source::Database)),
        // It waits there for the one verification that runs elsewhere.
        ProtectedEndpoint::new(
            Read,
            Endpoint::get("/v1/history/verify", history::verify, contract::verify),
        )
        .at(RunsOn::Listener),
        ProtectedEndpoint::new(Admin, Endpoint::get("/v1/tokens", tokens::list, contract::tokens))
            .at(RunsOn::Readings(Source::Memory)),
        ProtectedEndpoint::new(
            Admin,
            Endpoint::post("/v1/tokens", tokens::create, contract::create_token),
        ),
        ProtectedEndpoint::new(Admin, Endpoint::get("/v1/keys", keys::list, contract::keys))
            .at(RunsOn::Readings(Source::Memory)),
        ProtectedEndpoint::new(
            Admin,
            Endpoint::post("/v1/keys/rotate", keys::rotate, contract::rotate_keys),
        ),
        ProtectedEndpoint::new(
            Admin,
            Endpoint::post("/v1/keys/{id}/revoke", keys::revoke, contract::revoke_key),
        ),
        ProtectedEndpoint::new(
            Write,
            Endpoint::post(SESSIONS_PATH, keys::session, contract::create_session),
        ),
        ProtectedEndpoint::new(
            Write,
            Endpoint::post(REVOKE_PATH, keys::revoke_sessions, contract::revoke_sessions),
        ),
        ProtectedEndpoint::new(
            Own,
            Endpoint::post("/v1/tokens/{id}/revoke", tokens::revoke, contract::revoke_token),
        ),
    ]
}

/// Method, path and permission of every call, for tests that check all of them.
pub fn permissions() -> Vec<(&'static str, &'static str, &'static str)> {
    calls().iter().map(ProtectedEndpoint::row).collect()
}

/// The admin listener's OpenAPI document.
pub fn admin_document() -> Json {
    described().to_json()
}

/// The same document, as the listener serves it.
pub fn admin_contract() -> ServedDocument {
    ServedDocument::of(described)
}

fn described() -> Document {
    let rows: Vec<_> = calls().iter().map(ProtectedEndpoint::row).collect();
    let open = rows
        .into_iter()
        .filter(|(.., takes)| *takes == Permission::Anyone.as_str())
        .map(|(method, path, _)| (method, path));
    let endpoints: Vec<_> = calls().into_iter().map(ProtectedEndpoint::into_described).collect();
    Document::of(contract::TITLE, contract::SAYS, &endpoints).with_credential(
        "token",
        contract::CREDENTIAL,
        open,
    )
}

/// What answers the admin listener's requests.
struct AdminRoutes {
    state: AdminState,
    router: Router,
}

impl Routes for AdminRoutes {
    fn counts(&self) -> &RequestCounts {
        &self.state.requests
    }

    fn answer(&self, request: Request, _peer: IpAddr) -> ResponseFuture {
        by_router(&self.router, request)
    }

    fn refuse_host(&self, _uri: &Uri) -> Response<Body> {
        answer::refuse(&self.state, &ApiError::BadHost)
    }
}

pub fn routes(state: AdminState) -> impl Routes {
    let router = router_of(state.clone());
    AdminRoutes { state, router }
}

fn router_of(state: AdminState) -> Router {
    let calls = router(calls().into_iter().map(ProtectedEndpoint::into_checked).collect())
        .fallback(permissions::no_such_route)
        .method_not_allowed_fallback(permissions::no_such_method)
        .layer(from_fn_with_state(state.clone(), permissions::identify))
        .with_state(state);
    // Around the whole router: what the router adds comes after its own layers.
    Router::new().fallback_service(calls).layer(from_fn(permissions::hide_methods))
}
