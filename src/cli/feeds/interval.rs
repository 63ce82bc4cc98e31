//! When a client polls again. Times and chance are handed in: this module has no clock.

use std::time::Duration;

use super::allowance::{Allowance, OwnAnswers};

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
    /// How far apart two polls start at least.
    pub dedupe: Duration,
    /// How long a poll asks to be held.
    pub wait: Duration,
}

/// A poll that was answered, or failed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// When that was.
    pub now: Duration,
    /// How long the poll took.
    pub took: Duration,
    /// The least wait that the server asked for.
    pub floor: Option<Duration>,
    pub allowance: Option<Allowance>,
}

/// The interval of one client: it grows while there is nothing new.
#[derive(Clone, Debug)]
pub struct Interval {
    terms: Terms,
    /// The next pause after an empty poll.
    idle: Duration,
    failures: u32,
    at_once: u32,
    own: OwnAnswers,
}

impl Interval {
    pub fn new(terms: Terms) -> Interval {
        Interval { terms, idle: terms.start, failures: 0, at_once: 0, own: OwnAnswers::default() }
    }

    /// Goes on by other terms.
    pub fn set(&mut self, terms: Terms) {
        self.terms = terms;
        self.idle = self.idle.clamp(terms.start.min(terms.max), terms.max);
    }

