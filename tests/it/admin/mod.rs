//! The admin listener: which commands operators may give, who may give them, and what is refused.

mod bad_orders;
mod listener;
mod meanwhile;
mod metrics;
mod narrowing;
mod orders;
mod permissions;
mod rollback;
