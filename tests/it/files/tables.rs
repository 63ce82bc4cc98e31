//! Test tables of flags: each flag waits for its own tests, and no save waits for those of another
//! flag.

use serde_json::Value as Json;
use turnout::definition::FlagFiles;

use crate::support::{Save, Service, flag, wait_until};

const RULES: usize = 1_000;
const TABLES: usize = 12;

/// A flag whose tests go through a thousand rules.
fn slow(share: &str) -> String {
    let value = "x".repeat(200);
    let rule = |n| {
        format!(
            "  - {{ name: r{n}, when: {{ plan: {{ starts_with: \"{value}{n:03}\" }} }}, strategy: realtime-v2 }}\n"
        )
    };
    let rules: String = (0..RULES).map(rule).collect();
    flag(
        "slow",
        &format!(
            "attributes: {{ plan: text }}\nrollout: {{ realtime-v2: {share} }}\nrules:\n{rules}"
        ),
    )
}

/// A table that takes a debug build about a second. If it fails, it fails in its last case.
fn table(passes: bool) -> String {
    let value = "x".repeat(200);
    let plans: Vec<String> = (0..4_500).map(|n| format!("\"{value}z{n}\"")).collect();
    let last = if passes { "" } else { "  - { user: u, bucket: 99999, expect: disabled }\n" };
    let plans = plans.join(", ");
    format!(
        "flag: slow\ncases:\n  - {{ user: u, bucket: 99999, expect: polling, each: {{ plan: [{plans}] }} }}\n{last}"
    )
}

fn fast(enabled: bool, share: &str) -> String {
    flag("fast", &format!("rollout: {{ realtime-v2: {share} }}"))
        .replace("enabled: true", &format!("enabled: {enabled}"))
}

/// What is reported about tests that run, and about those that failed.
async fn reported(service: &Service) -> Vec<String> {
    let reported: Json = service.admin("/v1/problems").await.json().await.unwrap();
    let problems = reported["problems"].as_array().unwrap().iter();
    problems
        .map(|problem| {
            format!(
                "{}: {}",
                problem["code"].as_str().unwrap(),
                problem["message"].as_str().unwrap()
            )
        })
        .collect()
}

