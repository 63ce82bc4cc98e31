//! The calls of a listener in one table, from which its router and its OpenAPI document are both
//! made.
//!
//! An [`Endpoint`] cannot be made without the function that describes it, so the document lacks no
//! route. That function runs when the document is asked for: the schemas of all messages are
//! megabytes, which a router does not need. An operation names the types of its messages, and their schemas are derived from
//! those types (`schema`); the statuses of errors come from `ApiError`'s own table (`refusals`).

mod document;
mod headers;
mod operation;
mod refusals;
mod schema;
mod served;
mod summaries;

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::IntoResponse;
use axum::routing::{self, MethodRouter, Route};
use tower_layer::Layer;
use tower_service::Service;

pub use document::{Document, SecurityScheme};
pub use operation::{Operation, Parameter, RequestBody, ResponseSpec, Source};
pub use refusals::{ALWAYS, failures, of_refusals, problems};
pub use schema::{MessageSchema, any_object, integer_from, key, line, text};
pub use served::ServedDocument;

/// A call: its address, its handler, and what makes its description.
pub struct Endpoint<S> {
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<S>,
    describe: fn() -> Operation,
}

impl<S: Clone + Send + Sync + 'static> Endpoint<S> {
    pub fn get<T: 'static>(
        path: &'static str,
        handler: impl Handler<T, S>,
        describe: fn() -> Operation,
    ) -> Endpoint<S> {
        Endpoint { method: "get", path, handler: routing::get(handler), describe }
    }

    pub fn delete<T: 'static>(
        path: &'static str,
        handler: impl Handler<T, S>,
        describe: fn() -> Operation,
    ) -> Endpoint<S> {
        Endpoint { method: "delete", path, handler: routing::delete(handler), describe }
    }

    pub fn post<T: 'static>(
        path: &'static str,
        handler: impl Handler<T, S>,
        describe: fn() -> Operation,
    ) -> Endpoint<S> {
        Endpoint { method: "post", path, handler: routing::post(handler), describe }
    }
}

impl<S> Endpoint<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// Its method and path.
    pub fn address(&self) -> (&'static str, &'static str) {
        (self.method, self.path)
    }

    /// The same call behind a layer that every request passes first.
    pub fn with_layer<L>(self, layer: L) -> Endpoint<S>
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        Endpoint { handler: self.handler.layer(layer), ..self }
    }
}

/// The router of a table. Two methods of one path may stand in two rows.
pub fn router<S: Clone + Send + Sync + 'static>(endpoints: Vec<Endpoint<S>>) -> Router<S> {
    endpoints
        .into_iter()
        .fold(Router::new(), |router, endpoint| router.route(endpoint.path, endpoint.handler))
}
