//! The admin listener: what operators order, who may, and what is refused.

mod bad_orders;
mod listener;
mod meanwhile;
mod metrics;
mod narrowing;
mod orders;
mod permissions;
mod rollback;
