//! What full-stack tests share: a real service on a free port, and ways of saving a file.
#![allow(dead_code)] // Each test file uses its own part.

pub mod announced;
pub mod contract;
pub mod databases;
pub mod forgery;
pub mod guarded;
pub mod in_time;
pub mod issuer;
pub mod operators;
pub mod program;
pub mod random;
pub mod raw;
pub mod readings;
pub mod typed;
pub mod watcher;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::app::{App, StartError, StartupPhase};
use turnout::clock::Clock;
use turnout::config::{AuthConfig, Config};
use turnout::data_dir::DataError;
use turnout::flag::ServerAuth;
use turnout::http::{Limits, StreamLimits};
use turnout::public_path::PublicPath;
use turnout::webhook::WebhookConfig;

/// A running service over a folder of its own.
pub struct Service {
    pub app: App,
    pub config: Config,
    pub flags: PathBuf,
    pub data: PathBuf,
    pub client: reqwest::Client,
    /// What every start of this service goes by.
    clock: Clock,
    home: TempDir,
}

/// Starts an app. A task of the one before, in the same process, may hold the folder a moment longer.
async fn start(clock: &Clock, config: Config) -> App {
    let begun = Instant::now();
    loop {
        match App::start_by(clock.clone(), config.clone(), StartupPhase::new("")).await {
            Err(StartError::Data(DataError::InUse(_))) if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            started => return started.unwrap(),
        }
    }
}

impl Service {
    pub async fn start(files: &[(&str, &str)]) -> Service {
        Service::start_with(files, ServerAuth::Off, &[]).await
    }

    pub async fn start_with(
        files: &[(&str, &str)],
        server_auth: ServerAuth,
        internal: &[&str],
    ) -> Service {
        let (home, flags) = folder(files);
        Service::over(home, flags, server_auth, internal, AuthConfig::default(), Limits::default())
            .await
    }

    /// A service with credentials configured.
    pub async fn start_guarded(files: &[(&str, &str)], access: AuthConfig) -> Service {
        let (home, flags) = folder(files);
        Service::over(home, flags, ServerAuth::Off, &[], access, Limits::default()).await
    }

    pub async fn start_limited(files: &[(&str, &str)], limits: Limits) -> Service {
        let (home, flags) = folder(files);
        Service::over(home, flags, ServerAuth::Off, &[], AuthConfig::default(), limits).await
    }

    /// A service whose folder does not exist yet.
    pub async fn start_without_folder() -> Service {
        let home = TempDir::new().unwrap();
        let flags = home.path().join("flags");
        Service::over(home, flags, ServerAuth::Off, &[], AuthConfig::default(), Limits::default())
            .await
    }

    async fn over(
        home: TempDir,
        flags: PathBuf,
        server_auth: ServerAuth,
        internal: &[&str],
        access: AuthConfig,
        limits: Limits,
    ) -> Service {
        let internal_user_ids = internal.iter().map(|id| (*id).to_owned()).collect();
        let config =
            Config { flags, internal_user_ids, server_auth, access, limits, ..config(home.path()) };
        Service::configured(home, config).await
    }

    /// A service that uses this clock until it is restarted.
    pub async fn start_by(clock: Clock, files: &[(&str, &str)]) -> Service {
        let (home, _) = folder(files);
        let config = config(home.path());
        Service::clocked(home, config, clock).await
    }

    /// A service that a proxy serves below a path.
    pub async fn start_below(path: &str, files: &[(&str, &str)]) -> Service {
        let (home, _) = folder(files);
        let config = Config { public_path: path.parse().unwrap(), ..config(home.path()) };
        Service::configured(home, config).await
    }

    /// A service with a webhook.
    pub async fn start_telling(files: &[(&str, &str)], webhook: WebhookConfig) -> Service {
        let (home, _) = folder(files);
        let config = Config { webhook: Some(webhook), ..config(home.path()) };
        Service::configured(home, config).await
    }

