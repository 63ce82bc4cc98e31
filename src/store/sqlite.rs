//! The embedded database: WAL, every commit synced, one writer.

use std::collections::BTreeSet;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::Mutex;

use super::check::{self, Identity};
use super::files::{self, Files};
use super::reader::{Pages, Reader, unless_silent};
use super::rows::Subjects;
use super::writer::Writer;
use super::{
    Commit, ExpectedHistory, HistoryQuery, KnownKey, Loaded, MAX_PAGE, StoreError, StoredRevision,
    StoredWithBlobs, VerifyReport,
};
use super::{blobs, chain, following, history, rows, schema, subjects, verify};
use crate::ledger::{
    Blobs, ContentCache, ContentHash, Credential, FlagRecord, Head, KnownHead, PastStep, Record,
    Revision, Subject,
};

/// The longest wait of a commit for another program that has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_millis(800);
/// The WAL is cut back to this size in bytes after a large change was copied to the database file.
const WAL_LIMIT_BYTES: &str = "67108864";

/// A connection for writing and one for reading.
#[derive(Debug)]
pub struct Sqlite {
    options: SqliteConnectOptions,
    /// The files as they were when they were opened: a deleted file would take every write and lose
    /// it.
    files: Files,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    /// Locked while blobs are staged: blobs that an earlier staging left, and no revision names,
    /// are removed.
    pub(super) staging: Mutex<()>,
}

impl Sqlite {
    /// Opens an existing database and migrates its tables.
    pub async fn open(path: &Path) -> Result<Sqlite, StoreError> {
        let mut database =
            Sqlite::open_with(path, options(path).journal_mode(SqliteJournalMode::Wal)).await?;
        let mut writer = database
            .options
            .connect()
            .await
            .map_err(StoreError::doing("open the database file"))?;
        schema::migrator()
            .run_direct(None, &mut writer, false)
            .await
            .map_err(StoreError::Migrate)?;
        check::may_write(&mut writer).await?;
        database.writer = Writer::new(database.options.clone(), Some(writer));
        let io = |source| StoreError::Database {
            doing: "open the database file",
            source: sqlx::Error::Io(source),
        };
        database.files = Files::of_open(path).map_err(io)?;
        Ok(database)
    }

    /// Opens an existing database without changing it: the content of `-wal` is read, and stays
    /// there.
    pub async fn open_to_read(path: &Path) -> Result<Sqlite, StoreError> {
        Sqlite::open_with(path, options(path).read_only(true)).await
    }

