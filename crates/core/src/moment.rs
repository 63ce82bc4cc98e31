//! Times by two clocks. Pure: the server's `clock` reads the clocks.
//!
//! The wall clock knows the date, and can be set: by a person, by a time service, by a machine that
//! wakes. The steady clock cannot be set, and has an arbitrary zero point. A deadline in wall time
//! is noted by both clocks from the moment it is known: so a wall clock that is set back prolongs
//! nothing, and one that is set forward opens nothing early.

use std::time::SystemTime;

/// How far the wall clock may move against the steady one before that counts as a leap, in
/// milliseconds. Time services set it by small steps all the time.
const LEAP_MS: i64 = 5_000;
/// How long both clocks must run evenly after a leap until it is no longer a problem, in
/// milliseconds.
pub const LEAP_HEALS_MS: i64 = 60 * 60 * 1_000;

/// A reading of both clocks, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since 1970, by the wall clock.
    pub wall_ms: i64,
    /// Since an arbitrary fixed moment.
    pub steady_ms: i64,
}

impl From<SystemTime> for Moment {
    /// A moment of which only the wall time is known. The steady time is computed as if both clocks
    /// ran alike.
    fn from(wall: SystemTime) -> Moment {
        let ms = unix_ms(wall);
        Moment { wall_ms: ms, steady_ms: ms }
    }
}

/// A moment of wall time, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    wall_ms: i64,
    steady_ms: i64,
}

/// Which of the clocks have reached a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Neither; the first will reach it in this many milliseconds.
    Not {
        in_ms: i64,
    },
    /// One clock, which is enough for what narrows; the other will reach it in this many
    /// milliseconds.
    ByOne {
        in_ms: i64,
    },
    ByBoth,
}

impl Deadline {
    /// A moment of wall time that became known at `learned`.
    pub fn at(wall_ms: i64, learned: Moment) -> Deadline {
        let steady_ms = learned.steady_ms.saturating_add(wall_ms.saturating_sub(learned.wall_ms));
        Deadline { wall_ms, steady_ms }
    }

    /// Whether either clock has reached it: the rule for what grants access.
    pub fn is_over(self, now: Moment) -> bool {
        self.wall_ms <= now.wall_ms || self.steady_ms <= now.steady_ms
    }

    /// How many milliseconds are left.
    pub fn left_ms(self, now: Moment) -> i64 {
        self.by_wall(now).min(self.by_steady(now)).max(0)
    }

    pub fn due(self, now: Moment) -> Due {
        let (first, second) = {
            let (wall, steady) = (self.by_wall(now), self.by_steady(now));
            (wall.min(steady), wall.max(steady))
        };
        match (first, second) {
            (1.., _) => Due::Not { in_ms: first },
            (_, 1..) => Due::ByOne { in_ms: second },
            _ => Due::ByBoth,
        }
    }

    fn by_wall(self, now: Moment) -> i64 {
        self.wall_ms.saturating_sub(now.wall_ms)
    }

    fn by_steady(self, now: Moment) -> i64 {
        self.steady_ms.saturating_sub(now.steady_ms)
    }
}

/// A leap of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leap {
    /// How far, in milliseconds; positive if forward.
    pub by_ms: i64,
    /// When it was noticed.
    pub at: Moment,
}

/// Detects leaps of the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct LeapWatch {
    /// The wall clock minus the steady one, as last accepted.
    apart_ms: i64,
    leap: Option<Leap>,
}

impl LeapWatch {
    pub fn new(now: Moment) -> LeapWatch {
        LeapWatch { apart_ms: apart(now), leap: None }
    }

    /// Begins with a moment known from an earlier run, which cannot be later than now.
    pub fn after(known_ms: i64, now: Moment) -> LeapWatch {
        let by_ms = now.wall_ms.saturating_sub(known_ms);
        let leap = (by_ms < -LEAP_MS).then_some(Leap { by_ms, at: now });
        LeapWatch { apart_ms: apart(now), leap }
    }

    /// Reads the clocks again. Returns whether the wall clock leapt since the last reading.
    pub fn look(&mut self, now: Moment) -> bool {
        let moved = apart(now).saturating_sub(self.apart_ms);
        if moved.saturating_abs() > LEAP_MS {
            let by_ms = self.leap.map_or(0, |leap| leap.by_ms).saturating_add(moved);
            self.apart_ms = apart(now);
            // A leap that is undone never happened.
            self.leap = (by_ms.saturating_abs() > LEAP_MS).then_some(Leap { by_ms, at: now });
            return true;
        }
        if self
            .leap
            .is_some_and(|leap| now.steady_ms.saturating_sub(leap.at.steady_ms) >= LEAP_HEALS_MS)
        {
            self.leap = None;
            self.apart_ms = apart(now);
        }
        false
    }