/// How many tables of the slow flag are done, while it waits for the others.
async fn done(service: &Service) -> Option<usize> {
    let reported = reported(service).await;
    let runs = reported.iter().find(|reported| reported.starts_with("tests-run: "))?;
    let (before, _) = runs.split_once(&format!(" of {TABLES} tables are done"))?;
    Some(before.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_save_waits_for_the_tests_of_another_flag() {
    let service =
        Service::start(&[("slow.yaml", &slow("0%")), ("fast.yaml", &fast(true, "100%"))]).await;
    std::fs::create_dir(service.flags.join("tests")).unwrap();
    for n in 0..TABLES {
        Save::InPlace.save(&service.flags.join(format!("tests/t{n:02}.yaml")), &table(true));
    }
    Save::InPlace.save(&service.flags.join("slow.yaml"), &slow("99%"));
    wait_until("the new form of the slow flag waits for its tests", async || {
        done(&service).await.is_some()
    })
    .await;

    // A narrowing edit, a widening edit, and a new file.
    let before = done(&service).await.unwrap();
    Save::InPlace.save(&service.flags.join("fast.yaml"), &fast(false, "100%"));
    wait_until("switched off", async || service.strategy("fast", "u-1").await == "polling").await;
    Save::InPlace.save(&service.flags.join("fast.yaml"), &fast(true, "100%"));
    wait_until("switched on", async || service.strategy("fast", "u-1").await == "realtime-v2")
        .await;
    Save::InPlace
        .save(&service.flags.join("new.yaml"), &flag("new", "rollout: { realtime-v2: 100% }"));
    wait_until("made", async || {
        service.post("/v1/strategy/new", r#"{"targetingKey":"u"}"#).await.status() == 200
    })
    .await;
    let after = done(&service).await.expect("the slow flag still waits, so nothing waited for it");
    assert!(after - before < TABLES / 2, "{before} of its tables were done, and {after} are now");
    assert_eq!(
        service.strategy("slow", "u-1").await,
        "polling",
        "a form goes live once its tests have passed"
    );

    // Tables that are removed while they run are no longer waited for.
    std::fs::remove_dir_all(service.flags.join("tests")).unwrap();
    wait_until("live without them", async || {
        service.strategy("slow", "u-1").await == "realtime-v2"
    })
    .await;
    wait_until("nothing waits", async || reported(&service).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_slow_test_table_has_the_same_effect_at_start_and_later() {
    let failing = table(false);
    let mut service =
        Service::start(&[("slow.yaml", &slow("0%")), ("fast.yaml", &fast(true, "100%"))]).await;
    std::fs::create_dir(service.flags.join("tests")).unwrap();
    Save::InPlace.save(&service.flags.join("tests/slow.yaml"), &failing);
    let failed = async |service: &Service| {
        reported(service).await.iter().any(|reported| reported.starts_with("failed-test: "))
    };
    wait_until("the live form fails it", async || failed(&service).await).await;
    Save::InPlace.save(&service.flags.join("slow.yaml"), &slow("99%"));
    wait_until("the new form was read", async || {
        reported(&service).await.iter().any(|reported| reported.starts_with("tests-run: "))
    })
    .await;
    wait_until("the new form fails it", async || {
        !reported(&service).await.iter().any(|reported| reported.starts_with("tests-run: "))
    })
    .await;
    assert!(failed(&service).await);
    assert_eq!(service.strategy("slow", "u-1").await, "polling");

    // The known state is served while tests run, and after they have failed.
    service.stop().await;
    service.restart().await;
    assert_eq!(service.strategy("slow", "u-1").await, "polling");
    assert_eq!(service.strategy("fast", "u-1").await, "realtime-v2");
    wait_until("it fails again", async || failed(&service).await).await;
    assert_eq!(service.strategy("slow", "u-1").await, "polling");

    // A start without a known state: other flags are live, and this one has no good definition.
    service.stop().await;
    std::fs::remove_dir_all(&service.data).unwrap();
    service.restart().await;
    assert_eq!(service.strategy("fast", "u-1").await, "realtime-v2");
    assert_eq!(service.ask("slow", "u-1").await["rule"], "error");
    wait_until("it fails there too", async || failed(&service).await).await;
    Save::InPlace.save(&service.flags.join("tests/slow.yaml"), &table(true));
    wait_until("it heals", async || service.strategy("slow", "u-1").await == "realtime-v2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_is_compared_with_the_live_state_once() {
    const FLAGS: usize = 1_000;
    let keys: Vec<String> = (0..FLAGS).map(|n| format!("f{n:04}")).collect();
    let paths: Vec<String> = keys.iter().map(|key| format!("{key}.yaml")).collect();
    let mut texts: Vec<String> =
        keys.iter().map(|key| flag(key, "rollout: { realtime-v2: 10% }")).collect();
    let service = Service::start(&[]).await;
    let files = |texts: &[String]| {
        FlagFiles::of(paths.iter().zip(texts).map(|(path, text)| (&**path, &**text)))
    };
    let taken = service.app.coordinator().ingest(&files(&texts)).await;
    assert!(
        taken.compared <= 2 * FLAGS,
        "all that is new, and again before it is committed: {}",
        taken.compared
    );
    for (what, share) in
        [("nothing", "10%"), ("one that widens", "50%"), ("one that narrows", "5%")]
    {
        texts[7] = flag(&keys[7], &format!("rollout: {{ realtime-v2: {share} }}"));
        let changed = usize::from(share != "10%");
        let taken = service.app.coordinator().ingest(&files(&texts)).await;
        assert!(
            taken.compared >= FLAGS && taken.compared <= FLAGS + changed,
            "{what}: {}",
            taken.compared
        );
        let live = service.app.coordinator().live().current().flag(&keys[7]).is_some();
        assert!(
            live && !service
                .app
                .coordinator()
                .problems()
                .has(turnout::control::ProblemKind::FilesWait)
        );
    }
}
