//! Reads one file again and again.

use std::path::{Path, PathBuf};

use super::source_error::{FILE_AT_MOST, MAX_SOURCE_BYTES, ReadError};
use crate::regular_file;
use crate::time_limit::OneAtATime;

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