    /// The leap that is still a problem.
    pub fn leap(&self) -> Option<Leap> {
        self.leap
    }
}

fn apart(now: Moment) -> i64 {
    now.wall_ms.saturating_sub(now.steady_ms)
}

/// A time in milliseconds since 1970; an earlier time gives 0.
pub fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().min(i64::MAX as u128) as i64)
}

/// A time in RFC 3339, such as `2026-11-23T08:15:00Z`.
pub fn utc(milliseconds: i64) -> String {
    let seconds = milliseconds.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years that begin in March have their leap day at the end; 400 of these years have 146,097
    // days.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * era + year + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A time in RFC 3339 with its milliseconds, such as `2026-11-23T08:15:00.250Z`.
pub fn utc_with_ms(milliseconds: i64) -> String {
    let whole = utc(milliseconds);
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), milliseconds.rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = LEAP_HEALS_MS;

    fn moment(wall_ms: i64, steady_ms: i64) -> Moment {
        Moment { wall_ms, steady_ms }
    }

    #[test]
    fn what_narrows_goes_by_the_first_clock_and_what_widens_by_both() {
        let end = Deadline::at(10_000, moment(1_000, 50));
        for (what, now, over, due) in [
            ("at once", moment(1_000, 50), false, Due::Not { in_ms: 9_000 }),
            ("just before", moment(9_999, 9_049), false, Due::Not { in_ms: 1 }),
            ("in time", moment(10_000, 9_050), true, Due::ByBoth),
            ("set back an hour", moment(10_000 - HOUR, 9_050), true, Due::ByOne { in_ms: HOUR }),
            (
                "set back, and not yet",
                moment(5_000 - HOUR, 4_050),
                false,
                Due::Not { in_ms: 5_000 },
            ),
            ("set forward an hour", moment(2_000 + HOUR, 1_050), true, Due::ByOne { in_ms: 8_000 }),
            ("set forward, then in time", moment(10_000 + HOUR, 9_050), true, Due::ByBoth),
            ("the wall clock by itself", moment(10_000, 9_049), true, Due::ByOne { in_ms: 1 }),
        ] {
            assert_eq!((end.is_over(now), end.due(now)), (over, due), "{what}");
            assert_eq!(end.left_ms(now) == 0, over, "{what}");
        }
        // Learned after its time, and at the limits of the numbers.
        assert_eq!(Deadline::at(10, moment(20, 0)).due(moment(20, 0)), Due::ByBoth);
        assert!(
            !Deadline::at(i64::MAX, moment(0, i64::MAX))
                .is_over(moment(i64::MAX - 1, i64::MAX - 1))
        );
        assert!(Deadline::at(i64::MIN, moment(i64::MAX, 0)).is_over(moment(0, 0)));
    }

    #[test]
    fn a_leap_is_noticed_and_heals() {
        // (the wall clock, the steady clock, whether it leapt now, the size of the leap that is a
        // problem)
        for (what, looks) in [
            (
                "even clocks",
                &[(1_000, 1_000, false, None), (9_000_000, 9_000_000, false, None)][..],
            ),
            ("small steps", &[(3_000, 1_000, false, None), (6_000, 4_000, false, None)]),
            (
                "small steps that add up",
                &[(4_000, 1_000, false, None), (9_000, 3_000, true, Some(6_000))],
            ),
            (
                "forward",
                &[
                    (1_000 + HOUR, 1_000, true, Some(HOUR)),
                    (2_000 + HOUR, 2_000, false, Some(HOUR)),
                ],
            ),
            (
                "back",
                &[
                    (1_000 - HOUR, 1_000, true, Some(-HOUR)),
                    (2_000 - HOUR, 2_000, false, Some(-HOUR)),
                ],
            ),
            ("taken back", &[(1_000 - HOUR, 1_000, true, Some(-HOUR)), (2_100, 2_000, true, None)]),
            (
                "twice",
                &[
                    (1_000 + HOUR, 1_000, true, Some(HOUR)),
                    (2_000 + 2 * HOUR, 2_000, true, Some(2 * HOUR)),
                ],
            ),
            (
                "an hour side by side",
                &[
                    (1_000 + HOUR, 1_000, true, Some(HOUR)),
                    (1_001 + 2 * HOUR, 1_001 + HOUR, false, None),
                ],
            ),
        ] {
            let mut watch = LeapWatch::new(moment(0, 0));
            for (wall, steady, leapt, stands) in looks {
                assert_eq!(watch.look(moment(*wall, *steady)), *leapt, "{what}");
                assert_eq!(watch.leap().map(|leap| leap.by_ms), *stands, "{what}");
            }
        }
        assert_eq!(LeapWatch::after(HOUR, moment(0, 0)).leap().map(|leap| leap.by_ms), Some(-HOUR));
        assert!(LeapWatch::after(1_000, moment(0, 0)).leap().is_none());
    }
}
