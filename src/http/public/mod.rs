//! The public listener: what clients ask, and what they are told. Floor 4: a thin layer that reads a
//! question, evaluates the snapshot, and writes the response.

mod all_flags;
mod auth;
mod caller;
mod context_json;
mod contract;
mod cors;
mod error_attribute;
mod error_response;
mod evaluation_request;
mod fast_path;
pub mod feed_contract;
mod health;
pub mod issuer_contract;
mod kept_context;
mod ofrep;
mod openapi;
mod report;
mod response;
mod strategy;

use std::sync::Arc;

use serde_json::Value as Json;

pub use all_flags::{ConcurrencyLimit, Every, Windows};
pub use auth::{caller, caller_with_body, own_user, server, user, with_body};
pub use caller::Caller;
pub use evaluation_request::EvaluationRequest;
pub use fast_path::PublicService;
pub use kept_context::KeptContext;
pub use response::{ResponseBuilder, if_none_match};

use self::cors::Origins;
use super::client_mistakes::ClientMistakes;
use super::feeds::{self, HeldPolls};
use super::incoming_bodies::IncomingBody;
use super::issuer;
use super::openapi::{Document, Endpoint, ServedDocument, router};
use super::proxies::Proxies;
use super::realtime;
use super::requests::RequestCounts;
use super::sse::{self, Hub, StreamLimits};
use super::state::{Parts, PublicState};
use crate::auth::Authenticator;
use crate::control::Coordinator;
use crate::feeds::Feeds;
use crate::public_path::PublicPath;
use crate::quota::Quota;
use crate::reports::Reports;

impl PublicState {
    /// Builds the state. It lets in only callers that the authenticator accepts, and trusts these
    /// proxies. Its streams run on the runtime that calls this.
    pub fn of(
        coordinator: &Coordinator,
        streams: StreamLimits,
        authenticator: Authenticator,
        proxies: Proxies,
        feeds: Feeds,
    ) -> PublicState {
        let authenticator = Arc::new(authenticator);
        let public_path = coordinator.live().current().public_path().clone();
        PublicState::new(Parts {
            live: coordinator.live().clone(),
            problems: coordinator.problems().clone(),
            staleness: coordinator.staleness().clone(),
            requests: RequestCounts::of(
                "public",
                endpoints().iter().map(|endpoint| endpoint.address().1),
            ),
            hub: Hub::start(
                coordinator.live().clone(),
                streams,
                authenticator.clone(),
                coordinator.clock().clone(),
            ),
            authenticator,
            client_mistakes: ClientMistakes::default(),
            feeds,
            held_polls: HeldPolls::of(streams.streams),
            reports: Reports::default(),
            quota: Quota::default(),
            revoker: coordinator.session_revoker(),
            event_streams: ofrep::event_streams(&public_path).into(),
            clock: coordinator.clock().clone(),
            public_path: public_path.clone(),
            contract: ServedDocument::of(move || document_at(&public_path)),
            all_flags_limit: ConcurrencyLimit::default(),
            proxies,
            incoming_questions: IncomingBody::default(),
            incoming_commands: IncomingBody::default(),
        })
    }
}

/// Every public call, for the router and for the OpenAPI document, the most frequent first.
fn endpoints() -> Vec<Endpoint<PublicState>> {
    vec![
        Endpoint::post(strategy::ONE_PATH, strategy::one, contract::strategy_of_one),
        Endpoint::get(strategy::ONE_PATH, strategy::get_own, contract::strategy_of_mine),
        Endpoint::get(feeds::STREAM_PATH, feeds::poll, feed_contract::poll),
        Endpoint::post(feeds::STREAM_PATH, feeds::publish, feed_contract::publish),
        Endpoint::delete(feeds::STREAM_PATH, feeds::delete, feed_contract::delete_stream),
        Endpoint::get(feeds::STREAMS_PATH, feeds::list, feed_contract::list_streams),
        Endpoint::post("/v1/strategy", strategy::all, contract::strategy_of_all),
        Endpoint::post("/v1/strategy/{flag}/watch", sse::one, contract::watch_one),
        Endpoint::get("/v1/strategy/{flag}/watch", sse::watch_own, contract::watch_mine),
        Endpoint::post("/v1/watch", sse::all, contract::watch_all),
        Endpoint::get("/v1/watch", sse::all_mine, contract::watch_all_mine),
        Endpoint::post(issuer::SESSIONS_PATH, issuer::create, issuer_contract::create_session),
        Endpoint::post(issuer::REVOKE_PATH, issuer::revoke, issuer_contract::revoke_sessions),
        Endpoint::post(issuer::TOKEN_PATH, issuer::token, issuer_contract::token),
        Endpoint::get(realtime::REALTIME_PATH, realtime::open, issuer_contract::realtime),
        Endpoint::get(issuer::JWKS_PATH, issuer::jwks, issuer_contract::jwks),
        Endpoint::post("/v1/watch/ack", sse::acknowledge, contract::acknowledge),
        Endpoint::post(report::PATH, report::report, contract::report),
        Endpoint::get(sse::CHANGES_PATH, sse::changes, contract::changes),
        Endpoint::post(ofrep::ONE_PATH, ofrep::one, contract::ofrep_of_one),
        Endpoint::post("/ofrep/v1/evaluate/flags", ofrep::all, contract::ofrep_of_all),
        Endpoint::get("/healthz", health::alive, contract::alive),
        Endpoint::get("/readyz", health::ready, contract::ready),
        Endpoint::get("/openapi.json", openapi::public, contract::openapi),
    ]
}

/// The public listener's OpenAPI document, as it is served at the root.
pub fn public_document() -> Json {
    document_at(&PublicPath::default()).to_json()
}

/// The same document where a proxy serves the listener below a path.
fn document_at(public_path: &PublicPath) -> Document {
    Document::of(contract::TITLE, contract::SAYS, &endpoints()).below(public_path.to_string())
}

/// Every public route, open to pages of these origins.
pub fn routes<O: AsRef<str>>(state: PublicState, origins: &[O]) -> PublicService {
    let router = router(endpoints())
        .fallback(error_response::no_such_route)
        .method_not_allowed_fallback(error_response::no_such_method)
        .with_state(state.clone());
    PublicService::of(router, state, Origins::new(origins))
}
