//! The messages of the admin listener. A member that may be missing is `null`, never left out,
//! unless its own words say otherwise.

pub mod commands;
pub mod convergence;
pub mod explain;
pub mod flags;
pub mod hello;
pub mod history;
pub mod keys;
pub mod problems;
pub mod tokens;
