//! A service whose database is away, or is older than the one it served.

use std::fs;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::{Service, wait_until};

/// The state of a service's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    There,
    Away,
    Held,
}

impl Database {
    pub const ALL: [Database; 3] = [Database::There, Database::Away, Database::Held];
}

impl Service {
    pub fn database(&self) -> PathBuf {
        self.data.join("turnout.db")
    }

    /// As the admin listener reports it: `up`, `down` or `held`.
    pub async fn database_state(&self) -> String {
        let status: Json = self.admin("/v1/status").await.json().await.unwrap();
        status["database"]["state"].as_str().unwrap().to_owned()
    }

    /// Waits until the live state is in the last good state.
    pub async fn saves_last_good(&self) {
        let revision = self.revision();
        wait_until("the live state to be in the last good state", async || {
            let saved = self.app.coordinator().store_status().saved_head;
            saved.is_some_and(|head| head.revision == revision)
        })
        .await;
    }

    pub async fn reach_database_state(&self, state: &str) {
        wait_until(&format!("the database to be {state}"), async || {
            self.database_state().await == state
        })
        .await;
    }

    /// Copies the current database, for [`put_back_database`](Service::put_back_database); the
    /// service is not running then.
    pub async fn copy_database(&mut self, name: &str) {
        self.stop().await;
        fs::copy(self.database(), self.data.join(name)).unwrap();
        self.restart().await;
    }

    /// Ends the service and replaces its database by a copy.
    pub async fn put_back_database(&mut self, name: &str) {
        self.stop().await;
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(self.data.join(format!("turnout.db{ending}")));
        }
        fs::copy(self.data.join(name), self.database()).unwrap();
    }

    /// Moves the database away under the running service, and waits until that is noticed.
    pub async fn take_database_away(&self) {
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::rename(
                self.data.join(format!("turnout.db{ending}")),
                self.data.join(format!("away.db{ending}")),
            );
        }
        self.reach_database_state("down").await;
    }

    /// Brings the database back, and waits until all is saved.
    pub async fn bring_database_back(&self) {
        for ending in ["-wal", "-shm", ""] {
            let _ = fs::rename(
                self.data.join(format!("away.db{ending}")),
                self.data.join(format!("turnout.db{ending}")),
            );
        }
        wait_until("the database to be up again, with nothing pending", async || {
            let status: Json = self.admin("/v1/status").await.json().await.unwrap();
            status["database"]["state"] == "up" && status["pending"] == 0
        })
        .await;
    }

    /// Brings the database into a state. A held one is as it was when a copy was made of it under
    /// this name.
    pub async fn bring_database(&mut self, to: Database, copy: &str) {
        match to {
            Database::There => {}
            Database::Away => self.take_database_away().await,
            Database::Held => {
                self.put_back_database(copy).await;
                self.restart().await;
                self.reach_database_state("held").await;
            }
        }
    }
}
