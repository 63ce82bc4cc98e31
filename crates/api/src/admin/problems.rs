//! What is wrong at the moment, and the fix.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::words::words;

words! {
    /// How changes of the flags folder are noticed.
    pub enum WatchMode {
        /// The system says so.
        Events = "events",
        /// The folder is read every few seconds.
        Polling = "polling",
    }
}

/// What is wrong with one file, or with something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StandingProblem {
    /// Stable; go by this.
    pub code: String,
    #[schema(required)]
    pub file: Option<String>,
    #[schema(required)]
    pub line: Option<u32>,
    #[schema(required)]
    pub column: Option<u32>,
    #[schema(required)]
    pub subject: Option<String>,
    pub message: String,
    #[schema(required)]
    pub hint: Option<String>,
    /// Since when, in milliseconds since 1970; it ends by itself when all is well.
    pub since_ms: i64,
}

/// What is wrong at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problems {
    /// The flags folder, as it was named.
    pub flags: String,
    pub watch: WatchMode,
    #[schema(schema_with = schema::position)]
    pub position: String,
    pub problems: Vec<StandingProblem>,
}
