//! Why a source of keys gave none, and the bounds that a source must keep.

use std::io;
use std::time::Duration;

use reqwest::StatusCode;

/// The most bytes a source may hold.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;
/// How long one reading of a file may take.
pub const FILE_AT_MOST: Duration = Duration::from_secs(2);

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read it: {0}")]
    File(#[source] io::Error),
    #[error("it was not read within {} s; see to the disk or mount it lies on", FILE_AT_MOST.as_secs())]
    Silent,
    #[error("cannot fetch it: {0}")]
    Fetch(String),
    #[error("the answer was {0}, not 200")]
    Status(StatusCode),
    #[error("it has more than {MAX_SOURCE_BYTES} bytes")]
    TooLarge,
}
