//! Both listeners: a thin layer between HTTP and what is live.
//!
//! | room | what is in it |
//! |---|---|
//! | `public/` | what clients ask, and what they are told |
//! | `admin/` | what operators ask and command |
//! | `feeds/` | events that are published and polled |
//! | `issuer/` | sessions and tokens of our own |
//! | `realtime/` | streams of events
//! | `sse/` | event streams |
//! | `server/` | connections: who gets in, who is closed, time and memory limits |
//! | `openapi/` | the table of calls, from which router and document are made |
//!
//! What stands beside the rooms is shared by them.

mod admin;
mod bad_request;
mod bearer;
mod client_mistakes;
mod error;
mod feeds;
mod flag_path;
mod headers;
mod incoming_bodies;
mod issuer;
mod openapi;
mod other_listener;
mod proxies;
mod public;
mod rate_limit;
mod realtime;
mod request_body;
mod requests;
mod server;
mod sse;
mod state;

pub use admin::{
    AdminState, Readings, Scrapes, Source, Verified, admin_contract, admin_document, permissions,
    request_counts, routes as admin_routes,
};
pub use proxies::Proxies;
pub use public::{PublicService, public_document, routes};
pub use request_body::MAX_BODY_BYTES;
pub use server::{
    Limits, ListenerMemory, LocalServer, MAX_HEAD_BYTES, Routes, Server, bind, serve, serve_local,
};
pub use sse::StreamLimits;
pub use state::PublicState;
