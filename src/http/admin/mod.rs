//! The admin listener: what operators ask and order. Floor 4.
//!
//! Every call stands in one table with the permission it takes; a call without one cannot be written down. On loopback it answers only to
//! somebody who asked for a loopback name: a page in a browser that had its own name pointed here gets nothing.

mod answer;
mod contract;
mod convergence;
mod explain;
mod flags;
mod guard;
mod hello;
mod history;
mod in_force;
mod members;
mod metrics;
mod orders;
mod pieces;
mod problems;
mod readings;
mod rejected;
mod shapes;
mod tokens;
mod turns;
mod view;
mod while_good;

use std::net::{IpAddr, SocketAddr};
use std::panic::resume_unwind;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use serde_json::{Value as Json, json};
use tokio::runtime::Handle;

use self::guard::{Guarded, Permission, Place};
pub use self::metrics::Scrapes;
pub use self::readings::{Readings, Source, Verified};
use super::Surface;
use super::contract::{Endpoint, document, router};
use super::error::Refusal;
use super::requests::RequestCounts;
use super::server::{Answering, Held, Routes, by_router};
use crate::control::Coordinator;
use crate::token::Operators;
use crate::watch::Mode;
use crate::webhook::Deliveries;

/// What the admin listener tells of, and acts on.
#[derive(Clone, Debug)]
pub struct AdminSurface {
    pub public: Surface,
    pub coordinator: Coordinator,
    /// Where orders are carried out: nothing else runs there.
    pub orders: Handle,
    pub readings: Arc<Readings>,
    pub operators: Operators,
    pub watch: Mode,
    /// What a webhook came to, if there is one.
    pub deliveries: Option<Arc<Deliveries>>,
    /// The flags folder, as it was named.
    pub flags: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether only this machine can reach it.
    pub on_loopback: bool,
    /// What clients make the public listener hold.
    pub held: Held,
    /// What this listener was asked.
    pub requests: Arc<RequestCounts>,
    pub scrapes: Arc<Scrapes>,
}

impl AdminSurface {
    /// Has something done on the thread of orders, to its end even if its caller hangs up; `None` if the service ends before that.
    async fn order<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        match self.orders.spawn(work).await {
            Ok(done) => Some(done),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}

/// The counters of this listener's requests.
pub fn request_counts() -> Arc<RequestCounts> {
    Arc::new(RequestCounts::of("admin", calls().iter().map(|call| call.row().1)))
}

/// Every call, and who may make it.
fn calls() -> Vec<Guarded> {
    use Permission::{Administer, Anyone, Change, Look, Narrow, Own};
    vec![
        Guarded::new(Anyone, Endpoint::get("/healthz", problems::alive, contract::alive())),
        Guarded::new(Anyone, Endpoint::post("/v1/hello", hello::hello, contract::hello())),
        Guarded::new(Look, Endpoint::get("/openapi.json", problems::openapi, contract::openapi())),
        Guarded::new(Look, Endpoint::get("/metrics", metrics::metrics, contract::metrics())),
        Guarded::new(Look, Endpoint::get("/v1/problems", problems::problems, contract::problems_there_are())),
        Guarded::new(Look, Endpoint::get("/v1/status", flags::status, contract::status())),
        Guarded::new(Look, Endpoint::get("/v1/flags/{flag}", flags::one, contract::flag())),
        Guarded::new(Look, Endpoint::get("/v1/flags/{flag}/convergence", convergence::of_flag, contract::convergence())),
        Guarded::new(Look, Endpoint::get("/v1/convergence", convergence::of_all, contract::convergence_of_all())),
        Guarded::new(Look, Endpoint::post("/v1/flags/{flag}/explain", explain::explain, contract::explain())),
        Guarded::new(Narrow, Endpoint::post("/v1/flags/{flag}/set", orders::set, contract::set())),
        Guarded::new(Narrow, Endpoint::post("/v1/flags/{flag}/unset", orders::unset, contract::unset())),
        Guarded::new(Narrow, Endpoint::post("/v1/flags/{flag}/stop", orders::stop, contract::stop())),
        Guarded::new(Change, Endpoint::post("/v1/flags/{flag}/resume", orders::resume, contract::resume())),
        Guarded::new(Narrow, Endpoint::post("/v1/flags/{flag}/rollback", orders::rollback, contract::rollback())),
        Guarded::new(Narrow, Endpoint::post("/v1/stop", orders::stop_all, contract::stop_all())),
        Guarded::new(Look, Endpoint::get("/v1/history", history::history, contract::history()))
            .at(Place::Readings(Source::Database)),
        // It waits there for the one verification that runs elsewhere.
        Guarded::new(Look, Endpoint::get("/v1/history/verify", history::verify, contract::verify())).at(Place::Listener),
        Guarded::new(Administer, Endpoint::get("/v1/tokens", tokens::list, contract::tokens()))
            .at(Place::Readings(Source::Memory)),
        Guarded::new(Administer, Endpoint::post("/v1/tokens", tokens::create, contract::create_token())),
        Guarded::new(Own, Endpoint::post("/v1/tokens/{id}/revoke", tokens::revoke, contract::revoke_token())),
    ]
}

/// Method, path and permission of every call, for whoever checks them all.
pub fn permissions() -> Vec<(&'static str, &'static str, &'static str)> {
    calls().iter().map(Guarded::row).collect()
}

/// The admin listener's OpenAPI document.
pub fn admin_document() -> Json {
    let open: Vec<_> = calls().iter().map(Guarded::row).filter(|(.., takes)| *takes == Permission::Anyone.as_str()).collect();
    let endpoints: Vec<_> = calls().into_iter().map(Guarded::into_described).collect();
    let mut document = document(contract::TITLE, contract::SAYS, &endpoints, shapes::shapes());
    document["components"]["securitySchemes"] = contract::credentials();
    document["security"] = json!([{ "token": [] }]);
    for (method, path, _) in open {
        document["paths"][path][method]["security"] = json!([]);
    }
    document
}

/// What answers the admin listener's requests.
struct AdminRoutes {
    surface: AdminSurface,
    router: Router,
}

impl Routes for AdminRoutes {
    fn counts(&self) -> &RequestCounts {
        &self.surface.requests
    }

    fn answer(&self, request: Request, _peer: IpAddr) -> Answering {
        by_router(&self.router, request)
    }

    fn refuse_host(&self, _uri: &Uri) -> Response<Body> {
        answer::refuse(&self.surface, &Refusal::BadHost)
    }
}

pub fn routes(surface: AdminSurface) -> impl Routes {
    let router = router_of(surface.clone());
    AdminRoutes { surface, router }
}

fn router_of(surface: AdminSurface) -> Router {
    let calls = router(calls().into_iter().map(Guarded::into_checked).collect())
        .fallback(guard::no_such_route)
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(from_fn_with_state(surface.clone(), guard::identify))
        .with_state(surface);
    // Around the whole of it: what its router adds comes after its layers.
    Router::new().fallback_service(calls).layer(from_fn(guard::hide_methods))
}
