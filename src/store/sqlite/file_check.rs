//! Looks at the files of an open database on a thread that may wait for the disk: the thread of the
//! caller goes on with other work, and its time limits hold, while a look hangs.

use std::io;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

use super::files::Files;

/// The files of an open database. At most one look at them is under way: a disk that hangs for a
/// day costs one thread.
#[derive(Debug)]
pub struct FileCheck {
    files: Arc<Files>,
    /// The look under way; one whose caller gave up is left here.
    under_way: Mutex<Option<JoinHandle<bool>>>,
}

impl FileCheck {
    pub fn of(files: Files) -> FileCheck {
        FileCheck { files: Arc::new(files), under_way: Mutex::new(None) }
    }

    /// Whether the files are in place, by a look that begins now: an earlier one says nothing about
    /// what was written since. It may take as long as the disk needs.
    pub async fn are_in_place(&self) -> bool {
        let mut under_way = self.under_way.lock().await;
        if let Some(earlier) = under_way.as_mut() {
            let _ = earlier.await;
        }
        let files = self.files.clone();
        let look = under_way.insert(spawn_blocking(move || files.are_in_place()));
        let found = look.await;
        *under_way = None;
        found.unwrap_or(false)
    }
}

/// Does what waits for the disk on a thread of its own.
pub async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
