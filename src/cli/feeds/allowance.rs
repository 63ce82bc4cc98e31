//! A limit that a user's clients share, and the part of it that this one takes. Times are handed in:
//! this module has no clock.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::HeaderMap;

/// What the server says of a user's limit: so many answers in any window, and how many are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub quota: u32,
    pub window: Duration,
    pub left: u32,
}

/// The answers of this client, and what it last heard of the limit.
#[derive(Clone, Debug, Default)]
pub struct OwnAnswers {
    times: VecDeque<Duration>,
    allowance: Option<Allowance>,
}

impl Allowance {
    /// From `RateLimit-Policy` and `RateLimit`; nothing if one of them is missing or is not as it
    /// should be.
    pub fn read(headers: &HeaderMap) -> Option<Allowance> {
        let of = |name: &str, parameter: &str| {
            number(headers.get(name)?.to_str().ok()?, parameter).filter(|number| *number < 1 << 20)
        };
        let quota = of("ratelimit-policy", "q").filter(|quota| *quota > 0)?;
        let window = of("ratelimit-policy", "w").filter(|seconds| *seconds > 0)?;
        let left = of("ratelimit", "r").filter(|left| *left <= quota)?;
        Some(Allowance { quota, window: Duration::from_secs(window.into()), left })
    }
}

/// A parameter of the first member of a list, such as `q` of `"feed";q=60;w=60`.
fn number(field: &str, parameter: &str) -> Option<u32> {
    let mut parts = field.split(',').next()?.split(';').skip(1);
    parts.find_map(|part| part.trim().strip_prefix(parameter)?.strip_prefix('=')?.parse().ok())
}

impl OwnAnswers {
    pub fn heard(&mut self, allowance: Option<Allowance>) {
        self.allowance = allowance.or(self.allowance);
    }

    pub fn answered(&mut self, now: Duration) {
        self.times.push_back(now);
    }

    /// The least wait that leaves others their part: `w × (q − r) ÷ (0.8 × q × m)` with `m` answers
    /// of its own among the `q − r` of the last window.
    pub fn share(&mut self, now: Duration) -> Duration {
        let Some(Allowance { quota, window, left }) = self.allowance else {
            return Duration::ZERO;
        };
        match self.count(now, window) {
            0 => Duration::ZERO,
            own => window * (quota - left) * 10 / (8 * quota * own),
        }
    }

    /// Whether half of the limit is left, so that this client may go on at once; always where there
    /// is no limit.
    pub fn may_hurry(&mut self, now: Duration) -> bool {
        self.allowance.is_none_or(|Allowance { quota, window, left }| {
            left >= quota.div_ceil(2) && self.count(now, window) < quota / 2
        })
    }

    fn count(&mut self, now: Duration, window: Duration) -> u32 {
        while self.times.front().is_some_and(|time| *time + window <= now) {
            self.times.pop_front();
        }
        self.times.len() as u32
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_malformed_are_ignored() {
        let read = |policy: &str, limit: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("ratelimit-policy", policy.parse().unwrap());
            headers.insert("ratelimit", limit.parse().unwrap());
            Allowance::read(&headers)
        };
        let feed = Allowance { quota: 60, window: Duration::from_secs(60), left: 57 };
        for (policy, limit, found) in [
            (r#""feed";q=60;w=60"#, r#""feed";r=57;t=4"#, Some(feed)),
            (r#""feed"; w=60; q=60"#, r#""feed"; t=4; r=57, "other";r=1"#, Some(feed)),
            (r#""feed";q=60"#, r#""feed";r=57"#, None),
            (r#""feed";q=0;w=60"#, r#""feed";r=0"#, None),
            (r#""feed";q=60;w=60"#, r#""feed";r=61"#, None),
            (r#""feed";q=60;w=60"#, r#""feed";r=nine"#, None),
            (r#""feed";q=60;w=99999999999"#, r#""feed";r=1"#, None),
            ("", "", None),
        ] {
            assert_eq!(read(policy, limit), found, "{policy} {limit}");
        }
        assert_eq!(Allowance::read(&HeaderMap::new()), None);
    }

    #[test]
    fn a_client_takes_its_own_part() {
        let seconds = Duration::from_secs;
        let allowance = |left| Some(Allowance { quota: 60, window: seconds(60), left });
        let mut own = OwnAnswers::default();
        assert!(own.may_hurry(seconds(0)) && own.share(seconds(0)).is_zero(), "no limit");
        own.answered(seconds(1));
        own.heard(allowance(59));
        assert_eq!(own.share(seconds(1)), Duration::from_millis(1_250), "alone");
        own.heard(allowance(50));
        assert_eq!(own.share(seconds(1)), Duration::from_millis(12_500), "one of ten");
        own.heard(None);
        assert_eq!(own.share(seconds(1)), Duration::from_millis(12_500), "as heard before");
        assert!(own.may_hurry(seconds(1)));
        own.heard(allowance(29));
        assert!(!own.may_hurry(seconds(1)));
        assert_eq!(own.share(seconds(61)), Duration::ZERO, "its answer has left the window");
    }
}
