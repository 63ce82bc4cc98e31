//! The embedded database: WAL, every commit synced, one writer.

use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqlSafeStr};
use tokio::sync::Mutex;

use super::{Commit, Loaded, MAX_FAULTS, MAX_PAGE, Page, StoreError, Stored, Verdict, row, texts, writer::Writer};
use crate::token::Credential;
use crate::truth::{ContentId, FlagRecord, Forms, Head, PastStep, Record, Subject, Texts};

/// How long a commit waits for another program that holds the file.
const BUSY: Duration = Duration::from_millis(800);
/// The first SQLite whose WAL is safe with several connections.
const SAFE_VERSION: [u32; 3] = [3, 51, 3];

/// A connection that writes and one that reads beside it.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    /// Which file it was when it was opened: a deleted one would take every write and lose it.
    file: (u64, u64),
    writer: Writer,
    reader: Mutex<SqliteConnection>,
}

impl Sqlite {
    pub async fn open(path: &Path, fresh_epoch: &str, may_create: bool) -> Result<Sqlite, StoreError> {
        let io = |source| StoreError::Database { doing: "open the database file", source: sqlx::Error::Io(source) };
        if !path.exists() {
            if !may_create {
                return Err(StoreError::NoFile);
            }
            // Before SQLite would, to be its owner's alone.
            std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(io)?;
        }
        let metadata = std::fs::metadata(path).map_err(io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let connect = async || options.connect().await.map_err(StoreError::doing("open the database file"));
        let mut writer = connect().await?;
        check_version(&mut writer).await?;
        migrator().run_direct(None, &mut writer, false).await.map_err(StoreError::Migrate)?;
        sqlx::query("INSERT INTO head VALUES (1, $1, 0, $2, 0) ON CONFLICT DO NOTHING")
            .bind(fresh_epoch)
            .bind(Head::none().hash.to_string())
            .execute(&mut writer)
            .await
            .map_err(StoreError::doing("name the database"))?;
        let mut reader = connect().await?;
        // What it read stays in memory as far as this goes; the system keeps the pages of the file anyway.
        sqlx::query("PRAGMA cache_size = -256")
            .execute(&mut reader)
            .await
            .map_err(StoreError::doing("open the database file"))?;
        let file = (metadata.dev(), metadata.ino());
        let writer = Writer::new(options, writer);
        Ok(Sqlite { path: path.to_owned(), file, writer, reader: Mutex::new(reader) })
    }

    pub async fn head(&self) -> Result<(String, Head), StoreError> {
        self.check_file()?;
        let row = sqlx::query("SELECT * FROM head").fetch_one(&mut *self.reader.lock().await).await;
        row::head(&row.map_err(StoreError::doing("read the head"))?)
    }

    pub async fn load(&self, at_hand: &Texts) -> Result<Loaded, StoreError> {
        self.check_file()?;
        let mut reader = self.reader.lock().await;
        let mut reading = reader.begin().await.map_err(StoreError::doing("read"))?;
        let head = sqlx::query("SELECT * FROM head").fetch_one(&mut *reading).await;
        let (epoch, head) = row::head(&head.map_err(StoreError::doing("read the head"))?)?;
        let rows = sqlx::query("SELECT * FROM subjects").fetch_all(&mut *reading).await;
        let (mut subjects, mut poison) = (Vec::new(), Vec::new());
        for row in rows.map_err(StoreError::doing("read the subjects"))? {
            match row::subject_row(&row) {
                Ok(subject) => subjects.push(subject),
                Err(bad) => poison.push(bad),
            }
        }
        let ids: Vec<ContentId> = subjects.iter().flat_map(|row| text_ids(&row.record)).collect();
        let texts = texts::read(&mut reading, &ids, at_hand).await?;
        let tokens = read_tokens(&mut reading).await?;
        Ok(Loaded { epoch, head, subjects, texts, tokens, poison })
    }

    pub async fn commit(&self, commit: Commit<'_>) -> Result<(), StoreError> {
        self.check_file()?;
        self.writer.commit(&commit).await?;
        // A file that was unlinked meanwhile took the commit with it.
        self.check_file().map_err(|_| StoreError::Lost)
    }

    pub async fn by_idempotency_key(&self, key: &str) -> Result<Option<(String, u64)>, StoreError> {
        let query = sqlx::query("SELECT request, revision FROM idempotency WHERE idempotency_key = $1").bind(key.to_owned());
        let row = query.fetch_optional(&mut *self.reader.lock().await).await;
        let row = row.map_err(StoreError::doing("look an idempotency key up"))?;
        Ok(row.map(|row| (row.get("request"), row.get::<i64, _>("revision") as u64)))
    }

    pub async fn history(&self, page: &Page) -> Result<Vec<Stored>, StoreError> {
        const ALL: &str = "SELECT * FROM revisions WHERE revision < $1 AND revision > $2 ORDER BY revision DESC LIMIT $3";
        const OF_FLAG: &str = "SELECT * FROM revisions WHERE revision < $1 AND revision > $2 AND revision IN \
            (SELECT revision FROM changes WHERE kind = 'flag' AND subject = $4 AND revision < $1 AND revision > $2 \
             ORDER BY revision DESC LIMIT $3) ORDER BY revision DESC LIMIT $3";
        let before = page.before.map_or(i64::MAX, |before| before.min(i64::MAX as u64) as i64);
        let after = page.after.map_or(0, |after| after.min(i64::MAX as u64) as i64);
        let query = sqlx::query(if page.flag.is_some() { OF_FLAG } else { ALL });
        let query = query.bind(before).bind(after).bind(i64::from(page.limit.min(MAX_PAGE)));
        let query = match &page.flag {
            Some(flag) => query.bind(flag.clone()),
            None => query,
        };
        let mut reader = self.reader.lock().await;
        let mut reading = reader.begin().await.map_err(StoreError::doing("read"))?;
        let rows = query.fetch_all(&mut *reading).await.map_err(StoreError::doing("read the history"))?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut stored = row::revision(row)?;
            stored.revision.changes = read_changes(&mut reading, stored.revision.revision).await?;
            found.push(stored);
        }
        Ok(found)
    }

