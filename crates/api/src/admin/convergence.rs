//! How far a change has landed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// Open streams by what they prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamCounts {
    /// Streams that follow it.
    pub open: usize,
    /// Their client acknowledged what it was sent.
    pub confirmed: usize,
    /// Their client's document did not change, and it answered the last heartbeat.
    pub not_needed: usize,
    /// Written to, and their client has never acknowledged anything.
    pub told: usize,
    /// None of these.
    pub missing: usize,
    /// Realtime streams that the server closed, as their users' strategy is another now.
    pub ended: usize,
}

/// How long after a change so many of a hundred open streams were confirmed or not needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Percentiles {
    #[schema(required)]
    pub p50_ms: Option<u64>,
    #[schema(required)]
    pub p90_ms: Option<u64>,
    #[schema(required)]
    pub p99_ms: Option<u64>,
}

/// Users who ask without a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pollers {
    /// Users who asked lately without a stream; an estimate.
    pub seen: usize,
    /// How many of them asked since.
    pub asked_since: usize,
}

/// How far the newest change of a flag has landed, or of all flags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Convergence {
    #[schema(required)]
    pub flag: Option<String>,
    #[schema(schema_with = schema::position)]
    pub position: String,
    /// When what is live went live; `null` if it was at the start.
    #[schema(required)]
    pub live_at_ms: Option<i64>,
    pub streams: StreamCounts,
    pub reached: Percentiles,
    #[schema(required)]
    pub missing_since_ms: Option<i64>,
    pub pollers: Pollers,
}
