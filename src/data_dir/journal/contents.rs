//! What is found where the journal should be.

use super::entries::JournalEntries;
use super::scan::{self, Reading};

/// What is found where the journal should be.
#[derive(Debug)]
pub enum JournalContents {
    Absent,
    Good(JournalEntries),
    /// Of the format before this one, without a header; a file of zeros is one too.
    Old(JournalEntries),
    /// What still reads of it, with the doubt about the rest.
    Damaged {
        contents: JournalEntries,
        why: String,
    },
    /// Of a format that this build must not read: it is left as it is.
    OfNewerBuild {
        format: u16,
    },
}

impl JournalContents {
    pub(super) fn of(bytes: &[u8]) -> JournalContents {
        match scan::read(bytes) {
            Reading::OfNewerBuild { format } => JournalContents::OfNewerBuild { format },
            Reading::Damaged(contents) => {
                JournalContents::Damaged { contents, why: "has no header that reads".to_owned() }
            }
            Reading::Old(contents) | Reading::Read(contents) if contents.is_damaged => {
                JournalContents::Damaged {
                    contents,
                    why: "holds an entry, or half a header, that does not read".to_owned(),
                }
            }
            Reading::Old(contents) => JournalContents::Old(contents),
            Reading::Read(contents) => JournalContents::Good(contents),
        }
    }

    /// What still reads of it.
    pub fn contents(&self) -> Option<&JournalEntries> {
        match self {
            JournalContents::Good(contents)
            | JournalContents::Old(contents)
            | JournalContents::Damaged { contents, .. } => Some(contents),
            JournalContents::Absent | JournalContents::OfNewerBuild { .. } => None,
        }
    }
}
