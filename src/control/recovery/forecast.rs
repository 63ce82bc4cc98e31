//! Says what a start would do with a data folder, by the same look and the same decision.

use std::time::Duration;

use super::decide::decide;
use super::found::Decision;
use super::look::{FilesFound, look_at_database, why_held};
use crate::data_dir::DataDir;

/// What a start would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// The database is served.
    Serves,
    /// Nothing is known: a new database would be made.
    Begins,
    /// Nothing widens until `--accept-database`, and why.
    Holds(String),
}

/// Looks at a folder that no server holds, and changes nothing.
pub async fn forecast(data: &DataDir) -> Forecast {
    /// A database that takes longer to check was checked before it was put here.
    const PATIENCE: Duration = Duration::from_secs(10);
    let (_, mut files) = FilesFound::look(data);
    let mut copies = files.copies(data);
    let found = look_at_database(&data.database(), &copies, PATIENCE).await;
    if files.doubt_blank_journal(&found) {
        copies = files.copies(data);
    }
    let (copies, foreign) = copies.without_foreign(&found.witness());
    files.leave_out(foreign);
    let decision = decide(&found.witness(), &copies);
    match decision {
        Decision::Serve => Forecast::Serves,
        Decision::First => Forecast::Begins,
        Decision::Hold { .. } => Forecast::Holds(why_held(&found, &copies, &decision)),
    }
}
