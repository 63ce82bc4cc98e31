//! Everything within the documented limits is saved, however slow the disk is: a write is limited
//! by silence, and not by its length.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::flag;
use crate::support::program::{Program, home};

/// How large, and on which disk. The long form uses the limits themselves:
/// `TURNOUT_SLOW_DISK=long`.
struct Size {
    flags: usize,
    lists: usize,
    ids: usize,
    bytes_of_an_id: usize,
    kilobytes_a_second: usize,
    within: Duration,
}

const SHORT: Size = Size {
    flags: 600,
    lists: 1,
    ids: 100_000,
    bytes_of_an_id: 64,
    kilobytes_a_second: 3000,
    within: Duration::from_secs(60),
};
const LONG: Size = Size {
    flags: 20_000,
    lists: 2,
    ids: 1_000_000,
    bytes_of_an_id: 256,
    kilobytes_a_second: 20_000,
    within: Duration::from_secs(300),
};

/// The library that slows the disk down: compiled by the compiler of this test.
pub fn slowing_library(folder: &TempDir) -> PathBuf {
    let source =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/store/slow_disk/preloaded.rs");
    let made = folder.path().join("slow_disk.so");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let mut command = Command::new(&rustc);
    command
        .args(["--edition", "2024", "--crate-type", "cdylib", "-C", "panic=abort", "-o"])
        .arg(&made)
        .arg(source);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("this test needs {rustc} to slow a disk down: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    made
}

async fn status(program: &Program) -> Json {
    let asked = program
        .client
        .get(program.admin_url("/v1/status"))
        .bearer_auth(program.token())
        .send()
        .await
        .unwrap();
    asked.json().await.unwrap()
}

/// The message of the problem with this code, if there is one.
async fn problem(program: &Program, code: &str) -> Option<String> {
    let asked = program.client.get(program.admin_url("/v1/problems"));
    let problems: Json =
        asked.bearer_auth(program.token()).send().await.unwrap().json().await.unwrap();
    let problems = problems["problems"].as_array().unwrap().iter();
    let of_code = problems.filter(|problem| problem["code"] == code);
    of_code.map(|problem| problem["message"].as_str().unwrap().to_owned()).next()
}

/// Waits until the revision is saved, and checks that the database counts as up all the while.
async fn reach(
    what: &str,
    within: Duration,
    program: &Program,
    is_there: impl AsyncFn(&Json) -> bool,
) -> Duration {
    let begun = Instant::now();
    loop {
        let status = status(program).await;
        assert_eq!(
            status["database"]["state"],
            "up",
            "{what}, after {:?}: {status}\n{}",
            begun.elapsed(),
            program.said()
        );
        if is_there(&status).await {
            return begun.elapsed();
        }
        assert!(
            begun.elapsed() < within,
            "{what} did not come within {within:?}: {status}\n{}",
            program.said()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_within_the_limits_is_saved_on_a_slow_disk() {
    let long = std::env::var("TURNOUT_SLOW_DISK").is_ok_and(|form| form == "long");
    let Size { flags, lists, ids, bytes_of_an_id, kilobytes_a_second, within } =
        if long { LONG } else { SHORT };
    let files: Vec<_> = (0..flags).map(|index| format!("f{index:05}")).collect();
    let files: Vec<_> = files
        .iter()
        .map(|key| (format!("{key}.yaml"), flag(key, "rollout: { realtime-v2: 100% }")))
        .collect();
    let home =
        home(&files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>());
    let definitions = TempDir::new().unwrap();
    let (preload, speed) = (slowing_library(&definitions), kilobytes_a_second.to_string());
    let settings =
        [("LD_PRELOAD", preload.to_str().unwrap()), ("SLOW_KB", &speed), ("SLOW_SYNC_MS", "20")];
    let program = Program::start(home, &settings);
    program.serves().await;
    reach("the first reading", within, &program, async |status| status["revision"] != "0").await;

    // Lists that take several times as long as one operation of the database may, saved at once.
    let before = status(&program).await["revision"].clone();
    let ids: String = (1..ids).map(|id| format!("{id:0bytes_of_an_id$}\n")).collect();
    fs::create_dir_all(program.path("segments")).unwrap();
    for list in 0..lists {
        let last = format!("the-last-of-{list}\n");
        fs::write(program.path(&format!("segments/many{list}.txt")), [&*ids, &last].concat())
            .unwrap();
        let segment =
            format!("version: 1\nsegment: many{list}\nusers_file: segments/many{list}.txt\n");
        fs::write(program.path(&format!("segments/many{list}.yaml")), segment).unwrap();
    }
    let begun = Instant::now();
    fs::rename(program.path("segments"), program.path("flags/segments")).unwrap();
    let said = Mutex::new(String::new());
    reach("the lists", within, &program, async |status| {
        let saving = problem(&program, "saving").await;
        said.lock().unwrap().extend(saving.into_iter().map(|saving| format!("{saving}\n")));
        status["revision"] != before
    })
    .await;
    let said = said.into_inner().unwrap();
    assert!(said.contains(" MiB are written"), "it does not say how far it is: {said:?}");
    assert_eq!(problem(&program, "saving").await, None);
    let saved = begun.elapsed();
    let least = Duration::from_millis((lists * ids.len() / kilobytes_a_second) as u64);
    assert!(
        saved > least,
        "it was saved after {saved:?}, and its bytes alone take {least:?}: the disk was not slow"
    );

    let stopped = program.order("/v1/stop", json!({ "reason": "incident" })).await;
    assert!([200, 202].contains(&stopped.status().as_u16()), "{}", stopped.status());
    reach("the stop of all", within, &program, async |status| status["pending"] == 0).await;
    let resumed = program.order("/v1/flags/f00001/resume", json!({ "reason": "over" })).await;
    assert_eq!(resumed.status(), 200, "{}", resumed.text().await.unwrap());
    assert_eq!(program.strategy("f00001", "u-1").await, "realtime-v2");
    assert_eq!(program.strategy("f00002", "u-1").await, "polling");
    let verified = program
        .client
        .get(program.admin_url("/v1/history/verify"))
        .bearer_auth(program.token())
        .send()
        .await;
    let verified: Json = verified.unwrap().json().await.unwrap();
    assert_eq!(verified["sound"], true, "{verified}");
}
