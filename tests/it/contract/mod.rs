//! Both OpenAPI documents describe what is served, and nothing else is served. The responses of the
//! public listener are recorded.

mod admin;
mod feeds;
mod numbers;
mod public;
mod recorded;
mod session_revocations;
mod sessions;
