//! The connection for reads, one page at a time: other readers run in between, and a caller of a
//! long reading sees its progress.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::time::timeout;

use super::connection::OpenConnection;

/// The number of pages read, shared by readers whose progress counts together.
pub type Pages = Arc<AtomicU64>;

#[derive(Debug)]
pub struct Reader {
    connection: Mutex<OpenConnection>,
    pages: Pages,
}

impl Reader {
    pub fn new(connection: OpenConnection, pages: Pages) -> Reader {
        Reader { connection: Mutex::new(connection), pages }
    }

    /// The connection for one page, which takes milliseconds to read. Each call shows that the page
    /// before it was read.
    pub async fn lock(&self) -> MappedMutexGuard<'_, SqliteConnection> {
        let connection = self.connection.lock().await;
        self.pages.fetch_add(1, Relaxed);
        MutexGuard::map(connection, |connection| &mut **connection)
    }

    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    pub async fn close(self) {
        let _ = self.connection.into_inner().close().await;
    }
}

/// Runs a long reading; `None` after a time without reading a page. A reading that makes progress
/// may take as long as it needs.
pub async fn unless_silent<T>(
    pages: &AtomicU64,
    silence: Duration,
    reading: impl Future<Output = T>,
) -> Option<T> {
    let mut reading = pin!(reading);
    loop {
        let before = pages.load(Relaxed);
        match timeout(silence, &mut reading).await {
            Ok(read) => return Some(read),
            Err(_) if pages.load(Relaxed) == before => return None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reading_is_ended_by_silence_and_not_by_its_length() {
        let pages = AtomicU64::new(0);
        // Far longer than a busy machine keeps a thread waiting.
        let silence = Duration::from_secs(2);
        let reading = async {
            for _ in 0..50 {
                tokio::time::sleep(silence / 20).await;
                pages.fetch_add(1, Relaxed);
            }
            "read"
        };
        assert_eq!(
            unless_silent(&pages, silence, reading).await,
            Some("read"),
            "it took more than twice as long"
        );
        assert_eq!(unless_silent(&pages, silence, std::future::pending::<()>()).await, None);
    }
}
