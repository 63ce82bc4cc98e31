//! A commit that was given up may land later, and one that waits lands after what came meanwhile.
//! Neither opens what was stopped or lowered since, nor what a file has taken back.

use std::fs;

use serde_json::{Value as Json, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use super::slow_disk::slowing_library;
use crate::support::program::{Program, home};
use crate::support::{Save, flag, wait_until};

/// The program on a disk that hangs on demand.
pub struct Hanging {
    pub program: Program,
    folder: TempDir,
    file: &'static str,
}

pub fn at(key: &str, share: &str) -> String {
    flag(key, &format!("rollout: {{ realtime-v2: {share} }}"))
}

impl Hanging {
    pub async fn start() -> Hanging {
        Hanging::start_with(&["f", "g"], "/turnout.db").await
    }

    /// With these flags, where files hang whose paths contain this.
    pub async fn start_with(flags: &[&str], file: &'static str) -> Hanging {
        let files: Vec<_> =
            flags.iter().map(|key| (format!("{key}.yaml"), at(key, "100%"))).collect();
        let files: Vec<_> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
        let hanging = Hanging::start_in(home(&files), TempDir::new().unwrap(), file).await;
        hanging.settles("the files").await;
        hanging
    }

    pub async fn start_in(home: TempDir, folder: TempDir, file: &'static str) -> Hanging {
        let (preload, hangs) = (slowing_library(&folder), folder.path().join("hang"));
        let settings = [
            ("LD_PRELOAD", preload.to_str().unwrap()),
            ("HANG_WHILE", hangs.to_str().unwrap()),
            ("SLOW_FILE", file),
        ];
        let program = Program::start(home, &settings);
        program.serves().await;
        Hanging { program, folder, file }
    }

    /// Ends it as a crash does, and starts it again.
    pub async fn restarts(mut self) -> Hanging {
        self.program.signal("KILL");
        self.program.exit().await;
        let home = std::mem::replace(&mut self.program.home, TempDir::new().unwrap());
        let _ = fs::remove_file(home.path().join("data/addresses.json"));
        Hanging::start_in(home, self.folder, self.file).await
    }

    pub async fn get(&self, path: &str) -> Json {
        let request = self.program.client.get(self.program.admin_url(path));
        request.bearer_auth(self.program.token()).send().await.unwrap().json().await.unwrap()
    }

    /// Sends a command, and returns its status and its answer.
    pub async fn order(&self, path: &str, body: Json) -> (u16, Json) {
        let answer = self.program.order(path, body).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub async fn is_settled(&self) -> bool {
        let status = self.get("/v1/status").await;
        status["database"]["state"] == "up" && status["pending"] == 0 && status["revision"] != "0"
    }

    pub async fn settles(&self, what: &str) {
        wait_until(what, async || self.is_settled().await).await;
    }

    /// How many changes of this verb are in the history; none while it cannot be read.
    pub async fn made(&self, action: &str) -> usize {
        let page = self.get("/v1/history?flag=f&limit=50").await;
        let changes = page["revisions"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let changes = changes.flat_map(|revision| revision["changes"].as_array().unwrap());
        changes.filter(|change| change["action"] == action).count()
    }

    pub fn hang(&self) {
        fs::write(self.folder.path().join("hang"), "").unwrap();
    }

    pub async fn hangs(&self) {
        let hangs = self.folder.path().join("hang.hangs");
        wait_until("the disk hangs", async || hangs.exists()).await;
    }

    pub fn go_on(&self) {
        fs::remove_file(self.folder.path().join("hang")).unwrap();
    }

    /// Whether syncs fail: what is written stays in the file all the same.
    pub fn syncs_fail(&self, fail: bool) {
        let fails = self.folder.path().join("hang.fails");
        if fail { fs::write(fails, "").unwrap() } else { fs::remove_file(fails).unwrap() }
    }

    pub fn reads_hang(&self, hang: bool) {
        let reads = self.folder.path().join("hang.reads");
        if hang { fs::write(reads, "").unwrap() } else { fs::remove_file(reads).unwrap() }
    }

    /// Each read takes 3 ms longer from now on.
    pub fn reads_are_slow(&self) {
        fs::write(self.folder.path().join("hang.slow-reads"), "").unwrap();
    }

    /// Each sync takes 0.3 s longer from now on.
    pub fn is_slow(&self) {
        fs::write(self.folder.path().join("hang.slow"), "").unwrap();
    }

    /// Each sync takes so many milliseconds longer from now on.
    pub fn is_slower_by(&self, ms: u64) {
        fs::write(self.folder.path().join("hang.slow"), ms.to_string()).unwrap();
    }

    pub async fn live(&self, key: &str) -> String {
        let state = self.get(&format!("/v1/flags/{key}")).await;
        state["live"].as_str().unwrap_or_default().to_owned()
    }
}

/// The disk hangs, so that a command that opens is given up, and then another asks for what the
/// flag still is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_so_already_holds_over_a_commit_that_was_given_up() {
    let lower = json!({ "realtime-v2": "10%", "reason": "a test" });
    let higher = json!({ "realtime-v2": "50%", "reason": "a test" });
    let stop = json!({ "reason": "still burning" });
    let resume = json!({ "reason": "looks fine" });
    // What comes first, what is given up, and what is asked for then.
    for (first, given_up, then, live) in [
        (("stop", &stop), ("resume", &resume), ("/v1/flags/f/stop", &stop), "STOPPED -> polling"),
        (("stop", &stop), ("resume", &resume), ("/v1/stop", &stop), "STOPPED -> polling"),
        (("set", &lower), ("set", &higher), ("/v1/flags/f/set", &lower), "realtime-v2 10%"),
    ] {
        let hanging = Hanging::start().await;
        let path = |verb: &str| format!("/v1/flags/f/{verb}");
        let (status, _) = hanging.order(&path(first.0), first.1.clone()).await;
        assert_eq!(status, 200);
        let before = hanging.made(given_up.0).await;
        hanging.hang();
        let (status, refused) = hanging.order(&path(given_up.0), given_up.1.clone()).await;
        assert_eq!((status, &refused["code"]), (503, &json!("outcome-unknown")), "{then:?}");
        let (status, done) = hanging.order(then.0, then.1.clone()).await;
        assert!(status < 300, "{then:?}: {done}");
        assert_eq!(done["inForce"], true, "{then:?}: {done}");
        hanging.go_on();
        wait_until("the given up commit to land", async || {
            hanging.made(given_up.0).await > before && hanging.is_settled().await
        })
        .await;
        assert_eq!(hanging.live("f").await, live, "{then:?}");
        // Nothing under way is left, so that it is as it is.
        let (_, done) = hanging.order(then.0, then.1.clone()).await;
        assert_eq!(done["outcome"], "unchanged", "{then:?}: {done}");
    }
}

/// Another program in the middle of a change.
pub async fn hold(program: &Program) -> SqliteConnection {
    let database = program.path("data/turnout.db");
    let mut other = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
}

/// A command that opens waits for the database, and the flag is stopped again before it gets its
/// turn.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_meanwhile_is_not_opened_by_a_command_that_waited() {
    let hanging = Hanging::start().await;
    let stop = json!({ "reason": "still burning" });
    // What the command waits for: the database, or a commit before it, which sets this share.
    for (path, share_before) in [
        ("/v1/flags/f/stop", None),
        ("/v1/flags/f/stop", Some("20%")),
        ("/v1/stop", None),
        ("/v1/stop", Some("30%")),
    ] {
        hanging.order("/v1/flags/f/stop", stop.clone()).await;
        hanging.settles("the first stop").await;
        let other = hold(&hanging.program).await;
        let commit = async || {
            let Some(share) = share_before else { return };
            let body = json!({ "realtime-v2": share, "reason": "a test" });
            hanging.order("/v1/flags/g/set", body).await;
        };
        let resume = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            hanging.order("/v1/flags/f/resume", json!({ "reason": "looks fine" })).await
        };
        let stopped = async {
            tokio::time::sleep(std::time::Duration::from_millis(400)).await;
            let stopping = hanging.order(path, stop.clone());
            let release = async {
                tokio::time::sleep(std::time::Duration::from_millis(150)).await;
                other.close().await.unwrap();
            };
            tokio::join!(stopping, release).0
        };
        let (_, (resumed, why), (status, done)) = tokio::join!(commit(), resume, stopped);
        assert!(status < 300, "{path}: {done}");
        assert_eq!(done["inForce"], true, "{path}: {done}");
        if share_before.is_some() {
            assert_eq!(
                (resumed, &why["code"]),
                (409, &json!("revision-conflict")),
                "{path}: {why}"
            );
        }
        hanging.settles("the second stop").await;
        assert_eq!(
            hanging.live("f").await,
            "STOPPED -> polling",
            "{path}, behind {share_before:?}"
        );
        hanging.order("/v1/flags/g/resume", json!({ "reason": "a test" })).await;
    }
}

