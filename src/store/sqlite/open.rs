//! Opens a database, or makes one.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;

use super::connection::{connect_reader, options};
use super::database::Sqlite;
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
}