    /// A service over existing folders, in `flags` and `data`.
    pub async fn start_in(home: TempDir) -> Service {
        let config = config(home.path());
        Service::configured(home, config).await
    }

    /// A service over the folders of `home`, with these settings.
    pub async fn start_as(home: TempDir, config: Config) -> Service {
        Service::configured(home, config).await
    }

    async fn configured(home: TempDir, config: Config) -> Service {
        Service::clocked(home, config, Clock::default()).await
    }

    async fn clocked(home: TempDir, config: Config, clock: Clock) -> Service {
        let (flags, data) = (config.flags.clone(), config.data.clone());
        let app = start(&clock, config.clone()).await;
        // Without TLS, and so without reading the machine's certificates for each service.
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        Service { app, config, flags, data, client, clock, home }
    }

    /// A service without room for a stream.
    pub async fn start_crowded(files: &[(&str, &str)]) -> Service {
        Service::start_streaming(files, StreamLimits { streams: 0, ..StreamLimits::default() })
            .await
    }

    pub async fn start_streaming(files: &[(&str, &str)], streams: StreamLimits) -> Service {
        Service::start_streaming_guarded(files, streams, AuthConfig::default()).await
    }

    pub async fn start_streaming_guarded(
        files: &[(&str, &str)],
        streams: StreamLimits,
        access: AuthConfig,
    ) -> Service {
        let (home, _) = folder(files);
        let config = Config { streams, access, ..config(home.path()) };
        Service::configured(home, config).await
    }

    /// Ends it in good order; [`restart`](Service::restart) brings it back.
    pub async fn stop(&mut self) {
        self.end(true).await;
    }

    /// Ends it as a kill would: nothing more is written.
    pub async fn crash(&mut self) {
        self.end(false).await;
    }

    /// Restarts it on what it left.
    pub async fn restart(&mut self) {
        self.app = start(&self.clock, self.config.clone()).await;
    }

    /// Restarts it and accepts the database it finds.
    pub async fn accept_database(&mut self) {
        let config = Config { accept_database: true, ..self.config.clone() };
        self.app = start(&self.clock, config).await;
    }

    /// Ends it as a kill would, right after something was done: it has no time to write more.
    pub async fn crash_right_after(&mut self, act: impl AsyncFnOnce(&Service)) {
        let stand_in = self.stand_in().await;
        act(self).await;
        std::mem::replace(&mut self.app, stand_in).abandon().await;
    }

    async fn end(&mut self, in_order: bool) {
        let stand_in = self.stand_in().await;
        let app = std::mem::replace(&mut self.app, stand_in);
        if in_order { app.stop().await } else { app.abandon().await }
    }

    /// A service without any state must stand in the place of the old one.
    async fn stand_in(&self) -> App {
        let nowhere = self.home.path().join(format!("nowhere-{}", self.app.address().port()));
        let config =
            Config { flags: nowhere.clone(), data: nowhere, webhook: None, ..self.config.clone() };
        start(&self.clock, config).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.address())
    }

    pub async fn admin(&self, path: &str) -> reqwest::Response {
        self.client.get(self.admin_url(path)).bearer_auth(self.token()).send().await.unwrap()
    }

    pub fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.admin_address())
    }

    /// The data folder's own credential.
    pub fn token(&self) -> String {
        fs::read_to_string(self.data.join("admin.token")).unwrap().trim().to_owned()
    }

    /// A command as an operator gives it.
    pub async fn order(&self, path: &str, body: Json) -> reqwest::Response {
        self.client
            .post(self.admin_url(path))
            .bearer_auth(self.token())
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        self.client.post(self.url(path)).body(body).send().await.unwrap()
    }

    /// The strategy document of one user.
    pub async fn ask(&self, flag: &str, user: &str) -> Json {
        let response = self
            .post(&format!("/v1/strategy/{flag}"), json!({ "targetingKey": user }).to_string())
            .await;
        response.json().await.unwrap()
    }

    pub async fn strategy(&self, flag: &str, user: &str) -> String {
        self.ask(flag, user).await["strategy"].as_str().unwrap().to_owned()
    }

    pub fn revision(&self) -> u64 {
        self.app.coordinator().live().current().position().revision
    }

    /// Waits until a revision is live.
    pub async fn reach(&self, revision: u64) {
        let mut positions = self.app.coordinator().live().positions();
        let reached = positions.wait_for(|position| position.revision >= revision);
        tokio::time::timeout(PATIENCE, reached)
            .await
            .unwrap_or_else(|_| panic!("revision {revision} never came"))
            .unwrap();
    }

    /// Waits until the probe counts this many problems.
    pub async fn reach_problems(&self, wanted: impl Fn(u64) -> bool) {
        wait_until("the expected number of problems", async || {
            let ready: Json =
                self.client.get(self.url("/readyz")).send().await.unwrap().json().await.unwrap();
            wanted(ready["problems"].as_u64().unwrap())
        })
        .await;
    }
}

