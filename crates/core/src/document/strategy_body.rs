//! The strategy document.

use std::time::Duration;

use serde::Serialize;

use crate::flag::{Polling, Realtime, Resolution, Strategy, Transports};
use crate::public_path::PublicPath;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StrategyDocument<'a> {
    pub flag: &'a str,
    strategy: &'static str,
    reason: &'static str,
    rule: &'static str,
    valid_for_ms: u64,
    stale_if_error_ms: u64,
    enter_spread_ms: u64,
    watch: WatchDocument,
    polling: PollingDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    realtime: Option<RealtimeDocument>,
}

/// Where a client learns that this document changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WatchDocument {
    kind: &'static str,
    url: String,
    ack_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PollingDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    start_ms: u64,
    min_ms: u64,
    max_ms: u64,
    factor: f64,
    dedupe_ms: u64,
    limit: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RealtimeDocument {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    token_ttl_ms: u64,
    retry_ms: Vec<u64>,
}

impl<'a> StrategyDocument<'a> {
    pub fn new(
        flag: &'a str,
        transports: &Transports,
        public_path: &PublicPath,
        resolution: Resolution,
    ) -> StrategyDocument<'a> {
        let Transports { validity, polling, realtime } = transports;
        StrategyDocument {
            flag,
            strategy: resolution.strategy.as_str(),
            reason: resolution.reason.as_str(),
            rule: resolution.step.as_str(),
            valid_for_ms: ms(validity.valid_for),
            stale_if_error_ms: ms(validity.stale_if_error),
            enter_spread_ms: ms(validity.enter_spread),
            watch: WatchDocument {
                kind: "sse",
                url: public_path.address(&format!("/v1/strategy/{flag}/watch")).to_string(),
                ack_url: public_path.address("/v1/watch/ack").to_string(),
            },
            polling: PollingDocument::new(polling, public_path),
            realtime: (resolution.strategy == Strategy::RealtimeV2)
                .then(|| RealtimeDocument::new(realtime, public_path)),
        }
    }
}

impl PollingDocument {
    fn new(polling: &Polling, public_path: &PublicPath) -> PollingDocument {
        PollingDocument {
            url: polling.url.as_ref().map(|url| public_path.address_of_file(url).to_string()),
            start_ms: ms(polling.start),
            min_ms: ms(polling.min),
            max_ms: ms(polling.max),
            factor: f64::from(polling.factor_thousandths) / 1000.0,
            dedupe_ms: ms(polling.dedupe),
            limit: polling.limit,
        }
    }
}

impl RealtimeDocument {
    fn new(realtime: &Realtime, public_path: &PublicPath) -> RealtimeDocument {
        RealtimeDocument {
            kind: realtime.kind.as_str(),
            url: realtime.url.as_ref().map(|url| public_path.address_of_file(url).to_string()),
            token_ttl_ms: ms(realtime.token_ttl),
            retry_ms: realtime.retry.iter().copied().map(ms).collect(),
        }
    }
}

/// Whole milliseconds; every duration of a definition fits.
fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
