//! The public listener. Floor 4: a thin layer that reads a question, evaluates the snapshot, and
//! writes the response.

mod admin;
mod all_flags;
mod auth;
mod cors;
mod error;
mod fast_path;
mod health;
mod incoming_bodies;
mod json;
mod kept_context;
mod ofrep;
mod openapi;
mod openapi_model;
mod proxies;
mod request;
mod requests;
mod response;
mod server;
mod sse;
mod strategy;

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

pub use admin::{
    AdminState, Readings, Scrapes, Source, Verified, admin_document, permissions, request_counts,
    routes as admin_routes,
};
pub use fast_path::PublicService;
pub use openapi::public_document;
pub use proxies::Proxies;
pub use server::{
    Limits, ListenerMemory, LocalServer, MAX_HEAD_BYTES, Routes, Server, bind, serve, serve_local,
};

pub use sse::StreamLimits;

use self::all_flags::Turns;
use self::cors::Origins;
use self::incoming_bodies::IncomingBody;
use self::openapi_model::{Endpoint, public};
use self::requests::RequestCounts;
use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::control::{Coordinator, Problems, Staleness};
use crate::live::Live;
use crate::public_path::PublicPath;
use sse::Hub;

/// The most bytes a request's body may have.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// What handlers need. The router clones it a few times per request, and all cores count the clones
/// at the same memory address: so it is one reference, not one to each part.
#[derive(Clone, Debug)]
pub struct PublicState(Arc<Parts>);

/// The parts of the public listener's state.
#[derive(Debug)]
pub struct Parts {
    live: Arc<Live>,
    problems: Arc<Problems>,
    staleness: Arc<Staleness>,
    requests: RequestCounts,
    authenticator: Arc<Authenticator>,
    hub: Arc<Hub>,
    /// The clock that credentials are judged by.
    clock: Clock,
    /// The path below which a proxy serves this listener.
    public_path: PublicPath,
    /// The `eventStreams` member that ends OFREP's bulk response.
    event_streams: Bytes,
    /// The OpenAPI document and its tag.
    contract: OnceLock<(Bytes, Bytes)>,
    turns: Turns,
    proxies: Proxies,
    incoming_questions: IncomingBody,
    /// On the admin listener; strangers send nothing there.
    incoming_commands: IncomingBody,
}

impl PublicState {
    /// Builds the state. It lets in only callers that the authenticator accepts, and trusts these
    /// proxies. Its streams run on the runtime that calls this.
    pub fn of(
        coordinator: &Coordinator,
        streams: StreamLimits,
        authenticator: Authenticator,
        proxies: Proxies,
    ) -> PublicState {
        let authenticator = Arc::new(authenticator);
        let public_path = coordinator.live().current().public_path().clone();
        PublicState(Arc::new(Parts {
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
            event_streams: ofrep::event_streams(&public_path).into(),
            clock: coordinator.clock().clone(),
            public_path,
            contract: OnceLock::new(),
            turns: Turns::default(),
            proxies,
            incoming_questions: IncomingBody::default(),
            incoming_commands: IncomingBody::default(),
        }))
    }
}

impl Deref for PublicState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Every public call, for the router and for the OpenAPI document, the most frequent first.
fn endpoints() -> Vec<Endpoint<PublicState>> {
    vec![
        Endpoint::post(strategy::ONE_PATH, strategy::one, public::strategy_of_one()),
        Endpoint::get(strategy::ONE_PATH, strategy::get_own, public::strategy_of_mine()),
        Endpoint::post("/v1/strategy", strategy::all, public::strategy_of_all()),
        Endpoint::post("/v1/strategy/{flag}/watch", sse::one, public::watch_one()),
        Endpoint::get("/v1/strategy/{flag}/watch", sse::watch_own, public::watch_mine()),
        Endpoint::post("/v1/watch", sse::all, public::watch_all()),
        Endpoint::get("/v1/watch", sse::all_mine, public::watch_all_mine()),
        Endpoint::post("/v1/watch/ack", sse::acknowledge, public::acknowledge()),
        Endpoint::get(sse::CHANGES_PATH, sse::changes, public::changes()),
        Endpoint::post("/ofrep/v1/evaluate/flags/{key}", ofrep::one, public::ofrep_of_one()),
        Endpoint::post("/ofrep/v1/evaluate/flags", ofrep::all, public::ofrep_of_all()),
        Endpoint::get("/healthz", health::alive, public::alive()),
        Endpoint::get("/readyz", health::ready, public::ready()),
        Endpoint::get("/openapi.json", openapi::public, public::openapi()),
    ]
}

/// Every public route, open to pages of these origins.
pub fn routes<O: AsRef<str>>(state: PublicState, origins: &[O]) -> PublicService {
    let router = openapi_model::router(endpoints())
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .with_state(state.clone());
    PublicService::of(router, state, Origins::new(origins))
}
