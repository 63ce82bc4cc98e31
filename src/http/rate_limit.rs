//! Limits of users, as answers show them: the fields `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers-10) on every answer of a limited call, and 429 over it.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::error::ApiError;
use super::public::Caller;
use super::state::PublicState;
use crate::quota::{Decision, Policy};

pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Answers a caller of a limited call, if it has an answer left. An answer is counted when its
/// request is taken in, whatever comes of it.
pub async fn limited(
    state: &PublicState,
    policy: Policy,
    caller: &Caller,
    answer: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let Some(decision) = take(state, policy, caller) else { return answer.await };
    let mut response = match over(decision) {
        Some(refusal) => refusal.problem(state),
        None => answer.await,
    };
    describe(response.headers_mut(), decision);
    response
}

/// Counts an answer of a user; `None` for a caller who has no limit, as servers have none.
pub fn take(state: &PublicState, policy: Policy, caller: &Caller) -> Option<Decision> {
    let user = user(caller)?;
    Some(state.quota.take(policy, user, state.clock.now().steady_ms))
}

/// What a user has left, for an answer that was counted before.
pub fn look(state: &PublicState, policy: Policy, caller: &Caller) -> Option<Decision> {
    let user = user(caller)?;
    Some(state.quota.look(policy, user, state.clock.now().steady_ms))
}

/// The refusal of a user who has no answer left.
pub fn over(decision: Decision) -> Option<ApiError> {
    (!decision.is_allowed).then_some(ApiError::QuotaExceeded(decision))
}

/// Says in an answer what its user has left.
pub fn describe(headers: &mut HeaderMap, decision: Decision) {
    headers.insert(RATE_LIMIT_POLICY, policy_field(decision.policy));
    headers.insert(RATE_LIMIT, left_field(decision));
}

/// The user who is counted.
fn user(caller: &Caller) -> Option<&str> {
    match caller {
        Caller::User(session) => Some(session.subject().map_or("", |subject| subject.as_str())),
        Caller::Server(_) | Caller::Plain => None,
    }
}

/// Such as `"feed";q=60;w=60`.
pub fn policy_field(policy: Policy) -> HeaderValue {
    HeaderValue::from_static(match policy {
        Policy::Feed => "\"feed\";q=60;w=60",
        Policy::Token => "\"token\";q=10;w=60",
        Policy::Reports => "\"reports\";q=10;w=60",
        Policy::Realtime => "\"realtime\";q=20;w=60",
    })
}

/// Such as `"feed";r=57;t=4`.
pub fn left_field(decision: Decision) -> HeaderValue {
    let mut field = Field::default();
    field.push(b"\"");
    field.push(decision.policy.as_str().as_bytes());
    field.push(b"\";r=");
    field.push_number(decision.left.into());
    field.push(b";t=");
    field.push_number(decision.free_in_seconds());
    let field = field.bytes.get(..field.length).unwrap_or_default();
    HeaderValue::from_bytes(field).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A short text that is built without the formatter and without memory of its own, as every poll
/// has one.
struct Field {
    bytes: [u8; 40],
    length: usize,
}

impl Default for Field {
    fn default() -> Field {
        Field { bytes: [0; 40], length: 0 }
    }
}

impl Field {
    fn push(&mut self, text: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + text.len()) {
            place.copy_from_slice(text);
            self.length += text.len();
        }
    }

    /// A number below 100.
    fn push_number(&mut self, number: u32) {
        let digit = |number: u32| b'0' + (number % 10) as u8;
        if number >= 10 {
            self.push(&[digit(number / 10)]);
        }
        self.push(&[digit(number)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::WINDOW_MS;

    #[test]
    fn fields_say_what_the_table_of_limits_says() {
        for policy in Policy::ALL {
            let (name, window) = (policy.as_str(), WINDOW_MS / 1_000);
            let field = format!("\"{name}\";q={};w={window}", policy.answers());
            assert_eq!(policy_field(policy), field);
            for (left, free_in_ms, shown) in
                [(0, 60_001, "r=0;t=61"), (9, 3_001, "r=9;t=4"), (10, 9_000, "r=10;t=9")]
            {
                let decision = Decision { policy, is_allowed: true, left, free_in_ms };
                assert_eq!(left_field(decision), format!("\"{name}\";{shown}"));
            }
        }
    }
}
