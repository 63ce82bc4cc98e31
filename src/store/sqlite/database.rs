//! An open database: its connections, and what is read and written through them.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row};
use tokio::sync::Mutex;

use super::connection::connect_reader;
use super::file_check::FileCheck;
use super::old_tokens;
use super::reader::{Pages, Reader, unless_silent};
use super::writer::Writer;
use super::{blobs, chain, check, following, history, rows, subjects, verify};
use crate::ledger::{
    Blobs, ContentCache, ContentHash, FlagRecord, Head, KnownHead, PastStep, Record, Revision,
    Subject,
};
use crate::store::error::StoreError;
use crate::store::known_key::KnownKey;
use crate::store::loaded::{Loaded, Subjects};
use crate::store::messages::{
    Commit, ExpectedHistory, HistoryQuery, Identity, MAX_PAGE, StoredRevision, StoredWithBlobs,
    VerifyReport,
};

/// A connection for writing and one for reading.
#[derive(Debug)]
pub struct Sqlite {
    pub(super) options: SqliteConnectOptions,
    /// The files as they were when they were opened: a deleted file would take every write and lose
    /// it.
    pub(super) files: FileCheck,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    /// Locked while blobs are staged: blobs that an earlier staging left, and no revision names,
    /// are removed.
    pub(super) staging: Mutex<()>,
}

impl Sqlite {
    pub async fn identify(&self, from: &[&KnownHead]) -> Result<Identity, StoreError> {
        self.check_file().await?;
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
        self.check_file().await?;
        let row = sqlx::query("SELECT * FROM head").fetch_one(&mut *self.reader.lock().await).await;
        rows::head(&row.map_err(StoreError::doing("read the head"))?)
    }

    pub async fn load(&self, cached: &Blobs) -> Result<Loaded, StoreError> {
        self.check_file().await?;
        let (epoch, head, standing, old_tokens) = {
            let mut reader = self.reader.lock().await;
            let mut reading = reader.begin().await.map_err(StoreError::doing("read"))?;
            let head = sqlx::query("SELECT * FROM head").fetch_one(&mut *reading).await;
            let (epoch, head) = rows::head(&head.map_err(StoreError::doing("read the head"))?)?;
            (
                epoch,
                head,
                subjects::load(&mut reading, self.reader.pages()).await?,
                old_tokens::read(&mut reading).await?,
            )
        };
        // The blobs that these records name exist from then on.
        let Subjects { subjects, removed, poison, newest_stray } = standing;
        let ids: Vec<ContentHash> = subjects.iter().flat_map(|row| row.record.blobs()).collect();
        let blobs = blobs::read(&self.reader, &ids, cached).await?;
        Ok(Loaded { epoch, head, subjects, removed, blobs, old_tokens, poison, newest_stray })
    }

    pub async fn commit(&self, commit: Commit<'_>) -> Result<(), StoreError> {
        self.check_file().await?;
        self.writer.commit(&commit).await?;
        // A file that was unlinked meanwhile took the commit with it.
        self.check_file().await.map_err(|_| StoreError::Lost)
    }

    pub async fn pass_over(&self, up_to: u64, like: &Revision) -> Result<bool, StoreError> {
        self.check_file().await?;
        let passed = self.writer.pass_over(up_to, like).await?;
        self.check_file().await.map_err(|_| StoreError::Lost)?;
        Ok(passed)
    }

    pub async fn try_writing(&self) -> Result<(), StoreError> {
        self.check_file().await?;
        const WRITE: &str = "BEGIN IMMEDIATE; UPDATE head SET only_row = only_row; COMMIT";
        let mut taken = self.writer.take().await?;
        sqlx::raw_sql(WRITE)
            .execute(taken.connection())
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
        self.check_file().await?;
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
        self.check_file().await?;
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
        self.check_file().await?;
        old_tokens::forget(&self.writer).await
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
        self.check_file().await?;
        const MOVE: &str = "INSERT INTO cursors (reader, revision) VALUES ($1, $2) ON CONFLICT (reader) DO UPDATE SET revision = $2";
        let query = sqlx::query(MOVE).bind(reader.to_owned()).bind(revision as i64);
        let mut taken = self.writer.take().await?;
        query.execute(taken.connection()).await.map_err(StoreError::doing("move a cursor"))?;
        taken.release();
        Ok(())
    }

    pub async fn close(&self) {
        // Errors of the last writes are ignored: every commit is durable already.
        if let Ok(mut taken) = self.writer.take().await
            && sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(taken.connection())
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

    pub(super) async fn check_file(&self) -> Result<(), StoreError> {
        if self.files.are_in_place().await { Ok(()) } else { Err(StoreError::Gone) }
    }
}
