//! Both OpenAPI documents promise what is served, and nothing else is served; what the public listener answers is recorded.

mod admin;
mod public;
mod recorded;
