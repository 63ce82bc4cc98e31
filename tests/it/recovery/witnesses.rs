//! A wrong row of the database never opens a flag: what is served in its place is not wider than
//! any of its witnesses, which are the row, what its newest revision left, the last good state, and
//! memory. Whatever was done to one flag, the others are served as they were.

use std::fs;
use std::path::Path;

use futures_util::{StreamExt, stream};
use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::support::{Service, flag, wait_until};

/// The number of concurrent services.
const TOGETHER: usize = 6;
const OPEN: &str = "rollout: { realtime-v2: 100% }";

/// Where the database is when its rows are altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Altered {
    /// Before a start that finds the last good state, or none.
    WithLastGood,
    WithoutLastGood,
    /// Away from the running server, and put back.
    WhileAway,
}

use Altered::{WhileAway, WithLastGood, WithoutLastGood};

/// `low` was lowered to 1 %, `halted` stopped, `off` disabled by its file; `open` changed last, and
/// is open for all.
const LOWERED: [&str; 3] = ["low", "halted", "off"];

async fn service() -> Service {
    let keys = ["low", "halted", "off", "open"];
    let files = keys.map(|key| (format!("{key}.yaml"), flag(key, OPEN)));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    let service = Service::start(&files).await;
    assert_eq!(service.ordered("/v1/flags/low/set", json!({ "realtime-v2": "1%" })).await.0, 200);
    assert_eq!(service.ordered("/v1/flags/halted/stop", json!({})).await.0, 200);
    fs::write(
        service.flags.join("off.yaml"),
        flag("off", OPEN).replace("enabled: true", "enabled: false"),
    )
    .unwrap();
    wait_until("it to be off", async || service.ask("off", "u-1").await["rule"] == "off").await;
    service.ordered("/v1/flags/open/set", json!({ "realtime-v2": "99%" })).await;
    service.ordered("/v1/flags/open/set", json!({ "realtime-v2": "100%", "reason": "more" })).await;
    service.saves_last_good().await;
    service
}

async fn sql(database: &Path, statements: &str) {
    let mut database = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut database).await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

async fn alter(service: &mut Service, how: Altered, statements: &str) {
    if how == WhileAway {
        service.take_database_away().await;
        sql(&service.data.join("away.db"), statements).await;
        service.bring_database_back().await;
        return;
    }
    service.stop().await;
    sql(&service.database(), statements).await;
    if how == WithoutLastGood {
        let _ = ["last-good", "last-good.1"].map(|name| fs::remove_file(service.data.join(name)));
    }
    // A file that allows less than what was recorded would lower it by itself.
    let _ = fs::remove_file(service.flags.join("off.yaml"));
    service.restart().await;
}

const NEWEST: &str =
    "subject = '{key}' AND revision = (SELECT max(revision) FROM changes WHERE subject = '{key}')";
const FIRST: &str =
    "(SELECT record_after FROM changes WHERE subject = '{key}' ORDER BY revision LIMIT 1)";

