//! The calls of a listener in one table, from which its router and its OpenAPI document are both
//! made.
//!
//! An [`Endpoint`] cannot be made without the [`Operation`] that describes it, so the document
//! lacks no route. What the public listener promises for each call stands in `public`, the schemas
//! in `schemas`; the statuses of errors come from [`ApiError`]'s own table.

mod derived;
mod feed_schemas;
pub mod schemas;

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::IntoResponse;
use axum::routing::{self, MethodRouter, Route};
use serde_json::{Map, Value as Json, json};
use tower_layer::Layer;
use tower_service::Service;

use super::error::ApiError;

pub use schemas::schema_ref;
use schemas::schemas;

/// A call: its address, its handler, and its description.
pub struct Endpoint<S> {
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<S>,
    operation: Operation,
}

impl<S: Clone + Send + Sync + 'static> Endpoint<S> {
    pub fn get<T: 'static>(
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Endpoint<S> {
        Endpoint { method: "get", path, handler: routing::get(handler), operation }
    }

    pub fn delete<T: 'static>(
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Endpoint<S> {
        Endpoint { method: "delete", path, handler: routing::delete(handler), operation }
    }

    pub fn post<T: 'static>(
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Endpoint<S> {
        Endpoint { method: "post", path, handler: routing::post(handler), operation }
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

/// The OpenAPI document of a table, with the listener's own schemas besides the shared ones.
pub fn document<S>(title: &str, says: &str, endpoints: &[Endpoint<S>], own_shapes: Json) -> Json {
    let mut paths = Map::new();
    for Endpoint { method, path, operation, .. } in endpoints {
        let methods = paths.entry(*path).or_insert_with(|| json!({}));
        methods[*method] = operation.json();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": says,
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/", "description": "This listener." }],
        "components": { "schemas": needed(&Json::from(paths.clone()), [schemas(), feed_schemas::of_polls(), feed_schemas::of_realtime(), feed_schemas::of_publishers(), derived::derived(), own_shapes]) },
        "paths": paths,
    })
}

/// The schemas a document refers to, and those they refer to: each listener shows only its own.
fn needed<const KINDS: usize>(document: &Json, schemas: [Json; KINDS]) -> Map<String, Json> {
    let mut others = Map::new();
    for schemas in schemas {
        if let Json::Object(schemas) = schemas {
            others.extend(schemas);
        }
    }
    let mut needed = Map::new();
    let mut text = document.to_string();
    loop {
        let is_named = |name: &String| text.contains(&format!("#/components/schemas/{name}\""));
        let Some(name) = others.keys().find(|name| is_named(name)).cloned() else { return needed };
        if let Some(schema) = others.shift_remove(&name) {
            text.push_str(&schema.to_string());
            needed.insert(name, schema);
        }
    }
}

/// What is promised of a call.
pub struct Operation {
    /// A name for generated clients.
    pub id: &'static str,
    pub summary: &'static str,
    pub says: &'static str,
    pub parameters: Vec<Json>,
    pub takes: RequestBody,
    pub answers: Vec<ResponseSpec>,
}

/// The JSON body of a call, by its schema.
pub enum RequestBody {
    Nothing,
    Body(Json),
    /// The body may be left out; that counts as an empty one.
    PerhapsBody(Json),
}

/// The responses of one status.
pub struct ResponseSpec {
    pub status: u16,
    pub says: String,
    /// The header names, and whether each is always present.
    pub headers: Vec<(&'static str, bool)>,
    /// The media type and schema.
    pub content: Option<(&'static str, Json)>,
}

impl Operation {
    /// The same operation with a body.
    pub fn taking(self, schema: Json) -> Operation {
        Operation { takes: RequestBody::Body(schema), ..self }
    }

    fn json(&self) -> Json {
        let responses: Map<String, Json> = self
            .answers
            .iter()
            .map(|answers| (answers.status.to_string(), answers.json()))
            .collect();
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "description": self.says,
            "responses": responses,
        });
        if !self.parameters.is_empty() {
            operation["parameters"] = json!(self.parameters);
        }
        if let RequestBody::Body(schema) | RequestBody::PerhapsBody(schema) = &self.takes {
            let required = matches!(self.takes, RequestBody::Body(_));
            operation["requestBody"] = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        }
        operation
    }
}