    pub async fn steps(&self, flag: &str, before: u64) -> Result<Vec<PastStep>, StoreError> {
        const STEPS: &str = "SELECT * FROM changes WHERE kind = 'flag' AND subject = $1 AND revision < $2 \
            ORDER BY revision DESC LIMIT $3";
        let query = sqlx::query(STEPS).bind(flag.to_owned()).bind(before.min(i64::MAX as u64) as i64).bind(i64::from(MAX_PAGE));
        let rows = query.fetch_all(&mut *self.reader.lock().await).await;
        let rows = rows.map_err(StoreError::doing("read the history"))?;
        rows.iter().map(|row| row::change(row).map(|(revision, change)| PastStep { revision, action: change.action })).collect()
    }

    pub async fn flag_at(&self, flag: &str, revision: u64) -> Result<Option<(FlagRecord, Forms)>, StoreError> {
        const AT: &str = "SELECT * FROM changes WHERE kind = 'flag' AND subject = $1 AND revision <= $2 \
            ORDER BY revision DESC LIMIT 1";
        let mut reader = self.reader.lock().await;
        let query = sqlx::query(AT).bind(flag.to_owned()).bind(revision.min(i64::MAX as u64) as i64);
        let row = query.fetch_optional(&mut *reader).await.map_err(StoreError::doing("read the history"))?;
        let Some(row) = row else { return Ok(None) };
        let Some(Record::Flag(record)) = row::change(&row)?.1.after else { return Ok(None) };
        let texts = texts::read(&mut reader, &record.texts().collect::<Vec<_>>(), &Texts::new()).await?;
        Ok(Some((record, Forms { texts, ..Forms::default() })))
    }

    pub async fn earlier(&self, subject: &Subject) -> Result<Vec<String>, StoreError> {
        const EARLIER: &str = "SELECT record_after FROM changes WHERE kind = $1 AND subject = $2 AND record_after IS NOT NULL \
            ORDER BY revision DESC LIMIT 100";
        let query = sqlx::query(EARLIER).bind(subject.kind()).bind(subject.key().to_owned());
        let rows = query.fetch_all(&mut *self.reader.lock().await).await;
        let rows = rows.map_err(StoreError::doing("read the history"))?;
        Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
    }

    pub async fn texts(&self, ids: &[ContentId]) -> Result<Texts, StoreError> {
        texts::read(&mut *self.reader.lock().await, ids, &Texts::new()).await
    }

