//! How a flag's clients poll, as its strategy document says.

use std::time::Duration;

use hyper::StatusCode;
use turnout_api::strategy::{Polling, StrategyDocument};

use super::client::{FeedClient, FeedError, flag_position};
use super::interval::Terms;
use super::realtime::RealtimeTerms;
use crate::feeds::limits::{MAX_PAGE_EVENTS, MAX_WAIT_MS};
use crate::flag::{self, FlagKey};
use crate::snapshot::Position;

/// What a follower goes by.
#[derive(Clone, Debug)]
pub struct FollowTerms {
    pub terms: Terms,
    /// `None` where the strategy is not `realtime-v2`, or is not the caller's own.
    pub realtime: Option<RealtimeTerms>,
    /// Events of a page.
    pub limit: u32,
}

impl Default for FollowTerms {
    fn default() -> FollowTerms {
        let flag::Polling { start, min, max, factor_thousandths, dedupe, limit, .. } =
            flag::Polling::default();
        let wait = Duration::ZERO;
        let terms = Terms { start, min, max, factor_thousandths, dedupe, wait };
        FollowTerms { terms, realtime: None, limit }
    }
}

impl FollowTerms {
    fn of(polling: &Polling) -> FollowTerms {
        let ms = Duration::from_millis;
        let terms = Terms {
            start: ms(polling.start_ms),
            min: ms(polling.min_ms.max(1_000)),
            max: ms(polling.max_ms.max(polling.start_ms)),
            factor_thousandths: (polling.factor.clamp(1.0, 10.0) * 1_000.0) as u32,
            dedupe: ms(polling.dedupe_ms),
            wait: ms(polling.wait_ms.min(MAX_WAIT_MS.into())),
        };
        FollowTerms { terms, realtime: None, limit: polling.limit.clamp(1, MAX_PAGE_EVENTS) }
    }
}

impl FeedClient {
    /// How clients of a flag follow, and the position at which the flag had last changed then. The
    /// admin listener has no strategy to ask for, and holds no poll.
    pub async fn terms(&self, flag: &FlagKey) -> Option<(FollowTerms, Option<Position>)> {
        let FeedClient::Public(_) = self else { return None };
        let path = format!("/v1/strategy/{flag}");
        match self.poll(&path, None, Duration::ZERO).await {
            Ok(own) => {
                let document: StrategyDocument = self.read(own.body()).ok()?;
                let realtime = RealtimeTerms::of(&document);
                let terms = FollowTerms { realtime, ..FollowTerms::of(&document.polling) };
                Some((terms, flag_position(&own)))
            }
            // A server key names no user.
            Err(FeedError { status: Some(StatusCode::BAD_REQUEST), .. }) => {
                let any = self.post(&path, "{}".to_owned()).await.ok()?;
                let document: StrategyDocument = self.read(&any).ok()?;
                Some((FollowTerms::of(&document.polling), None))
            }
            Err(_) => None,
        }
    }
}