impl ResponseSpec {
    fn json(&self) -> Json {
        let header = |(name, always): &(&str, bool)| {
            let (says, schema) = schemas::header(name);
            (
                (*name).to_owned(),
                json!({ "description": says, "required": always, "schema": schema }),
            )
        };
        let mut answers = json!({
            "description": self.says,
            "headers": self.headers.iter().map(header).collect::<Map<_, _>>(),
        });
        if let Some((media_type, schema)) = &self.content {
            answers["content"] = json!({ *media_type: { "schema": schema } });
        }
        answers
    }
}

/// The responses of these refusals as problem details, one for each status.
pub fn problems(refusals: &[ApiError]) -> Vec<ResponseSpec> {
    by_status(refusals, "application/problem+json", |of_status| {
        let codes: Vec<&str> =
            of_status.iter().map(|refusal| refusal.status_and_code().1.as_str()).collect();
        let status = of_status.first().map(|refusal| refusal.status_and_code().0.as_u16());
        let has_cursor = |refusal: &&&ApiError| {
            matches!(refusal, ApiError::StreamReset(_) | ApiError::CursorExpired(_))
        };
        let problem = schema_ref(match status {
            _ if of_status.iter().any(|refusal| has_cursor(&refusal)) => "CursorProblem",
            // One of these says what was changed meanwhile.
            Some(409)
                if of_status.iter().any(|refusal| matches!(refusal, ApiError::Order { .. })) =>
            {
                "Conflict"
            }
            _ => "Problem",
        });
        json!({ "allOf": [problem, { "properties": { "status": { "const": status }, "code": { "enum": distinct(codes) } } }] })
    })
}

/// The responses of these refusals on the admin listener.
pub fn of_refusals(refusals: &[ApiError]) -> Vec<ResponseSpec> {
    let mut answers = problems(refusals);
    answers
        .iter_mut()
        .for_each(|answers| answers.headers.retain(|(name, _)| *name != "Turnout-Stale"));
    answers
}

/// The responses of these refusals in OFREP's shape: a failure of one flag, or of the whole
/// request.
pub fn failures(refusals: &[ApiError], of_one_flag: bool) -> Vec<ResponseSpec> {
    by_status(refusals, "application/json", |of_status| {
        let codes: Vec<&str> =
            of_status.iter().map(|refusal| refusal.ofrep_code().as_str()).collect();
        // A response to an unsupported method cannot name the flag: the path was not read.
        let named = of_one_flag && !of_status.contains(&&ApiError::NoSuchMethod);
        let failure = schema_ref(if named { "OfrepFailure" } else { "OfrepRequestFailure" });
        json!({ "allOf": [failure, { "properties": { "errorCode": { "enum": distinct(codes) } } }] })
    })
}

fn by_status(
    refusals: &[ApiError],
    media_type: &'static str,
    schema: impl Fn(&[&ApiError]) -> Json,
) -> Vec<ResponseSpec> {
    let mut statuses: Vec<u16> =
        refusals.iter().map(|refusal| refusal.status_and_code().0.as_u16()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let answers = |status: u16| {
        let of_status: Vec<&ApiError> = refusals
            .iter()
            .filter(|refusal| refusal.status_and_code().0.as_u16() == status)
            .collect();
        let words: Vec<String> =
            of_status.iter().map(|refusal| refusal.summary().to_owned()).collect();
        let mut headers = ALWAYS.to_vec();
        headers.extend((status == 401).then_some(("WWW-Authenticate", true)));
        headers.extend((status == 405).then_some(("Allow", true)));
        let comes_back = of_status.iter().any(|refusal| {
            matches!(
                refusal,
                ApiError::TooManyStreams { .. }
                    | ApiError::Busy
                    | ApiError::EventsUnavailable
                    | ApiError::QuotaExceeded(_)
            )
        });
        headers.extend(comes_back.then_some(("Retry-After", false)));
        ResponseSpec {
            status,
            says: sentence(&words.join("; or ")),
            headers,
            content: Some((media_type, schema(&of_status))),
        }
    };
    statuses.into_iter().map(answers).collect()
}

/// The headers of every response.
pub const ALWAYS: [(&str, bool); 2] = [("Turnout-Revision", true), ("Turnout-Stale", true)];

fn distinct(mut words: Vec<&str>) -> Vec<&str> {
    words.sort_unstable();
    words.dedup();
    words
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