/// A save is taken back while the commit that it caused is under way, or after that was given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_is_taken_back_does_not_stay_live_when_its_commit_lands() {
    for is_given_up in [false, true] {
        let hanging = Hanging::start().await;
        let (file, lower) = (hanging.program.path("flags/f.yaml"), at("f", "50%"));
        Save::Rename.save(&file, &lower);
        wait_until("the lower share", async || hanging.live("f").await == "realtime-v2 50%").await;
        hanging.settles("the lower share").await;
        hanging.hang();
        Save::Rename.save(&file, &at("f", "80%"));
        hanging.hangs().await;
        if is_given_up {
            let is_up = async || hanging.get("/v1/status").await["database"]["state"] == "up";
            wait_until("the commit is given up", async || !is_up().await).await;
            // The database is read again, where it has not landed yet.
            wait_until("the database is up at its old head", is_up).await;
        }
        Save::Rename.save(&file, &lower);
        // A later save that does not read shows that this one was read, and changes nothing.
        Save::Rename.save(&hanging.program.path("flags/g.yaml"), "flag: g\n");
        wait_until("both files are read", async || {
            hanging.get("/v1/problems").await.to_string().contains("g.yaml")
        })
        .await;
        let before = hanging.get("/v1/status").await["revision"].clone();
        hanging.go_on();
        wait_until("the higher share lands", async || {
            hanging.get("/v1/status").await["revision"] != before && hanging.is_settled().await
        })
        .await;
        wait_until("what the file says", async || hanging.live("f").await == "realtime-v2 50%")
            .await;
        assert_eq!(hanging.get("/v1/flags/f").await["drift"], false, "given up: {is_given_up}");
    }
}