/// The settings of a service over the folders of `home`.
pub fn config(home: &Path) -> Config {
    Config {
        flags: home.join("flags"),
        data: home.join("data"),
        accept_database: false,
        may_be_new: true,
        listen: "127.0.0.1:0".parse().unwrap(),
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        public_path: PublicPath::default(),
        internal_user_ids: Vec::new(),
        server_auth: ServerAuth::Off,
        access: AuthConfig::default(),
        limits: Limits::default(),
        streams: StreamLimits::default(),
        events_max_bytes: 1024 * 1024 * 1024,
        webhook: None,
    }
}

fn folder(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let home = TempDir::new().unwrap();
    let flags = home.path().join("flags");
    fs::create_dir_all(flags.join("segments")).unwrap();
    files.iter().for_each(|(path, text)| fs::write(flags.join(path), text).unwrap());
    (home, flags)
}

/// Long enough for a busy machine: when it is over, the state never came.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a state, at first and at most: each look may cost more than what is waited
/// for.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(40);

/// Polls for a state.
pub async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut pause = FIRST_PAUSE;
        while !holds().await {
            tokio::time::sleep(pause).await;
            pause = (pause * 5 / 4).min(LONGEST_PAUSE);
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never came: {what}"));
}

/// How often a folder is changed in each way: 20 times, or as `TURNOUT_ROUNDS` says.
pub fn rounds() -> usize {
    std::env::var("TURNOUT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20)
}

/// A minimal flag with further lines.
pub fn flag(key: &str, more: &str) -> String {
    format!(
        "version: 1\nflag: {key}\nenabled: true\ndefault: polling\nwhen_stopped: polling\n{more}\n"
    )
}

/// How people and programs save files.
#[derive(Clone, Copy, Debug)]
pub enum Save {
    /// A temporary file renamed over the old one, as most editors do.
    Rename,
    /// Truncated and written again.
    InPlace,
    /// Truncated and written in slices.
    Slowly,
    /// Deleted and made again.
    Recreate,
}

impl Save {
    pub const ALL: [Save; 4] = [Save::Rename, Save::InPlace, Save::Slowly, Save::Recreate];

    pub fn save(self, path: &Path, text: &str) {
        match self {
            Save::Rename => {
                let temporary = path.with_extension("tmp");
                fs::write(&temporary, text).unwrap();
                fs::rename(&temporary, path).unwrap();
            }
            Save::InPlace => fs::write(path, text).unwrap(),
            Save::Slowly => {
                let mut file = fs::File::create(path).unwrap();
                for slice in text.as_bytes().chunks(text.len().div_ceil(8).max(1)) {
                    file.write_all(slice).unwrap();
                    file.sync_data().unwrap();
                    std::thread::sleep(Duration::from_millis(30));
                }
            }
            Save::Recreate => {
                fs::remove_file(path).unwrap();
                fs::write(path, text).unwrap();
            }
        }
    }
}
