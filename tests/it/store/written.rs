//! A database that a test writes by itself, without a service: as large and as odd as needed.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use turnout::flag::FlagKey;
use turnout::ledger::{
    Action, Attribution, Blobs, Change, ChangeSource, ContentHash, FlagRecord, Head, Revision,
};
use turnout::store::{Commit, ExpectedHistory, Store, StoreError};

/// The other program's name in the history.
pub const OTHER: &str = "another-program";
/// How long a verification may read nothing.
pub const SILENCE: Duration = Duration::from_secs(60);

pub struct Written {
    pub store: Store,
    /// The head of its history.
    pub head: Head,
    home: TempDir,
}

impl Written {
    pub async fn new() -> Written {
        let home = TempDir::new().unwrap();
        Store::make_sqlite(&home.path().join("turnout.db"), "test").await.unwrap();
        let store = Store::open_sqlite(&home.path().join("turnout.db")).await.unwrap();
        Written { store, head: Head::none(), home }
    }

    pub fn path(&self) -> PathBuf {
        self.home.path().join("turnout.db")
    }

    /// Opens the same file once more, as another node would.
    pub async fn again(&self) -> Store {
        Store::open_sqlite(&self.path()).await.unwrap()
    }

    /// A revision of these changes, after the newest.
    pub fn next(&self, changes: Vec<Change>) -> Revision {
        Revision {
            revision: self.head.revision + 1,
            committed_at_ms: self.head.committed_at_ms + 1,
            effective_at_ms: self.head.committed_at_ms + 1,
            actor: "test".into(),
            origin: ChangeSource::Api,
            reason: None,
            idempotency_key: None,
            changes,
        }
    }

    pub async fn commit(&mut self, changes: Vec<Change>, blobs: &Blobs) {
        let revision = self.next(changes);
        let mut staging = self.store.stage_blobs(blobs).await;
        while !staging.is_done() {
            staging.step().await.unwrap();
        }
        let commit =
            Commit { revision: &revision, expected_head: &self.head, blobs, request: None };
        self.store.commit(commit).await.unwrap();
        self.head = revision.head(&self.head, None);
        assert_eq!(self.store.head().await.unwrap().1, self.head);
    }

    pub async fn sql(&self, statements: &str) {
        let mut database =
            SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }

    pub async fn faults(&self) -> Vec<String> {
        let kept = ExpectedHistory { epoch: Some("test".to_owned()), head: Some(self.head) };
        self.store.verify(&kept, SILENCE).await.unwrap().faults
    }
}

/// Commits as another program would, and returns the revision: if the server was faster, it looks at the
/// head and tries again.
pub async fn commit_as_another(store: &Store, changes: &[Change], blobs: &Blobs) -> u64 {
    let mut staging = store.stage_blobs(blobs).await;
    while !staging.is_done() {
        staging.step().await.unwrap();
    }
    loop {
        let (_, head) = store.head().await.unwrap();
        let revision = Revision {
            revision: head.revision + 1,
            committed_at_ms: head.committed_at_ms,
            effective_at_ms: head.committed_at_ms,
            actor: OTHER.into(),
            origin: ChangeSource::Api,
            reason: None,
            idempotency_key: None,
            changes: changes.to_vec(),
        };
        let commit = Commit { revision: &revision, expected_head: &head, blobs, request: None };
        match store.commit(commit).await {
            Ok(()) => return revision.revision,
            Err(StoreError::Moved) => {}
            Err(error) => panic!("{}", error.chain()),
        }
    }
}

/// A flag that is given its definition, and the definition's text, of at least this many bytes.
pub fn defined(key: &str, bytes: usize) -> (Change, ContentHash, Bytes) {
    let text = Bytes::from(format!(
        "# {}\n{}",
        "x".repeat(bytes),
        crate::support::flag(key, "rollout: { realtime-v2: 10% }")
    ));
    let id = ContentHash::of(&text);
    let record = FlagRecord { definition: Some(id), ..FlagRecord::default() };
    let key: FlagKey = key.parse().unwrap();
    (Change::of_flag(&key, Action::Define, None, Some(record)), id, text)
}

/// The stop of a flag that a change defined.
pub fn stopped(change: &Change) -> Change {
    let Some(turnout::ledger::Record::Flag(before)) = change.after.clone() else {
        panic!("not a flag's")
    };
    let turnout::ledger::Subject::Flag(key) = &change.subject else { panic!("not a flag") };
    let stop = Attribution {
        by: "oncall".into(),
        at_ms: 1,
        reason: Some("incident".to_owned()),
        unknown: Default::default(),
    };
    Change::of_flag(
        key,
        Action::Stop,
        Some(before.clone()),
        Some(FlagRecord { stop: Some(stop), ..before }),
    )
}