    pub async fn verify(&self, kept: Option<Head>) -> Result<Verdict, StoreError> {
        self.check_file()?;
        let mut verdict = Verdict { revisions: 0, faults: Vec::new() };
        let mut reader = self.reader.lock().await;
        let mut reading = reader.begin().await.map_err(StoreError::doing("read"))?;
        let row = sqlx::query("SELECT * FROM head").fetch_one(&mut *reading).await;
        let (_, head) = row::head(&row.map_err(StoreError::doing("read the head"))?)?;
        let mut last = Head::none();
        loop {
            const NEXT: &str = "SELECT * FROM revisions WHERE revision > $1 ORDER BY revision LIMIT 200";
            let rows = sqlx::query(NEXT).bind(last.revision as i64).fetch_all(&mut *reading).await;
            let rows = rows.map_err(StoreError::doing("read the history"))?;
            if rows.is_empty() || verdict.faults.len() >= MAX_FAULTS {
                break;
            }
            for row in &rows {
                last = check_row(&mut reading, row, last, kept, &mut verdict).await?;
            }
        }
        if verdict.faults.len() < MAX_FAULTS {
            if (last.revision, last.hash) != (head.revision, head.hash) {
                let fault = format!("the head says revision {}, the newest row is revision {}", head.revision, last.revision);
                verdict.faults.push(fault);
            }
            if kept.is_some_and(|kept| kept.revision > last.revision) {
                verdict.faults.push(format!("revision {} was there and is not any more", kept.unwrap_or(head).revision));
            }
            check_subjects(&mut reading, &mut verdict).await?;
        }
        verdict.faults.truncate(MAX_FAULTS);
        Ok(verdict)
    }

    pub async fn add_token(&self, token: &Credential) -> Result<(), StoreError> {
        self.check_file()?;
        let flags = token.flags.as_ref().map(|flags| serde_json::json!(flags).to_string());
        let mut taken = self.writer.take().await?;
        sqlx::query("INSERT INTO tokens VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(token.id.clone())
            .bind(token.name.clone())
            .bind(token.role.as_str())
            .bind(flags)
            .bind(token.hash.to_string())
            .bind(token.created_at_ms)
            .bind(token.created_by.clone())
            .bind(token.expires_at_ms)
            .bind(token.revoked_at_ms)
            .execute(&mut taken.connection)
            .await
            .map_err(StoreError::doing("write a token"))?;
        taken.put_back();
        Ok(())
    }

    pub async fn tokens(&self) -> Result<Vec<Credential>, StoreError> {
        read_tokens(&mut *self.reader.lock().await).await
    }

    pub async fn revoke_token(&self, id: &str, at_ms: i64) -> Result<bool, StoreError> {
        self.check_file()?;
        let query = sqlx::query("UPDATE tokens SET revoked_at_ms = $2 WHERE id = $1 AND revoked_at_ms IS NULL");
        let mut taken = self.writer.take().await?;
        let done = query.bind(id.to_owned()).bind(at_ms).execute(&mut taken.connection).await;
        let revoked = done.map_err(StoreError::doing("revoke a token"))?.rows_affected() > 0;
        taken.put_back();
        Ok(revoked)
    }

    pub async fn cursor(&self, reader: &str) -> Result<Option<u64>, StoreError> {
        let query = sqlx::query("SELECT revision FROM cursors WHERE reader = $1").bind(reader.to_owned());
        let row = query.fetch_optional(&mut *self.reader.lock().await).await.map_err(StoreError::doing("read a cursor"))?;
        Ok(row.map(|row| row.get::<i64, _>(0) as u64))
    }

    pub async fn move_cursor(&self, reader: &str, revision: u64) -> Result<(), StoreError> {
        self.check_file()?;
        const MOVE: &str = "INSERT INTO cursors VALUES ($1, $2) ON CONFLICT (reader) DO UPDATE SET revision = $2";
        let query = sqlx::query(MOVE).bind(reader.to_owned()).bind(revision as i64);
        let mut taken = self.writer.take().await?;
        query.execute(&mut taken.connection).await.map_err(StoreError::doing("move a cursor"))?;
        taken.put_back();
        Ok(())
    }

    pub async fn close(&self) {
        // The last words to a file: what was committed is durable already.
        if let Ok(mut taken) = self.writer.take().await
            && sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut taken.connection).await.is_ok()
        {
            taken.put_back();
        }
    }

    fn check_file(&self) -> Result<(), StoreError> {
        let same = std::fs::metadata(&self.path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.file);
        if same { Ok(()) } else { Err(StoreError::Gone) }
    }
}

/// The tables, version by version.
fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![migration(1, "truth", include_str!("../../migrations/sqlite/0001_truth.sql"))])
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT sqlite_version()").fetch_one(connection).await;
    let version: String = row.map_err(StoreError::doing("ask SQLite for its version"))?.get(0);
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or_default()).collect();
    if parts.as_slice() < SAFE_VERSION.as_slice() { Err(StoreError::OldSqlite(version)) } else { Ok(()) }
}

