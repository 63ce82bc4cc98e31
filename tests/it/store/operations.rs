//! The claims of docs/OPERATIONS.md: the tests it names exist, and those about crashes and recovery
//! are here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Service, flag, wait_until};
use serde_json::{Value as Json, json};
use sqlx::{ConnectOptions, Connection};

const SPLIT: &str = "rollout: { realtime-v2: 100% }";

#[test]
fn every_claim_in_the_docs_names_an_existing_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let claims = ["docs/OPERATIONS.md", "docs/METRICS.md"]
        .map(|page| fs::read_to_string(root.join(page)).unwrap())
        .concat();
    let mut named = BTreeSet::new();
    for rest in claims.split("[`").skip(1) {
        named.insert(rest.split("`]").next().unwrap().to_owned());
    }
    assert!(named.len() >= 10, "{named:?}");
    let files = ["tests/it", "tests/logic", "crates/core/tests/pure"]
        .iter()
        .flat_map(|folder| files_below(&root.join(folder), "rs"));
    let tests: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    let missing: Vec<&String> =
        named.iter().filter(|name| !tests.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}

/// The tests and scripts that the documents name are found where they say.
#[test]
fn every_test_file_named_in_the_docs_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = files_below(&root.join("docs"), "md");
    documents.push(root.join("README.md"));
    let (mut named, mut missing) = (0, Vec::new());
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for words in text.split('`').skip(1).step_by(2) {
            let path = words.split([' ', ':']).next().unwrap();
            if ["tests/", "scripts/", "tools/", "examples/", "benches/", "crates/"]
                .iter()
                .any(|folder| path.starts_with(folder))
            {
                named += 1;
                if !root.join(path).exists() {
                    missing.push(format!("{}: {path}", document.display()));
                }
            }
        }
    }
    assert!(named >= 20, "{named} paths are named");
    assert!(missing.is_empty(), "{missing:#?}");
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files
}

async fn one_flag() -> Service {
    Service::start(&[("chat.yaml", &flag("chat", SPLIT))]).await
}

fn database(service: &Service) -> PathBuf {
    service.data.join("turnout.db")
}

async fn state(service: &Service) -> String {
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    status["database"]["state"].as_str().unwrap().to_owned()
}

