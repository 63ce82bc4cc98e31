//! The data folder: opened at a start, and told where the service listens.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::data_dir::{Addresses, DataDir, DataError};
use crate::telemetry;

/// How long to wait for a previous server that is ending to release the data folder.
const DATA_DIR_LOCK_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) fn open_data(path: &Path) -> Result<DataDir, DataError> {
    // The previous server may be ending.
    let end = Instant::now() + DATA_DIR_LOCK_TIMEOUT;
    let data = loop {
        match DataDir::open(path) {
            Err(DataError::InUse(_)) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(20));
            }
            opened => break opened?,
        }
    };
    if let Err(error) = data.remove_stale_addresses() {
        telemetry::stale_addresses(path, &error);
    }
    Ok(data)
}

/// Writes both addresses where programs on this machine find them. A full disk does not keep the
/// service from serving.
pub(super) async fn announce(
    data: Arc<DataDir>,
    addresses: Addresses,
    path: PathBuf,
) -> (Arc<DataDir>, Addresses) {
    let (folder, said) = (data.clone(), addresses.clone());
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || folder.write_addresses(&said)).await
    {
        telemetry::addresses_not_written(&path, &error);
    }
    (data, addresses)
}