    async fn open_with(path: &Path, options: SqliteConnectOptions) -> Result<Sqlite, StoreError> {
        let io = |source| StoreError::Database {
            doing: "open the database file",
            source: sqlx::Error::Io(source),
        };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::NoFile);
            }
            // SQLite takes an empty file for a new database.
            Ok(metadata) if metadata.len() == 0 => {
                return Err(StoreError::Damaged("its file is empty".to_owned()));
            }
            Err(error) => return Err(io(error)),
            Ok(_) => {}
        }
        let mut reader = connect_reader(&options).await?;
        schema::check_version(&mut reader).await?;
        schema::check_format(&mut reader).await?;
        let files = Files::of_read(path).map_err(io)?;
        let writer = Writer::new(options.clone(), None);
        Ok(Sqlite {
            options,
            files,
            writer,
            reader: Reader::new(reader, Pages::default()),
            staging: Mutex::new(()),
        })
    }

    /// Makes a database beside where it is to be.
    pub async fn make(path: &Path, epoch: &str) -> Result<PathBuf, StoreError> {
        let io = |source| StoreError::Database {
            doing: "make the database file",
            source: sqlx::Error::Io(source),
        };
        let beside = path.with_extension("db.new");
        files::remove(&beside).map_err(io)?;
        // Created before SQLite would create it, so that only its owner can read it.
        std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&beside)
            .map_err(io)?;
        let options = options(&beside).journal_mode(SqliteJournalMode::Wal);
        let mut connection =
            options.connect().await.map_err(StoreError::doing("make the database file"))?;
        schema::check_version(&mut connection).await?;
        schema::migrator()
            .run_direct(None, &mut connection, false)
            .await
            .map_err(StoreError::Migrate)?;
        sqlx::query("INSERT INTO head (only_row, epoch, revision, hash, committed_at_ms) VALUES (1, $1, 0, $2, 0)")
            .bind(epoch.to_owned())
            .bind(Head::none().hash.to_string())
            .execute(&mut connection)
            .await
            .map_err(StoreError::doing("name the database"))?;
        // Once closed, everything is in the one file.
        connection.close().await.map_err(StoreError::doing("make the database file"))?;
        Ok(beside)
    }

    pub async fn identify(&self, from: &[&KnownHead]) -> Result<Identity, StoreError> {
        self.check_file()?;
        let mut reader = self.reader.lock().await;
        let mut reading = reader.begin().await.map_err(StoreError::doing("read"))?;
        check::identify(&mut reading, from).await
    }

    pub async fn check_pages(&self) -> Result<(), StoreError> {
        // A large file takes seconds, so it is checked on its own connection while other reads go
        // on.
        let mut reader = connect_reader(&self.options).await?;
        let checked = check::check_pages(&mut reader).await;
        let _ = reader.close().await;
        checked
    }

    pub async fn head(&self) -> Result<(String, Head), StoreError> {
        self.check_file()?;
        let row = sqlx::query("SELECT * FROM head").fetch_one(&mut *self.reader.lock().await).await;
        rows::head(&row.map_err(StoreError::doing("read the head"))?)
    }

    pub async fn load(&self, cached: &Blobs) -> Result<Loaded, StoreError> {
        self.check_file()?;
        let (epoch, head, standing, old_tokens) = {
            let mut reader = self.reader.lock().await;
            let mut reading = reader.begin().await.map_err(StoreError::doing("read"))?;
            let head = sqlx::query("SELECT * FROM head").fetch_one(&mut *reading).await;
            let (epoch, head) = rows::head(&head.map_err(StoreError::doing("read the head"))?)?;
            (epoch, head, subjects::load(&mut reading).await?, read_old_tokens(&mut reading).await?)
        };
        // The blobs that these records name exist from then on.
        let Subjects { subjects, removed, poison, newest_stray } = standing;
        let ids: Vec<ContentHash> = subjects.iter().flat_map(|row| row.record.blobs()).collect();
        let blobs = blobs::read(&self.reader, &ids, cached).await?;
        Ok(Loaded { epoch, head, subjects, removed, blobs, old_tokens, poison, newest_stray })
    }

    pub async fn commit(&self, commit: Commit<'_>) -> Result<(), StoreError> {
        self.check_file()?;
        self.writer.commit(&commit).await?;
        // A file that was unlinked meanwhile took the commit with it.
        self.check_file().map_err(|_| StoreError::Lost)
    }

    pub async fn pass_over(&self, up_to: u64, like: &Revision) -> Result<bool, StoreError> {
        self.check_file()?;
        let passed = self.writer.pass_over(up_to, like).await?;
        self.check_file().map_err(|_| StoreError::Lost)?;
        Ok(passed)
    }

    pub async fn try_writing(&self) -> Result<(), StoreError> {
        self.check_file()?;
        const WRITE: &str = "BEGIN IMMEDIATE; UPDATE head SET only_row = only_row; COMMIT";
        let mut taken = self.writer.take().await?;
        sqlx::raw_sql(WRITE)
            .execute(&mut taken.connection)
            .await
            .map_err(StoreError::doing("write"))?;
        taken.release();
        Ok(())
    }

    pub async fn by_idempotency_key(&self, key: &str) -> Result<Option<KnownKey>, StoreError> {
        const KNOWN: &str = "SELECT i.request, i.revision, r.effective_at_ms FROM idempotency AS i \
            LEFT JOIN revisions AS r ON r.revision = i.revision WHERE i.idempotency_key = $1";
        let row = sqlx::query(KNOWN)
            .bind(key.to_owned())
            .fetch_optional(&mut *self.reader.lock().await)
            .await;
        let row = row.map_err(StoreError::doing("look an idempotency key up"))?;
        Ok(row.map(|row| KnownKey {
            request: row.get("request"),
            revision: row.get::<i64, _>("revision") as u64,
            effective_at_ms: row.get("effective_at_ms"),
        }))
    }

    pub async fn history(&self, page: &HistoryQuery) -> Result<Vec<StoredRevision>, StoreError> {
        history::read(&self.reader, page).await
    }

    pub async fn revisions_after(
        &self,
        head: &Head,
        limit: u32,
        cached: &Blobs,
    ) -> Result<Vec<StoredWithBlobs>, StoreError> {
        self.check_file()?;
        following::revisions_after(&self.reader, head, limit, cached).await
    }

    pub async fn flag_actions(&self, flag: &str, before: u64) -> Result<Vec<PastStep>, StoreError> {
        const STEPS: &str = "SELECT revision, action, back_to FROM changes WHERE kind = 'flag' AND subject = $1 \
            AND revision < $2 AND revision > 0 ORDER BY revision DESC LIMIT $3";
        let query = sqlx::query(STEPS)
            .bind(flag.to_owned())
            .bind(before.min(i64::MAX as u64) as i64)
            .bind(i64::from(MAX_PAGE));
        let rows = query.fetch_all(&mut *self.reader.lock().await).await;
        let rows = rows.map_err(StoreError::doing("read the history"))?;
        rows.iter().map(rows::step).collect()
    }

    pub async fn flag_at(
        &self,
        flag: &str,
        revision: u64,
    ) -> Result<Option<(FlagRecord, ContentCache)>, StoreError> {
        const AT: &str = "SELECT * FROM changes WHERE kind = 'flag' AND subject = $1 AND revision <= $2 \
            ORDER BY revision DESC LIMIT 1";
        let query =
            sqlx::query(AT).bind(flag.to_owned()).bind(revision.min(i64::MAX as u64) as i64);
        let row = query
            .fetch_optional(&mut *self.reader.lock().await)
            .await
            .map_err(StoreError::doing("read the history"))?;
        let Some(row) = row else { return Ok(None) };
        let Some(Record::Flag(record)) = rows::change(&row).1?.after else { return Ok(None) };
        let blobs =
            blobs::read(&self.reader, &record.blobs().collect::<Vec<_>>(), &Blobs::new()).await?;
        Ok(Some((record, ContentCache { blobs, ..ContentCache::default() })))
    }

    pub async fn is_intact(&self, revision: u64) -> Result<bool, StoreError> {
        chain::is_intact(&mut *self.reader.lock().await, revision).await
    }

    pub async fn intact_revisions(
        &self,
        revisions: &BTreeSet<u64>,
    ) -> Result<BTreeSet<u64>, StoreError> {
        chain::intact_revisions(&self.reader, revisions).await
    }

    pub async fn holds(&self, known: &KnownHead) -> Result<bool, StoreError> {
        check::holds(&mut *self.reader.lock().await, known).await
    }

    pub async fn previous_records(&self, subject: &Subject) -> Result<Vec<String>, StoreError> {
        const EARLIER: &str = "SELECT record_after FROM changes WHERE kind = $1 AND subject = $2 AND record_after IS NOT NULL \
            ORDER BY revision DESC LIMIT 100";
        let query = sqlx::query(EARLIER).bind(subject.kind()).bind(subject.key().to_owned());
        let rows = query.fetch_all(&mut *self.reader.lock().await).await;
        let rows = rows.map_err(StoreError::doing("read the history"))?;
        Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
    }

    pub async fn blobs(&self, ids: &[ContentHash]) -> Result<Blobs, StoreError> {
        blobs::read(&self.reader, ids, &Blobs::new()).await
    }

    pub async fn blobs_up_to(
        &self,
        ids: &[ContentHash],
        bytes: usize,
    ) -> Result<Blobs, StoreError> {
        blobs::read_up_to(&self.reader, ids, bytes).await
    }

    pub async fn verify(
        &self,
        expected: &ExpectedHistory,
        silence: Duration,
    ) -> Result<VerifyReport, StoreError> {
        self.check_file()?;
        // With its own page counter: reads of other callers do not prove that this reading makes
        // progress.
        let pages = Pages::default();
        let reading = async {
            // A long history takes seconds, and a caller that reads the head meanwhile must not
            // take the database for lost.
            let reader = Reader::new(connect_reader(&self.options).await?, pages.clone());
            let verdict = verify::verify(&reader, expected).await;
            reader.close().await;
            verdict
        };
        unless_silent(&pages, silence, reading).await.unwrap_or(Err(StoreError::Silent(silence)))
    }

    pub async fn unless_silent<T>(
        &self,
        silence: Duration,
        reading: impl Future<Output = T>,
    ) -> Option<T> {
        unless_silent(self.reader.pages(), silence, reading).await
    }

    pub async fn forget_old_tokens(&self) -> Result<(), StoreError> {
        self.check_file()?;
        const FORGET: &str = "BEGIN IMMEDIATE; DELETE FROM tokens; DELETE FROM cursors WHERE reader = 'tokens'; COMMIT";
        let mut taken = self.writer.take().await?;
        sqlx::raw_sql(FORGET)
            .execute(&mut taken.connection)
            .await
            .map_err(StoreError::doing("bring credentials over"))?;
        taken.release();
        Ok(())
    }

    pub async fn cursor(&self, reader: &str) -> Result<Option<u64>, StoreError> {
        let query =
            sqlx::query("SELECT revision FROM cursors WHERE reader = $1").bind(reader.to_owned());
        let row = query
            .fetch_optional(&mut *self.reader.lock().await)
            .await
            .map_err(StoreError::doing("read a cursor"))?;
        Ok(row.map(|row| row.get::<i64, _>(0) as u64))
    }

    pub async fn move_cursor(&self, reader: &str, revision: u64) -> Result<(), StoreError> {
        self.check_file()?;
        const MOVE: &str = "INSERT INTO cursors (reader, revision) VALUES ($1, $2) ON CONFLICT (reader) DO UPDATE SET revision = $2";
        let query = sqlx::query(MOVE).bind(reader.to_owned()).bind(revision as i64);
        let mut taken = self.writer.take().await?;
        query.execute(&mut taken.connection).await.map_err(StoreError::doing("move a cursor"))?;
        taken.release();
        Ok(())
    }

    pub async fn close(&self) {
        // Errors of the last writes are ignored: every commit is durable already.
        if let Ok(mut taken) = self.writer.take().await
            && sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(&mut taken.connection)
                .await
                .is_ok()
        {
            taken.release();
        }
    }

    /// Closes both connections and waits for it: that copies the content of a deleted companion
    /// file into the database file.
    pub async fn release(self) {
        let Sqlite { writer, reader, .. } = self;
        reader.close().await;
        writer.release().await;
    }

    pub(super) fn check_file(&self) -> Result<(), StoreError> {
        if self.files.are_in_place() { Ok(()) } else { Err(StoreError::Gone) }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("journal_size_limit", WAL_LIMIT_BYTES)
        .disable_statement_logging()
}

/// The credentials that are still to be converted from the table of older builds.
async fn read_old_tokens(
    connection: &mut SqliteConnection,
) -> Result<Option<Vec<Credential>>, StoreError> {
    const TO_DO: &str = "SELECT reader FROM cursors WHERE reader = 'tokens'";
    let to_do = sqlx::query(TO_DO).fetch_optional(&mut *connection).await;
    if to_do.map_err(StoreError::doing("read the credentials"))?.is_none() {
        return Ok(None);
    }
    let rows =
        sqlx::query("SELECT * FROM tokens ORDER BY created_at_ms, id").fetch_all(connection).await;
    let rows = rows.map_err(StoreError::doing("read the credentials"))?;
    // A row that cannot be read is a credential that is not accepted.
    Ok(Some(rows.iter().filter_map(|row| rows::old_token(row).ok()).collect()))
}

async fn connect_reader(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    let mut reader =
        options.connect().await.map_err(StoreError::doing("open the database file"))?;
    // SQLite keeps this much of what it read in memory; the system caches the file's pages anyway.
    let sized = sqlx::query("PRAGMA cache_size = -256").execute(&mut reader).await;
    sized.map_err(StoreError::doing("open the database file"))?;
    Ok(reader)
}