async fn sql(path: &Path, statement: &'static str) {
    let mut connection =
        sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_second_server_on_the_same_data_says_so() {
    let service = one_flag().await;
    let error = turnout::data_dir::DataDir::open(&service.data).unwrap_err();
    assert!(error.to_string().contains("another turnout is using"), "{error}");
}

#[tokio::test]
async fn only_the_owner_can_read_the_data_folder() {
    use std::os::unix::fs::PermissionsExt;
    let service = one_flag().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&service.data), 0o700);
    for entry in fs::read_dir(&service.data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_stop_works_without_the_database() {
    let service = one_flag().await;
    let away = service.data.join("away");
    fs::rename(database(&service), &away).unwrap();
    let wider = service
        .order(
            "/v1/flags/chat/set",
            json!({ "realtime-v2": "100%", "disabled": "0%", "reason": "r", "forMs": 1000 }),
        )
        .await;
    // The first call that needs the database finds that it is gone.
    assert!(wider.status() == 503 || wider.status() == 202, "{}", wider.status());
    let stop = service.order("/v1/flags/chat/stop", json!({})).await;
    assert_eq!(stop.status(), 202);
    let reply: Json = stop.json().await.unwrap();
    assert_eq!(
        (&reply["outcome"], &reply["survivesRestart"]),
        (&"pending".into(), &true.into()),
        "{reply}"
    );
    assert_eq!(service.ask("chat", "u-1").await["rule"], "stop");
    assert_eq!(state(&service).await, "down");
    let refused = service.order("/v1/flags/chat/resume", json!({ "reason": "r" })).await;
    assert_eq!(refused.status(), 503);

    fs::rename(&away, database(&service)).unwrap();
    wait_until("the database to be up again, with nothing pending", async || {
        let status: Json = service.admin("/v1/status").await.json().await.unwrap();
        status["database"]["state"] == "up" && status["pending"] == 0
    })
    .await;
    let history: Json = service.admin("/v1/history?flag=chat").await.json().await.unwrap();
    let stops = history["revisions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["changes"][0]["action"] == "stop")
        .count();
    assert_eq!(stops, 1, "{history}");
    assert_eq!(service.ask("chat", "u-1").await["rule"], "stop");
}

/// A stop that finds its flag stopped says whether that stop survives a restart, too.
#[tokio::test]
async fn a_repeated_stop_does_not_claim_more_than_the_first() {
    let service = one_flag().await;
    fs::rename(database(&service), service.data.join("away")).unwrap();
    let stop = async || {
        let reply = service.order("/v1/flags/chat/stop", json!({})).await;
        let status = reply.status().as_u16();
        let reply: Json = reply.json().await.unwrap();
        (status, reply["outcome"].to_string(), reply["survivesRestart"] == true)
    };
    let journal = service.data.join("pending.journal");
    fs::remove_file(&journal).unwrap();
    fs::create_dir_all(journal.join("in the way")).unwrap();
    for again in [false, true] {
        assert_eq!(stop().await, (202, "\"pending\"".to_owned(), false), "again: {again}");
    }
    fs::remove_dir_all(&journal).unwrap();
    assert_eq!(stop().await, (200, "\"unchanged\"".to_owned(), true), "the journal is there again");
    assert!(journal.is_file());
}

#[tokio::test]
async fn a_stop_is_never_refused_as_stale() {
    let service = one_flag().await;
    assert_eq!(
        service.order("/v1/flags/chat/set", json!({ "realtime-v2": "50%" })).await.status(),
        200
    );
    let wider = service
        .order(
            "/v1/flags/chat/set",
            json!({ "realtime-v2": "60%", "reason": "r", "expectedRevision": 1 }),
        )
        .await;
    assert_eq!(wider.status(), 409);
    let reply: Json = wider.json().await.unwrap();
    assert_eq!(
        (&reply["code"], &reply["since"][0]["revision"]),
        (&"revision-conflict".into(), &2.into()),
        "{reply}"
    );
    assert_eq!(
        service.order("/v1/flags/chat/stop", json!({ "expectedRevision": 1 })).await.status(),
        200
    );
}

#[tokio::test]
async fn a_stop_outlives_the_database_and_the_process() {
    let mut service = one_flag().await;
    wait_until("the last good state", async || service.data.join("last-good").exists()).await;
    // Before the last good state is written anew, and without an orderly end.
    service
        .crash_right_after(async |service| {
            assert_eq!(service.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
        })
        .await;
    fs::rename(database(&service), service.data.join("away")).unwrap();
    service.restart().await;
    assert_eq!(service.ask("chat", "u-1").await["rule"], "stop");
    assert_eq!(state(&service).await, "held");
}

/// A copy of the database from before the last changes is put in its place.
async fn with_an_older_database() -> Service {
    let mut service = one_flag().await;
    service.stop().await;
    fs::copy(database(&service), service.data.join("backup")).unwrap();
    service.restart().await;
    assert_eq!(
        service.order("/v1/flags/chat/set", json!({ "realtime-v2": "40%" })).await.status(),
        200
    );
    assert_eq!(service.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
    service.stop().await;
    for name in ["turnout.db-wal", "turnout.db-shm"] {
        let _ = fs::remove_file(service.data.join(name));
    }
    fs::copy(service.data.join("backup"), database(&service)).unwrap();
    service
}

#[tokio::test]
async fn an_older_database_is_held_until_it_is_accepted() {
    let mut service = with_an_older_database().await;
    service.restart().await;
    assert_eq!(state(&service).await, "held");
    assert_eq!(service.ask("chat", "u-1").await["rule"], "stop", "the last good state is served");
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    assert_eq!(status["flags"][0]["split"]["realtime-v2"], "40%");
    assert_eq!(
        service.order("/v1/flags/chat/resume", json!({ "reason": "r" })).await.status(),
        503
    );
    assert_eq!(
        service.order("/v1/flags/chat/set", json!({ "realtime-v2": "10%" })).await.status(),
        202
    );
    let problems: Json = service.admin("/v1/problems").await.json().await.unwrap();
    assert!(problems.to_string().contains("--accept-database"), "{problems}");
}

#[tokio::test]
async fn accepting_a_database_lifts_no_stop() {
    let mut service = with_an_older_database().await;
    service.accept_database().await;
    assert_eq!(state(&service).await, "up");
    assert_eq!(service.ask("chat", "u-1").await["rule"], "stop");
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    assert_eq!(status["flags"][0]["split"]["realtime-v2"], "40%", "no share rises by it");
    assert_eq!(
        service.order("/v1/flags/chat/resume", json!({ "reason": "r" })).await.status(),
        200
    );
}

#[tokio::test]
async fn an_unreadable_row_is_set_aside() {
    for poison in [
        "UPDATE subjects SET record = '{\"definition\":null,\"split\":\"newer\"}' WHERE subject = 'chat'",
        "UPDATE subjects SET record = '' WHERE subject = 'chat'",
        "UPDATE subjects SET record = replace(record, 'a', 'b') WHERE subject = 'chat'",
        "UPDATE texts SET bytes = x'00' WHERE id IN (SELECT json_extract(record, '$.definition') FROM subjects WHERE subject = 'chat')",
        "INSERT INTO subjects VALUES ('thing', 'x', 1, '{}')",
    ] {
        let mut service = Service::start(&[
            ("chat.yaml", &flag("chat", SPLIT)),
            ("feed.yaml", &flag("feed", SPLIT)),
        ])
        .await;
        assert_eq!(
            service.order("/v1/flags/chat/set", json!({ "realtime-v2": "0%" })).await.status(),
            200
        );
        service.stop().await;
        fs::remove_file(service.data.join("last-good")).unwrap();
        sql(&database(&service), poison).await;
        service.restart().await;
        assert_eq!(service.strategy("feed", "u-1").await, "realtime-v2", "{poison}");
        let chat = service.ask("chat", "u-1").await;
        assert_eq!(chat["strategy"], "polling", "{poison}: {chat}");
        let problems: Json = service.admin("/v1/problems").await.json().await.unwrap();
        assert!(problems.to_string().contains("poison-row"), "{poison}: {problems}");
    }
}

#[tokio::test]
async fn history_verify_names_an_altered_row() {
    let mut service = one_flag().await;
    for share in ["80%", "60%", "40%"] {
        assert_eq!(
            service.order("/v1/flags/chat/set", json!({ "realtime-v2": share })).await.status(),
            200
        );
    }
    service.stop().await;
    service.restart().await;
    let sound: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
    assert_eq!((&sound["sound"], &sound["revisions"]), (&true.into(), &4.into()), "{sound}");
    for (tamper, named) in [
        ("UPDATE revisions SET actor = 'another' WHERE revision = 2", "revision 2 was altered"),
        (
            "UPDATE changes SET record_after = replace(record_after, '60%', '61%') WHERE revision = 3",
            "revision 3 was altered",
        ),
        ("DELETE FROM revisions WHERE revision = 4", "revision 4 was there"),
    ] {
        sql(&database(&service), tamper).await;
        let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
        assert!(
            verdict["sound"] == false && verdict["faults"].to_string().contains(named),
            "{tamper}: {verdict}"
        );
    }
}

#[tokio::test]
async fn without_a_known_state_every_flag_answers_polling() {
    let service = Service::start_without_folder().await;
    let answer = service.ask("any-flag", "u-1").await;
    assert_eq!((&answer["strategy"], &answer["rule"]), (&"polling".into(), &"cold-start".into()));
}
