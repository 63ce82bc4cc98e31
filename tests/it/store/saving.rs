//! A file that cannot be written is a problem with its cause, until it can be.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};

use serde_json::Value as Json;
use tempfile::TempDir;
use turnout::data_dir::Addresses;

use crate::support::typed::turnout;
use crate::support::{announced, flag, wait_until};

/// A server that may write at most this many KiB to a file, as if the disk were full then.
struct Limited {
    home: TempDir,
    child: Child,
    addresses: Addresses,
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Limited {
    fn start(home: TempDir, kib: Option<u64>) -> Limited {
        let (flags, data, log) =
            (home.path().join("flags"), home.path().join("data"), home.path().join("log"));
        fs::create_dir_all(flags.join("segments")).unwrap();
        // From a server that was killed.
        let _ = fs::remove_file(data.join("addresses.json"));
        // Bash counts in KiB.
        let limit = kib.map_or_else(|| "unlimited".to_owned(), |kib| kib.to_string());
        let mut command = Command::new("bash");
        command
            .args(["-c", "ulimit -f \"$0\"; exec \"$@\"", &limit])
            .arg(turnout().get_program())
            .env_clear();
        command
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--flags"])
            .arg(&flags);
        command.arg("--data").arg(&data).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let addresses = announced::wait(&data, &mut child, || fs::read_to_string(&log).unwrap());
        Limited { home, child, addresses }
    }

    fn token(&self) -> String {
        fs::read_to_string(self.home.path().join("data/admin.token")).unwrap().trim().to_owned()
    }

    async fn problems(&self) -> Vec<Json> {
        let client = reqwest::Client::new();
        let asked = client
            .get(format!("{}/v1/problems", self.addresses.admin))
            .bearer_auth(self.token())
            .send()
            .await;
        let reply: Json = asked.unwrap().json().await.unwrap();
        reply["problems"].as_array().unwrap().clone()
    }

    async fn has(&self, code: &str) -> bool {
        self.problems().await.iter().any(|problem| problem["code"] == code)
    }

    async fn order(&self, path: &str, body: &str) -> u16 {
        let client = reqwest::Client::new();
        let order = client
            .post(format!("{}{path}", self.addresses.admin))
            .bearer_auth(self.token())
            .body(body.to_owned());
        order.send().await.unwrap().status().as_u16()
    }
}

/// The limit acts like a full disk: it does not end the server, stops are accepted, the problem
/// says why and since when, and is over when there is room.
#[tokio::test]
async fn a_file_at_its_size_limit_is_a_problem_and_does_not_end_the_process() {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("flags")).unwrap();
    fs::write(home.path().join("flags/chat.yaml"), flag("chat", "rollout: { realtime-v2: 50% }"))
        .unwrap();
    // Room for the journal, and for little else.
    let mut server = Limited::start(home, Some(5 * 1024));
    let reason = "x".repeat(480);
    // More than the WAL and the database file may hold together: it is written one mebibyte at a
    // time.
    let ids: String = (0..1_000_000).map(|id| format!("user-{id}\n")).collect();
    fs::write(server.home.path().join("flags/ids.txt"), ids).unwrap();
    let segment = "version: 1\nsegment: many\nusers_file: ids.txt\n";
    fs::write(server.home.path().join("flags/segments/many.yaml"), segment).unwrap();
    wait_until("the problem", async || server.has("unsaved").await).await;
    let problem =
        server.problems().await.into_iter().find(|problem| problem["code"] == "unsaved").unwrap();
    assert!(problem["message"].as_str().unwrap().contains("the disk is full"), "{problem}");
    let since = problem["sinceMs"].as_i64().unwrap();
    let log = fs::read_to_string(server.home.path().join("log")).unwrap();
    assert!(log.contains("the database did not take a change: the disk is full"), "{log}");

    let body = format!("{{\"reason\":\"{reason}\"}}");
    assert!([200, 202].contains(&server.order("/v1/flags/chat/stop", &body).await));
    assert!(server.child.try_wait().unwrap().is_none(), "it lives on");
    let again = server.problems().await.into_iter().find(|problem| problem["code"] == "unsaved");
    assert!(again.is_none_or(|again| again["sinceMs"].as_i64().unwrap() >= since));

    // With room again all of it is saved, and the problem is over.
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let home = std::mem::replace(&mut server.home, TempDir::new().unwrap());
    let server = Limited::start(home, None);
    wait_until("no problem", async || server.problems().await.is_empty()).await;
    let ask = reqwest::Client::new().post(format!("{}/v1/strategy/chat", server.addresses.public));
    let answer: Json =
        ask.body("{\"targetingKey\":\"u-1\"}").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["rule"], "stop");
}

/// The permissions of a data folder that another program made are restricted to its owner, and its
/// free space is reported.
#[tokio::test]
async fn the_data_folders_permissions_and_free_space_are_checked_at_run_time() {
    let home = TempDir::new().unwrap();
    let data = home.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let server = Limited::start(home, None);
    let mode = || fs::metadata(&data).unwrap().permissions().mode() & 0o777;
    wait_until("the owner's alone", async || mode() == 0o700).await;
    let client = reqwest::Client::new();
    let metric = async || {
        let asked = client
            .get(format!("{}/metrics", server.addresses.admin))
            .bearer_auth(server.token())
            .send()
            .await;
        asked
            .unwrap()
            .text()
            .await
            .unwrap()
            .lines()
            .any(|line| line.starts_with("turnout_disk_free_bytes "))
    };
    wait_until("the room that is left", metric).await;
}