/// A flag's first file was read, and its commit waits for the database or hangs. What stops the flag
/// then holds once it is there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_before_its_first_file_is_saved_stays_stopped() {
    for (then, hangs) in [
        ("/v1/flags/new/stop", false),
        ("/v1/stop", false),
        ("/v1/flags/new/stop", true),
        ("/v1/stop", true),
    ] {
        let hanging = Hanging::start().await;
        let other = if hangs { None } else { Some(hold(&hanging.program).await) };
        if hangs {
            hanging.hang();
        }
        Save::Rename.save(&hanging.program.path("flags/new.yaml"), &at("new", "100%"));
        if hangs {
            hanging.hangs().await;
        }
        let waits = async || hanging.get("/v1/problems").await.to_string().contains("files-wait");
        wait_until("the file waits", waits).await;
        let (status, done) = hanging.order(then, json!({})).await;
        assert!(status < 300 && done["inForce"] == true, "{then}: {status} {done}");
        match other {
            Some(other) => other.close().await.unwrap(),
            None => hanging.go_on(),
        }
        let is_there = async || hanging.live("new").await == "STOPPED -> polling";
        wait_until("the flag", async || hanging.is_settled().await && is_there().await).await;
        wait_until("its file", async || {
            !waits().await && hanging.get("/v1/flags/new").await["file"] == "realtime-v2 100%"
        })
        .await;
        hanging.settles("all of it").await;
        assert!(is_there().await, "{then}, hangs: {hangs}");
    }
}

/// A file is lowered while the commit of its raise hangs. The raise lands, and is not live until the
/// lowering is saved too.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_lowered_meanwhile_is_not_raised_by_a_commit_that_lands() {
    let off = at("f", "10%").replace("enabled: true", "enabled: false");
    for (lowered, live) in [(at("f", "5%"), "realtime-v2 5%"), (off, "off -> polling")] {
        let hanging = Hanging::start().await;
        let file = hanging.program.path("flags/f.yaml");
        let saved = async |text: &str, live: &str| {
            Save::Rename.save(&file, text);
            wait_until("the save", async || hanging.live("f").await == live).await;
        };
        saved(&at("f", "10%"), "realtime-v2 10%").await;
        hanging.settles("the lower share").await;
        hanging.hang();
        Save::Rename.save(&file, &at("f", "50%"));
        hanging.hangs().await;
        saved(&lowered, live).await;
        hanging.is_slow();
        let before = hanging.get("/v1/status").await["revision"].clone();
        hanging.go_on();
        wait_until("the raise and the lowering are saved", async || {
            assert_eq!(hanging.live("f").await, live);
            hanging.get("/v1/status").await["revision"] != before && hanging.is_settled().await
        })
        .await;
    }
}

/// A new flag is given up again while the commit of its first file hangs. A stop of it holds until
/// it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_is_given_up_before_its_first_file_is_saved_can_be_stopped() {
    for then in ["/v1/flags/new/stop", "/v1/stop"] {
        let hanging = Hanging::start().await;
        hanging.hang();
        let file = hanging.program.path("flags/new.yaml");
        Save::Rename.save(&file, &at("new", "100%"));
        hanging.hangs().await;
        fs::write(hanging.program.path("flags/retired.txt"), "new\n").unwrap();
        fs::remove_file(&file).unwrap();
        // A later save that does not read shows that this one was read.
        Save::Rename.save(&hanging.program.path("flags/g.yaml"), "flag: g\n");
        wait_until("both files are read", async || {
            hanging.get("/v1/problems").await.to_string().contains("g.yaml")
        })
        .await;
        let (status, done) = hanging.order(then, json!({})).await;
        assert!(status < 300 && done["inForce"] == true, "{then}: {status} {done}");
        let opened = async {
            hanging.go_on();
            while !hanging.is_settled().await {
                let live = hanging.live("new").await;
                assert!(live.is_empty() || live == "STOPPED -> polling", "{then}: {live}");
            }
        };
        opened.await;
    }
}
