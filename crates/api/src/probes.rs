//! Whether the service runs, and whether it knows what to answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words::words;

words! {
    /// It runs.
    pub enum Alive {
        Ok = "ok",
    }
}

/// The process answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    pub status: Alive,
}

words! {
    /// Whether any flag is known.
    pub enum Ready {
        Ready = "ready",
        ColdStart = "cold-start",
    }
}

/// What the service answers from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    pub status: Ready,
    pub revision: String,
    /// Flags known.
    pub flags: usize,
    /// What is wrong with the files; never makes it unready.
    pub problems: usize,
}
