//! The strategy document.

use std::time::Duration;

use turnout_api::bounds::{CONNECT_MS, FALLBACK_MS, REPORT_EVERY_MS};
use turnout_api::strategy::{self as message, StrategyDocument, WatchKind};

use crate::flag::{Polling, Realtime, Resolution, Strategy, Transports};
use crate::public_path::PublicPath;

/// The strategy document of one outcome.
pub fn strategy_document(
    flag: &str,
    transports: &Transports,
    public_path: &PublicPath,
    resolution: Resolution,
) -> StrategyDocument {
    let Transports { validity, polling, realtime } = transports;
    StrategyDocument {
        flag: flag.to_owned(),
        strategy: resolution.strategy,
        reason: resolution.reason,
        rule: resolution.step,
        valid_for_ms: ms(validity.valid_for),
        stale_if_error_ms: ms(validity.stale_if_error),
        enter_spread_ms: ms(validity.enter_spread),
        watch: message::Watch {
            kind: WatchKind::Sse,
            url: public_path.address(&format!("/v1/strategy/{flag}/watch")).to_string(),
            ack_url: public_path.address("/v1/watch/ack").to_string(),
        },
        polling: polling_document(polling, public_path),
        realtime: (resolution.strategy == Strategy::RealtimeV2)
            .then(|| realtime_document(realtime, public_path)),
        report: message::Reporting {
            url: public_path.address("/v1/reports").to_string(),
            every_ms: REPORT_EVERY_MS,
        },
    }
}

fn polling_document(polling: &Polling, public_path: &PublicPath) -> message::Polling {
    message::Polling {
        url: polling.url.as_ref().map(|url| public_path.address_of_file(url).to_string()),
        start_ms: ms(polling.start),
        min_ms: ms(polling.min),
        max_ms: ms(polling.max),
        factor: f64::from(polling.factor_thousandths) / 1000.0,
        dedupe_ms: ms(polling.dedupe),
        limit: polling.limit,
        wait_ms: ms(polling.wait),
    }
}

fn realtime_document(realtime: &Realtime, public_path: &PublicPath) -> message::Realtime {
    message::Realtime {
        kind: realtime.kind,
        url: realtime.url.as_ref().map(|url| public_path.address_of_file(url).to_string()),
        token_url: public_path.address("/v1/token").to_string(),
        token_ttl_ms: ms(realtime.token_ttl),
        retry_ms: realtime.retry.iter().copied().map(ms).collect(),
        connect_ms: CONNECT_MS,
        fallback_ms: FALLBACK_MS,
    }
}

/// Whole milliseconds; every duration of a definition fits.
fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
