//! How long events are kept. Pure: what is in force of a flag's `retain` and `keep`, and what may
//! be removed of a stream.
//!
//! A larger value is in force at once. A smaller one removes nothing for a day, as what it removes
//! cannot be brought back.

use super::limits::{DUPLICATES_FOR, SHORTENED_AFTER};

/// What a flag's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub retain_ms: u64,
    /// Events of a stream.
    pub keep: u64,
}

impl Retention {
    /// What is kept where a flag's file says nothing.
    pub const DEFAULT: Retention = Retention { retain_ms: 7 * 24 * 60 * 60 * 1000, keep: 10_000 };
}

/// What is recorded of a flag's retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRecord {
    pub retain_ms: Bound,
    pub keep: Bound,
}

/// One of the two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    pub in_force: u64,
    /// A smaller value that the file has, and since when.
    pub lowered: Option<(u64, i64)>,
}

impl RetentionRecord {
    pub fn new(wanted: Retention) -> RetentionRecord {
        let bound = |in_force| Bound { in_force, lowered: None };
        RetentionRecord { retain_ms: bound(wanted.retain_ms), keep: bound(wanted.keep) }
    }

    /// What is recorded from now on, where the file says this.
    pub fn follow(self, wanted: Retention, now_ms: i64) -> RetentionRecord {
        RetentionRecord {
            retain_ms: self.retain_ms.follow(wanted.retain_ms, now_ms),
            keep: self.keep.follow(wanted.keep, now_ms),
        }
    }

    pub fn in_force(self) -> Retention {
        Retention { retain_ms: self.retain_ms.in_force, keep: self.keep.in_force }
    }

    /// When the smaller value that waits comes into force, if one waits.
    pub fn shortens_at_ms(self) -> Option<i64> {
        let ends = [self.retain_ms, self.keep].into_iter().filter_map(|bound| bound.lowered);
        ends.map(|(_, since_ms)| since_ms + SHORTENED_AFTER.as_millis() as i64).min()
    }
}

impl Bound {
    fn follow(self, wanted: u64, now_ms: i64) -> Bound {
        if wanted >= self.in_force {
            return Bound { in_force: wanted, lowered: None };
        }
        let since_ms = match self.lowered {
            // What is lowered further waits anew; what is raised again has waited for long enough
            // if the lower value has.
            Some((before, since_ms)) if wanted >= before => since_ms,
            _ => now_ms,
        };
        // A clock that was set back does not make the wait begin anew.
        let since_ms = since_ms.min(now_ms);
        if now_ms - since_ms >= SHORTENED_AFTER.as_millis() as i64 {
            Bound { in_force: wanted, lowered: None }
        } else {
            Bound { lowered: Some((wanted, since_ms)), ..self }
        }
    }
}

/// Up to which position the events of a stream are removed, of those that come first.
pub fn remove_up_to(
    kept_after: u64,
    head: u64,
    first: impl IntoIterator<Item = (u64, i64)>,
    in_force: Retention,
    now_ms: i64,
) -> u64 {
    let too_many = head.saturating_sub(in_force.keep);
    let too_old_ms = now_ms.saturating_sub(in_force.retain_ms as i64);
    let goes = |(position, at_ms): &(u64, i64)| *position <= too_many || *at_ms < too_old_ms;
    first.into_iter().take_while(goes).last().map_or(kept_after, |(position, _)| position)
}

/// Events from before this time are forgotten once they are removed.
pub fn forget_before_ms(now_ms: i64) -> i64 {
    now_ms.saturating_sub(DUPLICATES_FOR.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    #[test]
    fn a_smaller_value_waits_for_a_day() {
        let retention = |retain_ms| Retention { retain_ms, keep: 100 };
        let mut record = RetentionRecord::new(retention(700));
        for (what, hour, wanted, in_force, waits) in [
            ("unchanged", 0, 700, 700, None),
            ("larger", 1, 800, 800, None),
            ("smaller", 2, 300, 800, Some(26)),
            ("still", 20, 300, 800, Some(26)),
            ("raised a little", 21, 500, 800, Some(26)),
            ("lowered further", 22, 200, 800, Some(46)),
            ("raised back", 23, 800, 800, None),
            ("smaller again", 24, 300, 800, Some(48)),
            ("a moment before", 47, 300, 800, Some(48)),
            ("after a day", 48, 300, 300, None),
            ("at once", 49, 900, 900, None),
        ] {
            record = record.follow(retention(wanted), hour * HOUR);
            assert_eq!(record.in_force(), retention(in_force), "{what}");
            assert_eq!(record.shortens_at_ms().map(|ms| ms / HOUR), waits, "{what}");
        }
    }

    #[test]
    fn what_comes_first_goes_first() {
        let events = [(5, 10), (6, 20), (7, 15), (8, 30)];
        for (what, keep, retain_ms, now_ms, up_to) in [
            ("nothing", 4, 100, 100, 4),
            ("by number", 2, 100, 100, 6),
            ("all by number", 0, 100, 100, 8),
            ("by age", 4, 100, 111, 5),
            ("not over a younger one", 4, 100, 116, 5),
            ("over an older one", 4, 100, 121, 7),
            ("by both", 3, 100, 121, 7),
        ] {
            let in_force = Retention { retain_ms, keep };
            assert_eq!(remove_up_to(4, 8, events, in_force, now_ms), up_to, "{what}");
        }
    }
}
