//! The real program over folders of its own, with its log lines and its signals.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::data_dir::Addresses;

use super::{PATIENCE, wait_until};

/// A process that does not outlive its test.
pub struct Program {
    child: Child,
    pub home: TempDir,
    said: Arc<Mutex<String>>,
    pub client: reqwest::Client,
}

/// A folder for a program: `flags` holds these files, and there is room for more beside it.
pub fn home(files: &[(&str, &str)]) -> TempDir {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("flags")).unwrap();
    files
        .iter()
        .for_each(|(name, text)| fs::write(home.path().join("flags").join(name), text).unwrap());
    home
}

impl Program {
    /// Starts it with its log read all the time.
    pub fn start(home: TempDir, settings: &[(&str, &str)]) -> Program {
        let (reader, writer) = std::io::pipe().unwrap();
        let program = Program::start_unread(home, settings, writer);
        program.read(reader);
        program
    }

    /// Starts it with a pipe as stderr that the test reads or does not.
    pub fn start_unread(home: TempDir, settings: &[(&str, &str)], stderr: PipeWriter) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
        for (name, _) in std::env::vars()
            .filter(|(name, _)| name.starts_with("TURNOUT_") || name == "INTERNAL_USER_IDS")
        {
            command.env_remove(name);
        }
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command
            .arg("--flags")
            .arg(home.path().join("flags"))
            .arg("--data")
            .arg(home.path().join("data"));
        command
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        let child = command.spawn().unwrap();
        // A program that hangs fails its test.
        let client =
            reqwest::Client::builder().tls_certs_only([]).timeout(PATIENCE).build().unwrap();
        Program { child, home, said: Arc::default(), client }
    }

    /// Keeps every line from here on.
    pub fn read(&self, from: PipeReader) {
        let said = self.said.clone();
        let lines = BufReader::new(from).lines().map_while(Result::ok);
        std::thread::spawn(move || lines.for_each(|line| *said.lock().unwrap() += &(line + "\n")));
    }

    /// Every line so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Waits until it logged these words this many times.
    pub async fn says_times(&self, words: &str, times: usize) {
        wait_until(words, async || self.said().matches(words).count() >= times).await;
    }

    pub async fn says(&self, words: &str) {
        self.says_times(words, 1).await;
    }

    /// Waits until it serves.
    pub async fn serves(&self) {
        wait_until("the addresses", async || self.addresses().is_some()).await;
    }

    fn addresses(&self) -> Option<Addresses> {
        Addresses::read(&self.path("data")).unwrap()
    }

    /// An address of the public listener.
    pub fn url(&self, path: &str) -> String {
        self.addresses().unwrap().public + path
    }

    pub fn admin_url(&self, path: &str) -> String {
        self.addresses().unwrap().admin + path
    }

    pub async fn strategy(&self, flag: &str, user: &str) -> String {
        let body = json!({ "targetingKey": user }).to_string();
        let answer = self
            .client
            .post(self.url(&format!("/v1/strategy/{flag}")))
            .body(body)
            .send()
            .await
            .unwrap();
        answer.json::<Json>().await.unwrap()["strategy"].as_str().unwrap().to_owned()
    }

    pub fn token(&self) -> String {
        fs::read_to_string(self.path("data/admin.token")).unwrap().trim().to_owned()
    }

    /// A command of the local admin.
    pub async fn order(&self, path: &str, body: Json) -> reqwest::Response {
        self.client
            .post(self.admin_url(path))
            .bearer_auth(self.token())
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, and returns its exit code.
    pub async fn exit(&mut self) -> Option<i32> {
        wait_until("the end of the program", async || !self.is_running()).await;
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a named pipe, which blocks a program that opens it carelessly.
pub fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