fn text_ids(record: &Record) -> Vec<ContentId> {
    match record {
        Record::Flag(record) => record.texts().collect(),
        Record::Segment(record) => record.texts().collect(),
    }
}

async fn read_tokens(connection: &mut SqliteConnection) -> Result<Vec<Credential>, StoreError> {
    let rows = sqlx::query("SELECT * FROM tokens ORDER BY created_at_ms, id").fetch_all(connection).await;
    let rows = rows.map_err(StoreError::doing("read the tokens"))?;
    // A row that does not read is a credential that is not accepted.
    Ok(rows.iter().filter_map(|row| row::token(row).ok()).collect())
}

async fn read_changes(connection: &mut SqliteConnection, revision: u64) -> Result<Vec<crate::truth::Change>, StoreError> {
    let query = sqlx::query("SELECT * FROM changes WHERE revision = $1 ORDER BY place").bind(revision as i64);
    let rows = query.fetch_all(connection).await.map_err(StoreError::doing("read the history"))?;
    rows.iter().map(|row| row::change(row).map(|(_, change)| change)).collect()
}

/// Checks one row after the one before, and returns the head it states, so that one bad row is one fault.
async fn check_row(
    connection: &mut SqliteConnection,
    row: &SqliteRow,
    last: Head,
    kept: Option<Head>,
    verdict: &mut Verdict,
) -> Result<Head, StoreError> {
    verdict.revisions += 1;
    let number = row.try_get::<i64, _>("revision").unwrap_or_default().max(0) as u64;
    if number != last.revision + 1 {
        verdict.faults.push(match number - last.revision {
            2 => format!("revision {} is missing", last.revision + 1),
            _ => format!("revisions {} to {} are missing", last.revision + 1, number - 1),
        });
    }
    let read = async {
        let mut stored = row::revision(row)?;
        stored.revision.changes = read_changes(connection, number).await?;
        Ok::<Stored, StoreError>(stored)
    };
    let stored = match read.await {
        Ok(stored) => stored,
        Err(error @ StoreError::Unreadable { .. }) => {
            verdict.faults.push(format!("revision {number} was altered: {error}"));
            let hash = row.try_get::<String, _>("hash").ok().and_then(|hash| hash.parse().ok());
            let hash = hash.unwrap_or(last.hash);
            return Ok(Head { revision: number, hash, committed_at_ms: last.committed_at_ms });
        }
        Err(error) => return Err(error),
    };
    let Stored { revision, hash } = stored;
    if revision.hash(last.hash) != hash && number == last.revision + 1 {
        verdict.faults.push(format!("revision {number} was altered: it is not what its hash says"));
    } else if revision.committed_at_ms < last.committed_at_ms {
        verdict.faults.push(format!("revision {number} was committed before the one before it"));
    } else if kept.is_some_and(|kept| kept.revision == number && kept.hash != hash) {
        verdict.faults.push(format!("revision {number} is not the one this node saw: the history was written anew"));
    }
    Ok(Head { revision: number, hash, committed_at_ms: revision.committed_at_ms })
}

/// Every subject must stand as its last change left it, and every text be what its name says.
async fn check_subjects(connection: &mut SqliteConnection, verdict: &mut Verdict) -> Result<(), StoreError> {
    const ASTRAY: &str = "SELECT kind, subject FROM subjects AS s WHERE record IS NOT \
        (SELECT record_after FROM changes AS c WHERE c.kind = s.kind AND c.subject = s.subject \
         ORDER BY revision DESC LIMIT 1) ORDER BY kind, subject LIMIT 20";
    let rows = sqlx::query(ASTRAY).fetch_all(&mut *connection).await.map_err(StoreError::doing("read the subjects"))?;
    for row in &rows {
        let (kind, key): (String, String) = (row.get(0), row.get(1));
        verdict.faults.push(format!("{kind} {key} does not stand as its last revision left it"));
    }
    let rows = sqlx::query("SELECT DISTINCT id FROM texts ORDER BY id").fetch_all(&mut *connection).await;
    for row in rows.map_err(StoreError::doing("read definitions"))? {
        let id: String = row.get(0);
        let known = match id.parse() {
            Ok(id) => texts::stands(connection, id).await?,
            Err(_) => false,
        };
        if !known {
            verdict.faults.push(format!("the text {id} is not what its name says"));
        }
    }
    Ok(())
}
