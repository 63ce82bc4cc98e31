//! The counts of limits with far more users than there are places.

use fastrand::Rng;
use turnout::quota::{Policy, Quota, WINDOW_MS};

/// A million users in 90 s, a tenth of whom ask 120 times a minute and the others 4 times: four for
/// each place. `scripts/numbers-limits.py` runs it.
#[test]
#[ignore = "it takes minutes"]
fn a_million_users() {
    const USERS: u64 = 1_000_000;
    const NOISY: u64 = USERS / 10;
    const A_MINUTE: u64 = NOISY * 120 + (USERS - NOISY) * 4;
    let mut random = Rng::with_seed(21);
    let quota = Quota::default();
    let (mut asked, mut answered) = (0_u64, 0_u64);
    let mut of_noisy = vec![Vec::new(); NOISY as usize];
    for step in 0..A_MINUTE * 3 / 2 {
        let now = step * WINDOW_MS / A_MINUTE;
        let is_noisy = random.u64(0..A_MINUTE) < NOISY * 120;
        let user = if is_noisy { random.u64(0..NOISY) } else { random.u64(NOISY..USERS) };
        let decision = quota.take(Policy::Feed, &format!("user-{user}"), now as i64);
        if is_noisy && decision.is_allowed {
            of_noisy[user as usize].push(now as u32);
        } else if !is_noisy {
            asked += 1;
            answered += u64::from(decision.is_allowed);
        }
    }
    let over: usize = of_noisy
        .iter()
        .map(|times| {
            let spans = times.windows(usize::from(Policy::Feed.answers()) + 1);
            spans.filter(|span| u64::from(span[span.len() - 1] - span[0]) <= WINDOW_MS).count()
        })
        .sum();
    let of_noisy: usize = of_noisy.iter().map(Vec::len).sum();
    let (bytes, evicted) = quota.size();
    println!(
        "{{\"users\": {USERS}, \"bytes\": {bytes}, \"answersOfHonest\": {answered}, \"asked\": {asked}, \"evicted\": {evicted}, \"answersOfNoisy\": {of_noisy}, \"answersOver\": {over}}}"
    );
    assert!(bytes <= 64 << 20, "{bytes} bytes");
    assert!(answered * 100 >= asked * 99, "{answered} of {asked}");
    // Who was forgotten while few answers were counted begins anew.
    assert!(over * 1_000 <= of_noisy, "{over} of {of_noisy} are over the limit");
}
