//! The public listener. Floor 4: a thin surface that reads a question, asks the snapshot, and writes the answer.

mod answer;
mod contract;
mod error;
mod health;
mod ofrep;
mod openapi;
mod question;
mod server;
mod strategy;

use std::sync::Arc;

use axum::Router;

pub use openapi::public_document;
pub use server::{Server, serve};

use self::contract::{Endpoint, public};
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

/// Every public call, for the router and for the contract.
fn endpoints() -> Vec<Endpoint<Surface>> {
    vec![
        Endpoint::post("/v1/strategy/{flag}", strategy::one, public::strategy_of_one()),
        Endpoint::post("/v1/strategy", strategy::all, public::strategy_of_all()),
        Endpoint::post("/ofrep/v1/evaluate/flags/{key}", ofrep::one, public::ofrep_of_one()),
        Endpoint::post("/ofrep/v1/evaluate/flags", ofrep::all, public::ofrep_of_all()),
        Endpoint::get("/healthz", health::alive, public::alive()),
        Endpoint::get("/readyz", health::ready, public::ready()),
        Endpoint::get("/openapi.json", openapi::public, public::openapi()),
    ]
}

/// Every public route.
pub fn routes(surface: Surface) -> Router {
    contract::router(endpoints())
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .with_state(surface)
}
