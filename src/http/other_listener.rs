//! Addresses that only the other listener has. A port is easily mistaken for the other one, and who
//! did that learns it from the refusal.

use axum::http::Uri;

/// The beginnings of the addresses that only the admin listener has.
const OF_OPERATORS: [&str; 10] = [
    "/metrics",
    "/v1/convergence",
    "/v1/flags",
    "/v1/hello",
    "/v1/history",
    "/v1/keys",
    "/v1/problems",
    "/v1/status",
    "/v1/stop",
    "/v1/tokens",
];

/// The beginnings of the addresses that only the public listener has.
const OF_CLIENTS: [&str; 8] = [
    "/.well-known/jwks.json",
    "/ofrep/v1",
    "/readyz",
    "/v1/realtime",
    "/v1/reports",
    "/v1/strategy",
    "/v1/token",
    "/v1/watch",
];

/// Whether only the admin listener has this address.
pub fn is_of_operators(uri: &Uri) -> bool {
    is_below(&OF_OPERATORS, uri)
}

/// Whether only the public listener has this address.
pub fn is_of_clients(uri: &Uri) -> bool {
    is_below(&OF_CLIENTS, uri)
}

fn is_below(beginnings: &[&str], uri: &Uri) -> bool {
    beginnings.iter().any(|beginning| {
        let rest = uri.path().strip_prefix(beginning);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}
