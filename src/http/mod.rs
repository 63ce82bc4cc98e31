//! The public listener. Floor 4: a thin surface that reads a question, asks the snapshot, and writes the answer.

mod answer;
mod error;
mod health;
mod ofrep;
mod question;
mod server;
mod strategy;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub use server::{Limits, MAX_HEAD_BYTES, Server, bind, serve};

use crate::control::{Contact, Corridor, Problems};
use crate::live::Live;

/// The most bytes a request's body may have.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// What handlers need.
#[derive(Clone, Debug)]
pub struct Surface {
    live: Arc<Live>,
    problems: Arc<Problems>,
    contact: Arc<Contact>,
}

impl Surface {
    pub fn of(corridor: &Corridor) -> Surface {
        Surface { live: corridor.live().clone(), problems: corridor.problems().clone(), contact: corridor.contact().clone() }
    }
}

/// Every public route.
pub fn routes(surface: Surface) -> Router {
    Router::new()
        .route("/v1/strategy/{flag}", post(strategy::one))
        .route("/v1/strategy", post(strategy::all))
        .route("/ofrep/v1/evaluate/flags/{key}", post(ofrep::one))
        .route("/ofrep/v1/evaluate/flags", post(ofrep::all))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .with_state(surface)
}
