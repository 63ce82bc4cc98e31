//! Checks that the database is what was written: nothing altered, nothing missing, nothing added.
//!
//! The hash chain covers every revision with its changes and its request; everything else is
//! compared with these, in both directions. Rows are read in pages, as stored: a kind of subject
//! unknown to this build is verified like all others.
//!
//! Each page is its own read transaction, so that the log can be copied into the database file
//! meanwhile, however long the check takes. The check covers the history up to its end when the
//! check began ([`HistoryHead`]): no row before that changes any more.
//!
//! | file | what it checks | |---|---|
//! | `super::schema` | triggers and views, which change what is written and read |
//! | `chain` | the head, and every revision and change |
//! | `state` | what results from them: subjects, idempotency keys, cursors |
//! | `content` | blobs, and the records that name them |

mod chain;
mod content;
mod faults;
mod history_head;
mod state;

use super::reader::Reader;
use super::schema;
use crate::store::error::StoreError;
use crate::store::messages::{ExpectedHistory, VerifyReport};
use faults::Faults;
use history_head::HistoryHead;

pub async fn verify(
    reader: &Reader,
    expected: &ExpectedHistory,
) -> Result<VerifyReport, StoreError> {
    let mut faults = Faults::default();
    for stranger in schema::strangers(&mut *reader.lock().await).await? {
        faults.add(stranger);
    }
    let end = HistoryHead::now(reader, &mut faults).await?;
    let revisions = chain::check(reader, &end, expected, &mut faults).await?;
    state::check(reader, &end, &mut faults).await?;
    content::check(reader, &end, &mut faults).await?;
    Ok(VerifyReport { revisions, faults: faults.found })
}
