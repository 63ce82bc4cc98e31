//! Reports what a start found wrong with the files of the data folder. The problem stays for as
//! long as the process lives, or until the file that was moved aside is gone.

use super::super::{Problem, ProblemKind};
use super::found::Copies;
use super::look::FilesFound;
use crate::data_dir::{DataDir, FoundJournal, FoundLastGood};

impl FilesFound {
    pub fn troubles(&self, data: &DataDir, copies: &Copies) -> Vec<Problem> {
        [self.of_last_good(data), self.of_journal(data, copies)].into_iter().flatten().collect()
    }

    fn of_last_good(&self, data: &DataDir) -> Option<Problem> {
        let path = data.last_good();
        let path = path.display();
        let (message, hint) = match &self.last_good {
            FoundLastGood::Damaged { why, .. } => (
                format!("{path} {why}; it is kept as {path}.damaged"),
                format!(
                    "it is written anew when the database is believed; look at {path}.damaged, and delete it"
                ),
            ),
            FoundLastGood::OfNewerBuild { format } => (
                format!("{path} is of a newer build (format {format}), and is left as it is"),
                "start the newer build; until then a restart needs the database".to_owned(),
            ),
            FoundLastGood::Absent | FoundLastGood::Good(_) => return None,
        };
        Some(Problem { kind: ProblemKind::LastGood, subject: None, message, hint })
    }

    fn of_journal(&self, data: &DataDir, copies: &Copies) -> Option<Problem> {
        let path = data.journal();
        let path = path.display();
        let (message, hint) = match &self.journal {
            FoundJournal::Damaged { why, contents } => (
                format!("{path} {why}; {} whole entries of it count, and it is kept as {path}.damaged", contents.entries.len()),
                format!("see which flags are stopped, and start once with --accept-database, which ends the tokens that may have been revoked; then delete {path}.damaged"),
            ),
            FoundJournal::OfNewerBuild { format } => (
                format!("{path} is of a newer build (format {format}), and is left as it is"),
                "start the newer build, or start this one once with --accept-database, which ends every token".to_owned(),
            ),
            FoundJournal::Absent if copies.is_anything_ours => (
                format!("{path} was not there at the start, beside a state that was known"),
                "stops that were not saved yet may be lost: see which flags should be stopped; this ends with a restart"
                    .to_owned(),
            ),
            FoundJournal::Good(contents) | FoundJournal::Old(contents) if contents.of_newer_build => (
                format!("{path} held entries of a newer build; their flags are stopped"),
                "resume them when it is clear what the newer build did; this ends with a restart".to_owned(),
            ),
            FoundJournal::Good(contents) if !contents.doubt.is_none() => (
                format!("{path} says that entries before did not read"),
                "see which flags are stopped, and start once with --accept-database, which ends the tokens that may have been revoked".to_owned(),
            ),
            FoundJournal::Absent | FoundJournal::Good(_) | FoundJournal::Old(_) => return None,
        };
        Some(Problem { kind: ProblemKind::Journal, subject: None, message, hint })
    }
}
