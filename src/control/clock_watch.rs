//! Whether the clock can be trusted: a clock that leapt is a problem until it has run evenly for a
//! while.

use super::{Inner, Problem, ProblemKind};
use crate::clock;
use crate::moment::{LEAP_HEALS_MS, Leap, LeapWatch};

impl Inner {
    /// Begins to watch the clock. The time cannot be earlier than the newest commit.
    pub(super) fn watch_clock(&self) -> LeapWatch {
        LeapWatch::after(self.state().catalog.head.committed_at_ms, self.clock.now())
    }

    pub(super) fn look_at_clock(&self, leaps: &mut LeapWatch) {
        leaps.look(self.clock.now());
        let trouble = leaps.leap().map(|Leap { by_ms, at }| {
            let way = if by_ms > 0 { "forward" } else { "back" };
            // Rounded to a second: the two clocks are read one after the other, and drift by
            // fractions of a second.
            let by_s = (by_ms.unsigned_abs() + 500) / 1_000;
            Problem {
                kind: ProblemKind::Clock,
                subject: None,
                message: format!("the clock leapt {by_s} s {way}, to {}", clock::utc(at.wall_ms)),
                hint: format!(
                    "look after this machine's time service (or it slept); what ends goes by the stricter of this clock and of the time that \
                     passed, and this heals when the clock was even for {} min",
                    LEAP_HEALS_MS / 60_000
                ),
            }
        });
        self.trouble(ProblemKind::Clock, trouble.into_iter().collect());
    }
}
