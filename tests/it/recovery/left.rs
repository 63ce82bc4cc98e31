//! What may be left in a data folder: the database, the last good state and the journal, each
//! intact, damaged, older or of a newer build, in every combination.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use crate::support::{Service, flag};

const ALL: &str = "rollout: { realtime-v2: 100% }";
/// Stopped by an operator; held at 10 %; as its file says; stopped while the database was away, and
/// so in the journal alone.
pub const FLAGS: [&str; 4] = ["halted", "held", "open", "journaled"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Absent,
    Good,
    Damaged,
    /// From before any flag was stopped or held.
    Older,
    OfNewerBuild,
}

impl State {
    pub const ALL: [State; 5] =
        [State::Absent, State::Good, State::Damaged, State::Older, State::OfNewerBuild];
}

/// One data folder at two moments.
pub struct Template(pub TempDir);

impl Template {
    pub async fn make() -> Template {
        let template = Template(TempDir::new().unwrap());
        let files = FLAGS.map(|key| (format!("{key}.yaml"), flag(key, ALL)));
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (&**name, &**text)).collect();
        let mut service = Service::start(&files).await;
        copy(&service.flags, &template.0.path().join("flags"));
        service.stop().await;
        copy(&service.data, &template.0.path().join("older"));
        service.restart().await;
        for (path, body) in [
            ("held/set", json!({ "realtime-v2": "10%" })),
            ("halted/stop", json!({ "reason": "incident" })),
        ] {
            assert_eq!(service.order(&format!("/v1/flags/{path}"), body).await.status(), 200);
            // Each is a state of its own, so that the state before the last one exists too.
            service.saves_last_good().await;
        }
        service.stop().await;
        let database = service.database();
        service.restart().await;
        fs::rename(&database, service.data.join("away")).unwrap();
        let stop = service.order("/v1/flags/journaled/stop", json!({})).await;
        assert_eq!(stop.status(), 202);
        service.crash().await;
        fs::rename(service.data.join("away"), &database).unwrap();
        copy(&service.data, &template.0.path().join("good"));
        template
    }

    /// A home with a flags folder, and with a data folder in this state. If everything is absent,
    /// the data folder is empty.
    pub async fn leave(&self, database: State, last_good: State, journal: State) -> TempDir {
        let home = TempDir::new().unwrap();
        copy(&self.0.path().join("flags"), &home.path().join("flags"));
        let data = home.path().join("data");
        fs::create_dir(&data).unwrap();
        if [database, last_good, journal] == [State::Absent; 3] {
            return home;
        }
        // Files that are not witnesses, and the state before the last good one, are always there.
        for name in ["admin.token", "last-good.1"] {
            fs::copy(self.0.path().join("good").join(name), data.join(name)).unwrap();
        }
        for (state, names) in [
            (database, &["turnout.db", "turnout.db-wal"][..]),
            (last_good, &["last-good"][..]),
            (journal, &["pending.journal"][..]),
        ] {
            let moment = if state == State::Older { "older" } else { "good" };
            for name in names.iter().filter(|_| state != State::Absent) {
                let _ = fs::copy(self.0.path().join(moment).join(name), data.join(name));
            }
        }
        match database {
            State::Damaged => overwrite(&data.join("turnout.db"), 0, &[0; 4096]),
            State::OfNewerBuild => {
                sql(&data.join("turnout.db"), "UPDATE formats SET format = 9, min_reader = 9")
                    .await;
            }
            _ => {}
        }
        match last_good {
            State::Damaged => flip(&data.join("last-good"), |bytes| bytes.len() / 2),
            State::OfNewerBuild => {
                let text = fs::read(data.join("last-good")).unwrap();
                let text =
                    [b"turnout-last-good-9.9,", &text[b"turnout-last-good-3.3,".len()..]].concat();
                fs::write(data.join("last-good"), text).unwrap();
            }
            _ => {}
        }
        match journal {
            // The text of its only entry.
            State::Damaged => flip(&data.join("pending.journal"), |bytes| find(bytes, b"\"atMs\"")),
            State::OfNewerBuild => {
                for slot in [0, 4096] {
                    overwrite(&data.join("pending.journal"), slot, &newer_header());
                }
            }
            _ => {}
        }
        home
    }
}

/// A slot of the journal's header as a newer build may write it.
fn newer_header() -> Vec<u8> {
    let text = b"?";
    let mut slot = b"\0Journl\xff".to_vec();
    slot.extend_from_slice(&9_u16.to_le_bytes());
    slot.extend_from_slice(&9_u16.to_le_bytes());
    slot.extend_from_slice(&(text.len() as u32).to_le_bytes());
    let sum = Sha256::new().chain_update(&slot).chain_update(text).finalize();
    slot.extend_from_slice(&sum[..16]);
    slot.extend_from_slice(text);
    slot
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            // A temporary file that replaces another one may be gone by now.
            match fs::copy(entry.path(), to.join(entry.file_name())) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
    }
}

pub fn flip(path: &Path, place: impl FnOnce(&[u8]) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = place(&bytes);
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

pub fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

fn overwrite(path: &Path, at: usize, with: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at..at + with.len()].copy_from_slice(with);
    fs::write(path, bytes).unwrap();
}

async fn sql(path: &Path, statement: &'static str) {
    let mut connection: SqliteConnection = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        .connect()
        .await
        .unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
