//! Work that may wait for a disk or mount.

/// Runs work that may wait for a disk or mount on a thread where nothing else waits for it.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Nothing aborts the task, so it panicked: the panic goes on here.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
