//! When a client polls again. Times and chance are handed in: this module has no clock.

use std::time::Duration;

/// The longest back-off after failures.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// No value from a server makes a client wait for longer.
const DAY: Duration = Duration::from_secs(86_400);
/// How many times in a row a poll follows the one before at once.
const AT_ONCE: u32 = 20;
/// How far chance moves an interval, in thousandths: a twentieth either way.
const JITTER: u32 = 50;

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// Events, and nothing behind them.
    Events,
    /// Events, with further ones behind them.
    More,
    /// Nothing new.
    Empty,
    /// Another place to go on from.
    Moved,
    /// No stream that this client may read.
    NoStream,
    /// Too many polls.
    Limited,
    /// A server that does not answer, or an error of its own.
    Failed,
}

/// How often a flag's clients poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub start: Duration,
    pub min: Duration,
    pub max: Duration,
    pub factor_thousandths: u32,
}

/// The interval of one client: it grows while there is nothing new.
#[derive(Clone, Debug)]
pub struct Interval {
    terms: Terms,
    /// The next pause after an empty poll.
    idle: Duration,
    failures: u32,
    at_once: u32,
}

impl Interval {
    pub fn new(terms: Terms) -> Interval {
        Interval { terms, idle: terms.start, failures: 0, at_once: 0 }
    }

    /// How long to wait after a poll. `floor` is the least that the server asked for, `chance` is a
    /// number from 0 to 1000.
    pub fn after(&mut self, polled: Polled, floor: Option<Duration>, chance: u32) -> Duration {
        let Terms { start, min, max, .. } = self.terms;
        let chance = chance.min(1_000);
        self.failures = if polled == Polled::Failed { self.failures.saturating_add(1) } else { 0 };
        let goes_on = matches!(polled, Polled::More | Polled::Moved);
        self.at_once = if goes_on { self.at_once.saturating_add(1) } else { 0 };
        let pause = match polled {
            Polled::More | Polled::Moved if self.at_once <= AT_ONCE => Duration::ZERO,
            Polled::Events | Polled::More | Polled::Moved => {
                self.at_once = 0;
                self.idle = start;
                about(self.grow(), chance).max(min)
            }
            Polled::Empty | Polled::Limited => about(self.grow(), chance).max(min),
            Polled::NoStream => about(max, chance).max(min),
            Polled::Failed => {
                let doubled = 2_u32.saturating_pow(self.failures - 1);
                let most = start.saturating_mul(doubled).min(LONGEST_BACK_OFF);
                most / 2 + most * chance / 2_000
            }
        };
        pause.max(floor.unwrap_or_default().min(DAY))
    }

    /// The pause that is due, after which the next one is longer.
    fn grow(&mut self) -> Duration {
        let due = self.idle;
        let longer = due.saturating_mul(self.terms.factor_thousandths) / 1_000;
        self.idle = longer.min(self.terms.max);
        due
    }
}

/// A pause, moved a little by chance, so that clients do not poll together.
fn about(pause: Duration, chance: u32) -> Duration {
    pause * (1_000 - JITTER + 2 * JITTER * chance / 1_000) / 1_000
}

#[cfg(test)]
mod tests {
    use super::Polled::{Empty, Events, Failed, Limited, More, Moved, NoStream};
    use super::*;

    const TERMS: Terms = Terms {
        start: Duration::from_secs(4),
        min: Duration::from_secs(3),
        max: Duration::from_secs(15),
        factor_thousandths: 1_500,
    };

    /// Polls one after the other, each with the floor in seconds; and the pauses in milliseconds.
    fn check(what: &str, chance: u32, polls: &[(Polled, u64)], pauses: &[u128]) {
        let mut interval = Interval::new(TERMS);
        let made: Vec<u128> = polls
            .iter()
            .map(|(polled, floor)| {
                let floor = (*floor > 0).then(|| Duration::from_secs(*floor));
                interval.after(*polled, floor, chance).as_millis()
            })
            .collect();
        assert_eq!(made, pauses, "{what}");
    }

    #[test]
    fn a_client_waits_longer_while_nothing_is_new() {
        let of = |polls: &[Polled]| polls.iter().map(|polled| (*polled, 0)).collect::<Vec<_>>();
        let idle = [4_000, 6_000, 9_000, 13_500, 15_000, 15_000];
        check("idle", 500, &of(&[Empty; 6]), &idle);
        check(
            "events begin anew",
            500,
            &of(&[Empty, Empty, Empty, Events, Empty, Events]),
            &[4_000, 6_000, 9_000, 4_000, 6_000, 4_000],
        );
        check("further events at once", 500, &of(&[More, More, Events]), &[0, 0, 4_000]);
        check("a stream made anew", 500, &of(&[Empty, Moved, Events]), &[4_000, 0, 4_000]);
        check("no stream", 500, &of(&[NoStream, NoStream]), &[15_000, 15_000]);
        check(
            "failures",
            1_000,
            &of(&[Failed; 6]),
            &[4_000, 8_000, 16_000, 32_000, 60_000, 60_000],
        );
        check("failures by chance", 0, &of(&[Failed, Failed]), &[2_000, 4_000]);
        check(
            "failures have a counter of their own",
            0,
            &of(&[Empty, Failed, Failed, Empty, Failed]),
            &[3_800, 2_000, 4_000, 5_700, 2_000],
        );
        check(
            "the server's time is the least",
            500,
            &[(Limited, 7), (Limited, 2), (Failed, 90), (More, 1), (Empty, 1 << 40)],
            &[7_000, 6_000, 90_000, 1_000, 86_400_000],
        );
        check("chance", 0, &of(&[Empty, Empty]), &[3_800, 5_700]);
        check("chance", 1_000, &of(&[Empty, NoStream]), &[4_200, 15_750]);
        check("more than chance", 5_000, &of(&[Empty]), &[4_200]);
    }

    #[test]
    fn no_answer_makes_a_client_poll_without_a_pause_for_ever() {
        for polled in [More, Moved] {
            let mut interval = Interval::new(TERMS);
            let mut pause = || interval.after(polled, None, 500);
            assert!((0..AT_ONCE).all(|_| pause().is_zero()), "{polled:?}");
            assert_eq!(pause(), TERMS.start, "{polled:?}");
        }
        let mut interval = Interval::new(Terms { min: Duration::from_secs(5), ..TERMS });
        assert_eq!(interval.after(Events, None, 0), Duration::from_secs(5), "never below min");
        for _ in 0..200 {
            assert!(interval.after(Failed, None, 1_000) <= LONGEST_BACK_OFF);
        }
    }
}
