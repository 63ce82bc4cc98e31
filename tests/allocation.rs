//! An evaluation allocates nothing, and neither does a session token that was seen before: counted,
//! not promised.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::large_stack_arrays,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and sets up what it needs"
)]

mod support;

use std::time::SystemTime;

use support::issuer::{Issuer, pins};
use turnout::auth::{Algorithm, Sessions};
use turnout::definition::{DefinitionSet, FlagFiles};
use turnout::flag::{Context, Flag, Identity, ServerAuth, TargetingKey, Value, evaluate};

#[test]
fn an_evaluation_allocates_nothing() {
    let text = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n\
        attributes: { platform: [ios, web], app_version: version, plan: text, seats: number, beta: boolean }\n\
        deny: [{ users: [u-x] }, { when: { platform: ios, app_version: { below: 2.10 } } }]\n\
        allow: [{ segment: staff, strategy: realtime-v2 }]\n\
        rules:\n\
        \x20 - { name: big, when: { seats: { at_least: 100 }, not: { beta: true } }, strategy: realtime-v2 }\n\
        \x20 - { name: ours, when: { email: { ends_with: '@example.com' }, plan: [a, b] }, strategy: realtime-v2 }\n\
        rollout: { realtime-v2: 10%, disabled: 5% }\n";
    let segment = "version: 1\nsegment: staff\nusers: [u-7]\nemails: [ops@example.com]\ndomains: [example.org]\n";
    let mut definitions = DefinitionSet::default();
    assert_eq!(
        definitions.update(&FlagFiles::of([("chat.yaml", text), ("segments/staff.yaml", segment)])),
        []
    );
    let (definition, segments) = definitions.flags().next().unwrap().1.unwrap();
    let flag = Flag::as_written(definition, segments);
    let attributes = [
        ("platform".into(), Value::from("web")),
        ("app_version".into(), "2.9.1-beta".into()),
        ("plan".into(), "c".into()),
        ("seats".into(), Value::Number(3.0)),
        ("beta".into(), Value::Bool(false)),
        ("email".into(), "Person@Example.com".into()),
    ];
    for user in ["u-x", "u-7", "u-1", ""] {
        for identity in [Identity::Plain, Identity::Verified] {
            let context = Context::new(identity, TargetingKey::parse(user).unwrap(), &attributes);
            let counted = allocation_counter::measure(|| {
                std::hint::black_box(evaluate(
                    &flag,
                    std::hint::black_box(&context),
                    ServerAuth::Off,
                ));
            });
            assert_eq!(counted.count_total, 0, "{user:?} as {identity:?}");
        }
    }
}

#[test]
fn a_token_seen_before_allocates_nothing() {
    let issuer = Issuer::new(Algorithm::Es256, "key");
    let sessions = Sessions::new(pins(Algorithm::Es256));
    sessions.take(issuer.jwks().as_bytes()).unwrap();
    let (token, now) = (issuer.token("u-1"), SystemTime::now());
    sessions.verify(&token, now).unwrap();
    let counted =
        allocation_counter::measure(|| drop(std::hint::black_box(sessions.verify(&token, now))));
    assert_eq!(counted.count_total, 0);
}
