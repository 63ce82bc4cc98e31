//! Mistakes of clients that a server sees and that an operator would otherwise search for in a
//! browser: pages of origins that are not listed, tokens while no keys are set, and
//! attributes of another type than a flag declares.
//!
//! Each is remembered for ten minutes and is a problem as long, with one line in the log. Callers
//! choose what is remembered, so how much is remembered is bounded.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::control::{Coordinator, Problem, ProblemKind};
use crate::flag::{AttributeName, FlagKey};

/// How long a mistake is remembered after it was seen last.
const REMEMBERED_MS: i64 = 10 * 60 * 1000;
const MAX_ORIGINS: usize = 10;
const MAX_ATTRIBUTES: usize = 50;
/// The longest origin that is named: a scheme, a host name and a port.
const MAX_ORIGIN_BYTES: usize = 270;

/// What was seen, each with the time when it was seen last, in steady milliseconds.
#[derive(Debug, Default)]
pub struct ClientMistakes(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    origins: BTreeMap<Box<str>, i64>,
    token: Option<i64>,
    /// With what the flag declares.
    attributes: BTreeMap<(FlagKey, AttributeName), (&'static str, i64)>,
}

impl ClientMistakes {
    /// A page of an origin that is not listed asked whether it may ask. What no browser sends as an
    /// origin is not named.
    pub fn unlisted_origin(&self, origin: &[u8], now_ms: i64) {
        if let Some(origin) = as_a_browser_writes_it(origin) {
            note(&mut self.seen().origins, origin.into(), now_ms, MAX_ORIGINS, |at| at);
        }
    }

    /// A session token came, and no keys are set to check it with.
    pub fn token_without_keys(&self, now_ms: i64) {
        self.seen().token = Some(now_ms);
    }

    /// An attribute had another type than the flag declares.
    pub fn mistyped(
        &self,
        flag: &FlagKey,
        attribute: &AttributeName,
        declared: &'static str,
        now_ms: i64,
    ) {
        let key = (flag.clone(), attribute.clone());
        note(&mut self.seen().attributes, key, now_ms, MAX_ATTRIBUTES, |at| (declared, at));
    }

    /// Reports what is remembered, and forgets what was seen long ago.
    pub fn report(&self, coordinator: &Coordinator, now_ms: i64) {
        let (origins, token, attributes) = {
            let mut seen = self.seen();
            let is_fresh = |at: &i64| now_ms - at < REMEMBERED_MS;
            seen.origins.retain(|_, at| is_fresh(at));
            seen.token = seen.token.filter(is_fresh);
            seen.attributes.retain(|_, (_, at)| is_fresh(at));
            (
                seen.origins.keys().map(|origin| of_origin(origin)).collect(),
                seen.token.map(|_| without_keys()).into_iter().collect(),
                seen.attributes
                    .iter()
                    .map(|((flag, name), (declared, _))| of_attribute(flag, name, declared))
                    .collect(),
            )
        };
        coordinator.report(ProblemKind::UnlistedOrigin, origins);
        coordinator.report(ProblemKind::NoKeys, token);
        coordinator.report(ProblemKind::MistypedAttribute, attributes);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Remembers one more, if it is known or there is room.
fn note<K: Ord, V>(
    seen: &mut BTreeMap<K, V>,
    key: K,
    now_ms: i64,
    most: usize,
    value: impl Fn(i64) -> V,
) {
    if seen.len() < most || seen.contains_key(&key) {
        seen.insert(key, value(now_ms));
    }
}

/// `https://app.example.com`, or `null`, which browsers send for a file.
fn as_a_browser_writes_it(origin: &[u8]) -> Option<&str> {
    let text = str::from_utf8(origin).ok().filter(|text| text.len() <= MAX_ORIGIN_BYTES)?;
    let of_host = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_')
    };
    let is_origin = |(scheme, host): (&str, &str)| {
        !host.is_empty()
            && !scheme.is_empty()
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'+' | b'.'))
            && host.bytes().all(of_host)
    };
    (text == "null" || text.split_once("://").is_some_and(is_origin)).then_some(text)
}

fn of_origin(origin: &str) -> Problem {
    Problem {
        kind: ProblemKind::UnlistedOrigin,
        subject: Some(origin.to_owned()),
        message: format!("a page of {origin} asked within the last 10 minutes, and may not"),
        hint: match origin {
            "null" => "a page that is opened as a file has no origin that can be listed; serve it over http".to_owned(),
            _ => format!("if it is yours, add {origin} to TURNOUT_CORS_ORIGINS and start again"),
        },
    }
}

fn without_keys() -> Problem {
    Problem {
        kind: ProblemKind::NoKeys,
        subject: Some("TURNOUT_SESSION_KEYS".to_owned()),
        message: "session tokens came within the last 10 minutes, and no keys are set to check them with: each got a 401"
            .to_owned(),
        hint: "set TURNOUT_SESSION_KEYS and the settings that go with it (docs/HTTP.md, Who asks), or let clients send no token"
            .to_owned(),
    }
}

fn of_attribute(flag: &FlagKey, name: &AttributeName, declared: &str) -> Problem {
    Problem {
        kind: ProblemKind::MistypedAttribute,
        subject: Some(flag.to_string()),
        message: format!(
            "clients sent `{name}` of flag {flag} as another type than declared, and were answered by `error`, within the last 10 minutes"
        ),
        hint: format!(
            "it is declared {declared}: let the client send that, or change the declaration"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_sends_is_named_and_no_more_than_there_is_room_for() {
        for (origin, named) in [
            ("https://app.example.com", true),
            ("http://localhost:5173", true),
            ("http://[::1]:5173", true),
            ("capacitor://localhost", true),
            ("null", true),
            ("", false),
            ("://", false),
            ("app.example.com", false),
            ("https://App.example.com", false),
            ("https://a b", false),
            ("https://a/path", false),
            ("https://a?user=u-1", false),
            ("https://a\u{1b}[31m", false),
        ] {
            let mistakes = ClientMistakes::default();
            mistakes.unlisted_origin(origin.as_bytes(), 0);
            assert_eq!(!mistakes.seen().origins.is_empty(), named, "{origin}");
        }
        let mistakes = ClientMistakes::default();
        for number in 0..100 {
            mistakes.unlisted_origin(format!("https://a{number}.example").as_bytes(), number);
        }
        assert_eq!(mistakes.seen().origins.len(), MAX_ORIGINS);
        let long = format!("https://{}", "a".repeat(MAX_ORIGIN_BYTES));
        mistakes.unlisted_origin(long.as_bytes(), 0);
        assert_eq!(mistakes.seen().origins.len(), MAX_ORIGINS);
    }
}
