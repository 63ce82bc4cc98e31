//! Opens a database, or makes one.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use tokio::sync::Mutex;

use super::connection::{connect, connect_reader, options};
use super::database::Sqlite;
use super::file_check::{FileCheck, on_disk};
use super::files::{self, Files};
use super::reader::{Pages, Reader};
use super::writer::Writer;
use super::{check, schema};
use crate::ledger::Head;
use crate::store::error::StoreError;

impl Sqlite {
    /// Opens an existing database and migrates its tables.
    pub async fn open(path: &Path) -> Result<Sqlite, StoreError> {
        let mut database =
            Sqlite::open_with(path, options(path).journal_mode(SqliteJournalMode::Wal)).await?;
        let mut writer = connect(&database.options).await?;
        schema::migrator()
            .run_direct(None, &mut *writer, false)
            .await
            .map_err(StoreError::Migrate)?;
        check::may_write(&mut writer).await?;
        database.writer = Writer::new(database.options.clone(), Some(writer));
        let io = |source| StoreError::Database {
            doing: "open the database file",
            source: sqlx::Error::Io(source),
        };
        let of_open = path.to_owned();
        let files = on_disk(move || Files::of_open(&of_open)).await.map_err(io)?;
        database.files = FileCheck::of(files);
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
        let found = path.to_owned();
        match on_disk(move || std::fs::metadata(found)).await {
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
        let of_read = path.to_owned();
        let files = on_disk(move || Files::of_read(&of_read)).await.map_err(io)?;
        let writer = Writer::new(options.clone(), None);
        Ok(Sqlite {
            options,
            files: FileCheck::of(files),
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
        let made = beside.clone();
        let make = move || {
            files::remove(&made)?;
            // Created before SQLite would create it, so that only its owner can read it.
            std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&made)
        };
        on_disk(make).await.map_err(io)?;
        let options = options(&beside).journal_mode(SqliteJournalMode::Wal);
        let mut connection = connect(&options).await?;
        schema::check_version(&mut connection).await?;
        schema::migrator()
            .run_direct(None, &mut *connection, false)
            .await
            .map_err(StoreError::Migrate)?;
        sqlx::query("INSERT INTO head (only_row, epoch, revision, hash, committed_at_ms) VALUES (1, $1, 0, $2, 0)")
            .bind(epoch.to_owned())
            .bind(Head::none().hash.to_string())
            .execute(&mut *connection)
            .await
            .map_err(StoreError::doing("name the database"))?;
        // Once closed, everything is in the one file.
        connection.close().await.map_err(StoreError::doing("make the database file"))?;
        Ok(beside)
    }
}
