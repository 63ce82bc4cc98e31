//! The count, beside a log that keeps every time.

use fastrand::Rng;

use super::table::Table;
use super::{Policy, Quota, WINDOW_MS};

const HISTORIES: u64 = 10_000;

/// Every answer a user got.
#[derive(Clone, Default)]
struct ExactLog(Vec<u64>);

impl ExactLog {
    /// Answers in the window that ends now.
    fn count(&self, now_ms: u64) -> usize {
        self.0.iter().rev().take_while(|at| **at + WINDOW_MS >= now_ms).count()
    }

    /// The most answers in any window.
    fn most(&self) -> usize {
        self.0.iter().map(|end| self.count_at(*end)).max().unwrap_or(0)
    }

    fn count_at(&self, end: u64) -> usize {
        self.0.iter().filter(|at| **at <= end && **at + WINDOW_MS >= end).count()
    }
}

/// Times of requests: steady, in bursts, at the edge of the window, or hardly any.
fn history(random: &mut Rng, policy: Policy) -> Vec<u64> {
    let quota = u64::from(policy.answers());
    let mut now = random.u64(0..200_000);
    let requests = random.usize(1..4 * usize::from(policy.answers()));
    let kind = random.u8(0..5);
    let mut times = Vec::with_capacity(requests);
    for request in 0..requests {
        times.push(now);
        let usual = WINDOW_MS / quota;
        now += match kind {
            0 => random.u64(0..2 * usual),
            1 if request % 7 == 0 => random.u64(0..WINDOW_MS),
            1 => random.u64(0..3),
            2 => random.u64(usual.saturating_sub(20)..usual + 20),
            3 if random.u8(0..40) == 0 => WINDOW_MS - 1 + random.u64(0..3),
            3 => random.u64(0..usual / 2),
            _ => random.u64(0..WINDOW_MS / 4),
        };
    }
    times
}

#[test]
fn no_window_has_an_answer_too_many_and_nothing_is_refused_early() {
    let mut random = Rng::with_seed(21);
    for run in 0..HISTORIES {
        let policy = Policy::ALL[random.usize(0..Policy::ALL.len())];
        let mut table = Table::new(policy.answers(), 64);
        let mut exact = ExactLog::default();
        for now in history(&mut random, policy) {
            let (is_allowed, usage) = table.take(7, now);
            let would = exact.count(now) < policy.answers().into();
            assert_eq!(is_allowed, would, "history {run} at {now}");
            if is_allowed {
                exact.0.push(now);
            }
            let left = (exact.count(now), usage.free_in_ms);
            assert_eq!(left.0, usize::from(usage.count), "history {run} at {now}");
            let freed = now + u64::from(usage.free_in_ms);
            assert_eq!(exact.count(freed - 1), left.0, "history {run} at {now}: not free before");
            assert!(exact.count(freed) < left.0, "history {run} at {now}: free then");
        }
        assert!(exact.most() <= policy.answers().into(), "history {run}");
    }
}

#[test]
fn the_ends_of_a_window_are_in_it() {
    let quota = Quota::default();
    let take = |now_ms| quota.take(Policy::Token, "u-1", now_ms);
    for n in 0..10 {
        let decision = take(1_000 + n);
        assert!(decision.is_allowed);
        assert_eq!(i64::from(decision.left), 9 - n);
    }
    for (now_ms, is_allowed, free_in_seconds) in [
        (1_010, false, 60),
        (60_500, false, 1),
        (61_000, false, 1),
        (61_001, true, 1),
        (61_001, false, 1),
        (900, false, 1),
        (200_000, true, 61),
    ] {
        let decision = take(now_ms);
        let found = (decision.is_allowed, decision.free_in_seconds());
        assert_eq!(found, (is_allowed, free_in_seconds), "at {now_ms}");
    }
    assert_eq!(quota.take(Policy::Token, "u-2", 1_010).left, 9, "another user");
    assert_eq!(quota.take(Policy::Reports, "u-1", 1_010).left, 9, "another policy");
    let looked = quota.look(Policy::Reports, "u-1", 1_010);
    assert_eq!((looked.left, looked.free_in_seconds()), (9, 61), "looking counts nothing");
    assert_eq!(quota.look(Policy::Feed, "u-1", 1_010).left, 60);
    let refused: Vec<u64> = quota.refused().map(|(_, count)| count).collect();
    assert_eq!(refused, [0, 5, 0, 0]);
}

/// With far more users than there are places, who asks most stays counted.
#[test]
fn who_asks_most_is_forgotten_last() {
    let mut random = Rng::with_seed(7);
    let (honest, noisy, places) = (20_000_u64, 200_u64, 4_096);
    let mut table = Table::new(60, places);
    let user = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
    let (mut asked, mut answered, mut of_noisy) = (0, 0, vec![ExactLog::default(); 200]);
    for step in 0..300_000_u64 {
        let now = step * 120_000 / 300_000;
        if step % 2 == 0 {
            asked += 1;
            answered += u64::from(table.take(user(random.u64(noisy..noisy + honest)), now).0);
        } else {
            let noisy = random.u64(0..noisy);
            if table.take(user(noisy), now).0 {
                of_noisy[noisy as usize].0.push(now);
            }
        }
    }
    assert_eq!(asked, answered, "the answers of others");
    assert!(of_noisy.iter().all(|log| log.most() <= 60), "who asks most");
    assert!(table.evicted() > 10_000);
    assert_eq!(table.bytes(), places * (16 + 120));
}

#[test]
fn a_table_that_grows_forgets_nothing() {
    let mut table = Table::new(10, 1 << 16);
    let user = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for round in 0..3_u8 {
        for n in 0..20_000 {
            let (is_allowed, usage) = table.take(user(n), 1_000 * u64::from(round));
            assert_eq!((is_allowed, usage.count), (true, round + 1), "user {n}");
        }
    }
    assert_eq!(table.evicted(), 0);
    let bytes = table.bytes();
    for n in 20_000..40_000 {
        table.take(user(n), 200_000);
    }
    assert_eq!((table.evicted(), table.bytes()), (0, bytes), "those whose window is over left");
}

/// The bound of all tables together (64 MiB).
#[test]
fn the_tables_are_bounded() {
    let most: usize = Policy::ALL
        .iter()
        .map(|policy| policy.users() * (16 + 2 * usize::from(policy.answers())))
        .sum();
    assert!(most <= 64 << 20, "{most} bytes");
}
