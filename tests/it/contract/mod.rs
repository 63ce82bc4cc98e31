//! Both OpenAPI documents promise what is served, and nothing else is served.

mod admin;
mod public;
