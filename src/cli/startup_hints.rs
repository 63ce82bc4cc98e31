//! What to try next, printed at start: calls that work as printed, found by evaluating the live
//! snapshot.
//!
//! The ids are made up (`u-0`, `u-1`, …), never taken from the files: lists of users must not
//! appear in any output.

use std::path::Path;

use crate::app::App;
use crate::auth::AnonymousAccess;
use crate::config::AuthConfig;
use crate::display_text;
use crate::flag::{Context, Identity, Resolution, ServerAuth, Step, Strategy, TargetingKey};
use crate::snapshot::{FlagSnapshot, Snapshot};
use crate::telemetry::say;

/// How many made-up users are tried.
const CANDIDATES: u32 = 10_000;

type Wanted = fn(Resolution) -> bool;

pub fn print(app: &App, flags: &Path, access: &AuthConfig) {
    let snapshot = app.coordinator().live().current();
    if snapshot.server_auth().clamps() {
        say(&format!("{}, until TURNOUT_TOKEN_HANDOFF=on", ServerAuth::CLAMPS));
    }
    let Some(entry) = snapshot.flag("build-events").or_else(|| snapshot.flags().first()) else {
        let wait = "every flag answers `polling` until the first one is there";
        return say(&format!(
            "waiting for {}/….yaml: no flag is known yet, and {wait}",
            display_text::path(flags)
        ));
    };
    say("try next, in another terminal:");
    let examples: [(&str, Wanted); 4] = [
        ("allowed", |answer| answer.step == Step::Allow),
        ("denied", |answer| answer.step == Step::Deny),
        ("inside the rollout", |answer| {
            answer.step == Step::Rollout && answer.strategy == Strategy::RealtimeV2
        }),
        ("outside of it", |answer| {
            answer.step == Step::Rollout && answer.strategy != Strategy::RealtimeV2
        }),
    ];
    let path = format!("/v1/strategy/{}", entry.key());
    let url = format!("http://{}{}", app.address(), snapshot.public_path().address(&path));
    if access.session_keys.is_some() {
        say(&format!(
            "  curl -s {url} -H \"Authorization: Bearer $TOKEN\"   # the user of a session token"
        ));
    }
    let credential = match (access.unverified, &access.server_keys) {
        (AnonymousAccess::Allow, _) => Some(""),
        (AnonymousAccess::Deny, Some(_)) => Some(" -H \"X-API-Key: $SERVER_KEY\""),
        (AnonymousAccess::Deny, None) => None,
    };
    for (what, wanted) in examples {
        if let (Some(credential), Some(user)) = (credential, find(&snapshot, entry, wanted)) {
            say(&format!(
                "  curl -s {url}{credential} -d '{{\"targetingKey\":\"{user}\"}}'   # {what}"
            ));
        }
    }
    say(&format!(
        "then change {}/{}.yaml, save, and ask again",
        display_text::path(flags),
        entry.key()
    ));
}

fn find(snapshot: &Snapshot, entry: &FlagSnapshot, wanted: Wanted) -> Option<String> {
    (0..CANDIDATES).map(|number| format!("u-{number}")).find(|user| {
        let key = TargetingKey::parse(user).ok().flatten();
        wanted(snapshot.evaluate(entry, &Context::new(Identity::Plain, key, &[])))
    })
}
