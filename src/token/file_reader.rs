//! Reads one file again and again. A disk or mount that hangs costs one thread, however often the file is read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::source::{MAX_SOURCE_BYTES, ReadError};
use crate::regular_file;

/// How long one reading may take.
pub const FILE_AT_MOST: Duration = Duration::from_secs(2);

type Reading = JoinHandle<Result<Vec<u8>, ReadError>>;

pub struct FileReader {
    path: PathBuf,
    read: fn(&Path) -> Result<Vec<u8>, ReadError>,
    /// A reading that has not ended yet.
    hanging: Mutex<Option<Reading>>,
}

impl FileReader {
    pub fn of(path: &Path) -> FileReader {
        FileReader { path: path.to_owned(), read, hanging: Mutex::default() }
    }

    /// What the file holds. Where an earlier reading still hangs, that one is waited for.
    pub async fn read(&self) -> Result<Vec<u8>, ReadError> {
        let mut hanging = self.hanging.lock().await;
        let mut reading = hanging.take().unwrap_or_else(|| {
            let (read, path) = (self.read, self.path.clone());
            spawn_blocking(move || read(&path))
        });
        match timeout(FILE_AT_MOST, &mut reading).await {
            Ok(read) => read.unwrap_or_else(|_| Err(ReadError::File(io::ErrorKind::Interrupted.into()))),
            Err(_) => {
                *hanging = Some(reading);
                Err(ReadError::Silent)
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    regular_file::read(path, MAX_SOURCE_BYTES).map_err(ReadError::File)?.ok_or(ReadError::TooLarge)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static BEGUN: AtomicUsize = AtomicUsize::new(0);

    /// As a mount that hangs and answers at last.
    fn hang(_: &Path) -> Result<Vec<u8>, ReadError> {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        let (_silent, answer) = std::sync::mpsc::channel::<()>();
        let _ = answer.recv_timeout(2 * FILE_AT_MOST + FILE_AT_MOST / 4);
        Ok(b"at last".to_vec())
    }

    #[tokio::test]
    async fn a_file_that_hangs_is_given_up_and_costs_one_thread() {
        let file = FileReader { path: PathBuf::new(), read: hang, hanging: Mutex::default() };
        for _ in 0..2 {
            assert!(matches!(file.read().await, Err(ReadError::Silent)));
        }
        assert!(matches!(file.read().await, Ok(bytes) if bytes == b"at last"));
        assert_eq!(BEGUN.load(Ordering::Relaxed), 1);
    }
}
