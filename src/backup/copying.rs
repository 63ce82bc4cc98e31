//! Copies files into a backup and out of it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::BackupError;
use crate::display_text;
use crate::regular_file;

/// Copies a file, if it is there, and reads the copy. One that is written to meanwhile may be read by
/// halves, so it is copied again. `lost` is what would be missing without it.
pub async fn copy_when_whole<T>(
    data: &Path,
    folder: &Path,
    name: &str,
    lost: &str,
    look: impl Fn(&Path) -> Result<T, String>,
) -> Result<Option<T>, BackupError> {
    const ATTEMPTS: u32 = 10;
    const BETWEEN: Duration = Duration::from_millis(100);
    let (from, to) = (data.join(name), folder.join(name));
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        match copy_file(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let _ = fs::remove_file(&to);
                return Ok(None);
            }
            Err(error) => return Err(BackupError::io("copy it", &from, &error)),
            Ok(()) => {}
        }
        match look(&to) {
            Ok(read) => return Ok(Some(read)),
            Err(this) => why = this,
        }
        sleep(BETWEEN).await;
    }
    Err(BackupError::Failed(format!(
        "{} {why}: {lost}; see `turnout problems`",
        display_text::path(&from)
    )))
}

/// Copies a file into a new one, which is synced.
pub fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut read = regular_file::open(from)?;
    let mut written = regular_file::make_own(to)?;
    io::copy(&mut read, &mut written)?;
    written.sync_all()
}
