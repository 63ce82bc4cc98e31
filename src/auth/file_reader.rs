//! Reads one file again and again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::source::{MAX_SOURCE_BYTES, ReadError};
use crate::regular_file;
use crate::time_limit::OneAtATime;

/// How long one reading may take.
pub const FILE_AT_MOST: Duration = Duration::from_secs(2);

pub struct FileReader {
    path: PathBuf,
    reading: OneAtATime<Result<Vec<u8>, ReadError>>,
}

impl FileReader {
    pub fn of(path: &Path) -> FileReader {
        FileReader { path: path.to_owned(), reading: OneAtATime::default() }
    }

    pub async fn read(&self) -> Result<Vec<u8>, ReadError> {
        let path = self.path.clone();
        let read = move || {
            regular_file::read(&path, MAX_SOURCE_BYTES)
                .map_err(ReadError::File)?
                .ok_or(ReadError::TooLarge)
        };
        self.reading.within(FILE_AT_MOST, read).await.unwrap_or(Err(ReadError::Silent))
    }
}