    /// How long to wait after a poll. `chance` is a number from 0 to 1000.
    pub fn after(&mut self, polled: Polled, heard: Heard, chance: u32) -> Duration {
        let Terms { start, min, dedupe, wait, .. } = self.terms;
        let Heard { now, took, floor, allowance } = heard;
        self.own.heard(allowance);
        if !matches!(polled, Polled::Failed | Polled::Limited) {
            self.own.answered(now);
        }
        let share = self.own.share(now);
        let hurries = self.own.may_hurry(now);
        // A poll that was held has waited already.
        let waited = if wait.is_zero() { Duration::ZERO } else { took };
        let chance = chance.min(1_000);
        self.failures = if polled == Polled::Failed { self.failures.saturating_add(1) } else { 0 };
        let goes_on = matches!(polled, Polled::More | Polled::Moved);
        self.at_once = if goes_on { self.at_once.saturating_add(1) } else { 0 };
        let pause = match polled {
            Polled::More | Polled::Moved if self.at_once <= AT_ONCE && hurries => Duration::ZERO,
            Polled::Events if !wait.is_zero() => {
                self.idle = start;
                dedupe.saturating_sub(waited).max(about(share, chance))
            }
            Polled::Events | Polled::More | Polled::Moved => {
                self.at_once = 0;
                self.idle = start;
                about(self.grow().max(share), chance).max(min)
            }
            Polled::Empty => {
                let due = about(self.grow(), chance).max(min);
                due.saturating_sub(waited).max(about(share, chance))
            }
            Polled::Limited => about(self.grow().max(share), chance).max(min),
            // It may be made in a moment, and is looked for like news.
            Polled::NoStream => about(self.grow().max(share), chance).max(min),
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
    use crate::quota::{Policy, Quota};

    const TERMS: Terms = Terms {
        start: Duration::from_secs(4),
        min: Duration::from_secs(3),
        max: Duration::from_secs(15),
        factor_thousandths: 1_500,
        dedupe: Duration::from_secs(2),
        wait: Duration::ZERO,
    };

    /// Polls one after the other, each with the floor in seconds; and the pauses in milliseconds.
    fn check(what: &str, chance: u32, polls: &[(Polled, u64)], pauses: &[u128]) {
        let mut interval = Interval::new(TERMS);
        let made: Vec<u128> = polls
            .iter()
            .map(|(polled, floor)| {
                let floor = (*floor > 0).then(|| Duration::from_secs(*floor));
                interval.after(*polled, Heard { floor, ..Heard::default() }, chance).as_millis()
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
        check("no stream yet", 500, &of(&[NoStream; 3]), &[4_000, 6_000, 9_000]);
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
        check("chance", 1_000, &of(&[Empty, NoStream]), &[4_200, 6_300]);
        check("more than chance", 5_000, &of(&[Empty]), &[4_200]);
    }

    #[test]
    fn no_answer_makes_a_client_poll_without_a_pause_for_ever() {
        for polled in [More, Moved] {
            let mut interval = Interval::new(TERMS);
            let mut pause = || interval.after(polled, Heard::default(), 500);
            assert!((0..AT_ONCE).all(|_| pause().is_zero()), "{polled:?}");
            assert_eq!(pause(), TERMS.start, "{polled:?}");
        }
        let mut interval = Interval::new(Terms { min: Duration::from_secs(5), ..TERMS });
        assert_eq!(
            interval.after(Events, Heard::default(), 0),
            Duration::from_secs(5),
            "never below min"
        );
        for _ in 0..200 {
            assert!(interval.after(Failed, Heard::default(), 1_000) <= LONGEST_BACK_OFF);
        }
    }

    #[test]
    fn a_poll_that_was_held_has_waited_already() {
        let held = Terms { wait: Duration::from_secs(25), ..TERMS };
        for (what, polled, took, pause) in [
            ("held to its end", Empty, 25_000, 0),
            ("answered at once, as too many are held", Empty, 10, 3_990),
            ("answered early, as the flag changed", Empty, 3_000, 1_000),
            ("an event that was waited for", Events, 9_000, 0),
            ("one event after the other", Events, 500, 1_500),
            ("no stream yet", NoStream, 10, 4_000),
        ] {
            let took = Duration::from_millis(took);
            let heard = Heard { took, ..Heard::default() };
            let pause = Duration::from_millis(pause);
            assert_eq!(Interval::new(held).after(polled, heard, 500), pause, "{what}");
        }
    }

    /// Several followers of one user, against the server's own count.
    fn followers(count: u32, wait: Duration, seed: u64) {
        const END: u64 = 600_000;
        let mut random = fastrand::Rng::with_seed(seed);
        let quota = Quota::default();
        let follower = |n: u32| {
            (Interval::new(Terms { wait, ..TERMS }), u64::from(n) * 300, u64::from(n) * 300)
        };
        let mut all: Vec<_> = (0..count).map(follower).collect();
        let (mut refused, mut longest) = (0, 0);
        for now in 0..END {
            for (interval, next, last) in all.iter_mut().filter(|(_, next, _)| *next <= now) {
                let decision = quota.take(Policy::Feed, "u-1", now as i64);
                // A held poll is answered by the next event.
                let took = if wait.is_zero() { 5 } else { random.u64(5..1_500) };
                let left = decision.left.into();
                let allowance = Allowance { quota: 60, window: Duration::from_secs(60), left };
                let heard = Heard {
                    now: Duration::from_millis(now + took),
                    took: Duration::from_millis(took),
                    floor: None,
                    allowance: Some(allowance),
                };
                let after = Duration::from_secs(decision.free_in_seconds().into());
                let (polled, heard) = if decision.is_allowed {
                    longest = longest.max(now - *last);
                    *last = now;
                    (Events, heard)
                } else {
                    refused += 1;
                    (Limited, Heard { floor: Some(after), ..heard })
                };
                let pause = interval.after(polled, heard, random.u32(0..=1_000));
                *next = now + took + pause.as_millis() as u64;
            }
        }
        let silent = all.iter().map(|(_, _, last)| END - last).max().unwrap_or(END);
        let longest = longest.max(silent);
        assert!(refused <= 3, "{count} followers, wait {wait:?}: {refused} refusals");
        assert!(longest <= 15_000, "{count} followers, wait {wait:?}: {longest} ms without one");
    }

    #[test]
    fn five_followers_of_one_user_share_its_limit() {
        for seed in 0..5 {
            for wait in [Duration::ZERO, Duration::from_secs(25)] {
                for count in [1, 2, 5] {
                    followers(count, wait, seed);
                }
            }
        }
    }
}
