//! The three-way split (law 2): which strategy each bucket has.
//!
//! `realtime-v2` grows from bucket 0 upward, `disabled` from the top downward, the default is what
//! is left. So raising a share only ever takes users from the default, and lowering it gives back
//! exactly those, last in first out.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::bucket::Bucket;
use super::share::{BUCKETS, Share};
use super::strategy::{Baseline, Strategy};

/// Shares of `realtime-v2` and `disabled` that together are at most 100 %.
///
/// ```
/// use turnout_core::flag::{Baseline, Bucket, Split, Strategy};
/// let split = Split::new("10%".parse().unwrap(), "5%".parse().unwrap()).unwrap();
/// let at = |n| split.strategy(Bucket::new(n).unwrap(), Baseline::Polling);
/// assert_eq!([at(9_999), at(10_000), at(95_000)], [Strategy::RealtimeV2, Strategy::Polling, Strategy::Disabled]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Split {
    #[serde(rename = "realtime-v2")]
    realtime: Share,
    disabled: Share,
}

impl Split {
    /// `None` if the two together exceed 100 %.
    pub fn new(realtime: Share, disabled: Share) -> Option<Split> {
        (realtime.millipercent() + disabled.millipercent() <= BUCKETS)
            .then_some(Split { realtime, disabled })
    }

    /// The smaller `realtime-v2` and the larger `disabled` of both: the result when two narrowings
    /// were commanded. The two always fit, as neither share is larger than in the split it came
    /// from.
    pub fn narrowest(self, other: Split) -> Split {
        Split {
            realtime: self.realtime.min(other.realtime),
            disabled: self.disabled.max(other.disabled),
        }
    }

    /// Whether `realtime-v2` does not rise and `disabled` does not fall from `before` to this.
    pub fn narrows(self, before: Split) -> bool {
        self.narrowest(before) == self
    }

    pub fn realtime(self) -> Share {
        self.realtime
    }

    pub fn disabled(self) -> Share {
        self.disabled
    }

    /// The share of each strategy.
    pub fn shares(self, default: Baseline) -> [(Strategy, Share); 3] {
        let rest = Share::ALL.without(self.realtime).without(self.disabled);
        let (polling, disabled) = match default {
            Baseline::Polling => (rest, self.disabled),
            Baseline::Disabled => (Share::NONE, Share::ALL.without(self.realtime)),
        };
        [
            (Strategy::RealtimeV2, self.realtime),
            (Strategy::Polling, polling),
            (Strategy::Disabled, disabled),
        ]
    }

    /// The strategy of one bucket.
    pub fn strategy(self, bucket: Bucket, default: Baseline) -> Strategy {
        if bucket.is_in_lowest(self.realtime) {
            Strategy::RealtimeV2
        } else if bucket.is_in_highest(self.disabled) {
            Strategy::Disabled
        } else {
            default.into()
        }
    }

    /// The strategy of all users, if one strategy has all the buckets; `None` for a real split,
    /// where a bucket is needed.
    pub fn single_strategy(self, default: Baseline) -> Option<Strategy> {
        let rest = BUCKETS - self.realtime.millipercent() - self.disabled.millipercent();
        match (self.realtime.millipercent(), self.disabled.millipercent(), rest) {
            (BUCKETS, _, _) => Some(Strategy::RealtimeV2),
            (_, BUCKETS, _) => Some(Strategy::Disabled),
            (_, _, BUCKETS) => Some(default.into()),
            (0, _, _) if default == Baseline::Disabled => Some(Strategy::Disabled),
            _ => None,
        }
    }
}

/// `10%`, or `10%, disabled 5%`.
impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.disabled {
            Share::NONE => write!(f, "{}", self.realtime),
            disabled => write!(f, "{}, disabled {disabled}", self.realtime),
        }
    }
}

impl<'de> Deserialize<'de> for Split {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Split, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            #[serde(rename = "realtime-v2", default)]
            realtime: Share,
            #[serde(default)]
            disabled: Share,
        }
        let Written { realtime, disabled } = Written::deserialize(deserializer)?;
        Split::new(realtime, disabled)
            .ok_or_else(|| D::Error::custom("the shares exceed 100% together"))
    }
}
