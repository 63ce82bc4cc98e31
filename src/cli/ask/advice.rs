//! What a client does when its document changed (docs/HTTP.md): leaving realtime is never delayed;
//! entering it, and the first poll after leaving it, are spread over a while, so that not all
//! clients come at once.

use turnout_api::strategy::Strategy::{Disabled, Polling, RealtimeV2};
use turnout_api::strategy::StrategyDocument;

/// The advice in words, from the document before, if there was any, and the current one.
pub fn advice(before: Option<&StrategyDocument>, now: &StrategyDocument) -> String {
    let enters = || format!("enter realtime within {} ms by chance", now.enter_spread_ms);
    let polls = |within: u64| format!("first poll within {within} ms");
    match (before.map(|before| before.strategy), now.strategy) {
        (Some(was), is) if was == is => goes_on(before, now),
        (Some(RealtimeV2), Disabled) => "leave realtime at once; no live updates".to_owned(),
        (Some(_), Disabled) => "stop polling; no live updates".to_owned(),
        (None, Disabled) => "no live updates".to_owned(),
        (Some(Disabled) | None, RealtimeV2) => enters(),
        (Some(_), RealtimeV2) => format!("poll on; {}", enters()),
        (Some(RealtimeV2), Polling) => {
            format!("leave realtime at once; {}", polls(now.enter_spread_ms))
        }
        // Clients that got the change together must not all come together.
        (Some(_), Polling) => polls(now.enter_spread_ms),
        (None, Polling) => polls(now.polling.start_ms),
    }
}

fn goes_on(before: Option<&StrategyDocument>, now: &StrategyDocument) -> String {
    let same = |before: &StrategyDocument| {
        before.polling == now.polling
            && before.realtime == now.realtime
            && before.valid_for_ms == now.valid_for_ms
            && before.stale_if_error_ms == now.stale_if_error_ms
            && before.enter_spread_ms == now.enter_spread_ms
    };
    if before.is_some_and(|before| !same(before)) {
        "go on, by the new terms".to_owned()
    } else {
        "go on as before".to_owned()
    }
}