/// What is done, and whether the last good state is the only file with the true state.
fn damages() -> Vec<(String, bool)> {
    let newest = |what: &str| format!("UPDATE changes SET {what} WHERE {NEWEST}");
    let row = |what: &str| format!("UPDATE subjects SET {what} WHERE subject = '{{key}}'");
    vec![
        (format!("DELETE FROM changes WHERE {NEWEST}"), false),
        (newest("subject = 'lost'"), false),
        (newest("kind = 'flbg'"), false),
        (newest("revision = 0, place = rowid"), false),
        (newest(&format!("record_after = {FIRST}")), false),
        (row(&format!("record = {FIRST}")), false),
        // Row and change alike.
        (
            format!(
                "{}; {}",
                row(&format!("record = {FIRST}")),
                newest(&format!("record_after = {FIRST}"))
            ),
            false,
        ),
        // The row as it was before, and the change that says otherwise assigned to another flag:
        // that change does not continue that flag's record.
        (
            format!(
                "{}; {}",
                row(&format!("record = {FIRST}, changed_at = 1")),
                newest("subject = 'lost'")
            ),
            false,
        ),
        (
            format!(
                "{}; DELETE FROM changes WHERE {NEWEST}",
                row(&format!("record = {FIRST}, changed_at = 1"))
            ),
            true,
        ),
        (
            format!(
                "DELETE FROM subjects WHERE subject = '{{key}}'; {}",
                newest("record_after = NULL")
            ),
            false,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_served_state_is_not_wider_than_any_witness() {
    let ways = [WithLastGood, WithoutLastGood, WhileAway].into_iter();
    let cases = ways.flat_map(|how| {
        damages().into_iter().map(move |(statement, only_kept)| (how, statement, only_kept))
    });
    // Without the last good state, no other file may be left with the true state.
    let cases = cases.filter(|(how, _, only_kept)| *how != WithoutLastGood || !only_kept);
    let checked: Vec<()> = stream::iter(cases)
        .map(|(how, statement, _)| check(how, statement))
        .buffer_unordered(TOGETHER)
        .collect()
        .await;
    assert_eq!(checked.len(), 29);
}

async fn check(how: Altered, statement: String) {
    let mut service = service().await;
    let statements: Vec<String> =
        LOWERED.iter().map(|key| statement.replace("{key}", key)).collect();
    let statements = statements.join(";").replace("'lost'", "'lost-' || revision");
    alter(&mut service, how, &statements).await;
    let case = format!("{how:?}: {statement}");
    no_wider(&service, &case).await;
    // Also after a change of another flag, and at the next start.
    service
        .ordered("/v1/flags/open/set", json!({ "realtime-v2": "100%", "reason": "again" }))
        .await;
    no_wider(&service, &case).await;
    service.saves_last_good().await;
    service.stop().await;
    service.restart().await;
    no_wider(&service, &format!("{case}, a start later")).await;
    service.app.stop().await;
}

async fn no_wider(service: &Service, case: &str) {
    for key in LOWERED {
        let state = service.state(key).await;
        assert_eq!(service.strategy(key, "u-2").await, "polling", "{case}: {state}");
        // Operators see what is served.
        let live = state["live"].as_str().unwrap();
        let is_low =
            live == "realtime-v2 1%" || live.starts_with("STOPPED") || live.starts_with("off");
        assert!(is_low, "{case}: {state}");
    }
    let body = service.admin("/v1/problems").await.json::<Json>().await.unwrap().to_string();
    assert!(body.contains("poison-row"), "{case}: {body}");
}

/// A flag that was not altered is served as it was, where any state says so.
#[tokio::test]
async fn other_flags_are_served_as_they_were() {
    for how in [WithLastGood, WithoutLastGood, WhileAway] {
        let mut service = service().await;
        alter(&mut service, how, "DELETE FROM changes WHERE subject = 'low' AND revision > 1")
            .await;
        no_wider_but_open(&service, &format!("{how:?}")).await;
    }
}

async fn no_wider_but_open(service: &Service, case: &str) {
    assert_eq!(service.strategy("open", "u-1").await, "realtime-v2", "{case}");
    assert_eq!(service.strategy("low", "u-2").await, "polling", "{case}");
}

/// Row and revision altered alike: what this node knows contradicts them, or the hash of the
/// revision does.
#[tokio::test]
async fn a_credential_is_not_stronger_than_in_any_witness() {
    for how in [WithLastGood, WithoutLastGood, WhileAway] {
        for (what, with) in
            [("role", "'admin'"), ("flags", "NULL"), ("expiresAtMs", "4102444800000")]
        {
            let mut service = service().await;
            let weak = service
                .make_token(
                    "weak",
                    "stopper",
                    json!({ "flags": ["open"], "expiresAfterMs": 600_000 }),
                )
                .await;
            service.saves_last_good().await;
            let set = |column: &str| format!("{column} = json_set({column}, '$.{what}', {with})");
            let done = format!(
                "UPDATE subjects SET {} WHERE kind = 'credential'; UPDATE changes SET {} WHERE kind = 'credential'",
                set("record"),
                set("record_after")
            );
            alter(&mut service, how, &done).await;
            let case = format!("{how:?}: {what}");
            let resume = service
                .order_as(&weak.secret, "/v1/flags/halted/resume", json!({ "reason": "r" }))
                .await;
            assert!(matches!(resume.0, 401 | 403), "{case}: {resume:?}");
            let stop = service.order_as(&weak.secret, "/v1/flags/low/stop", json!({})).await;
            assert!(matches!(stop.0, 401 | 403), "{case}: {stop:?}");
            let body = service.admin("/v1/tokens").await.json::<Json>().await.unwrap().to_string();
            assert!(!body.contains("4102444800000"), "{case}: {body}");
            let body =
                service.admin("/v1/problems").await.json::<Json>().await.unwrap().to_string();
            assert!(body.contains("poison-row"), "{case}: {body}");
        }
    }
}
