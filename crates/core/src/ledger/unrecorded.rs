//! Files that are served and that no database has recorded yet: before the first revision nothing else
//! says what a flag is.

use std::borrow::Cow;
use std::sync::Arc;

use super::catalog::Catalog;
use super::entry::{FlagEntry, SegmentEntry};
use super::record::FlagRecord;
use crate::flag::FlagKey;

/// How often such files were served, and what they said once a database that is empty yet is open: the
/// catalog is the database's then, and they are served over it until they are recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Unrecorded {
    served: u32,
    files: Option<Arc<Catalog>>,
}

impl Unrecorded {
    /// Notes that the catalog is now one of files.
    pub fn note_served(&mut self) {
        (self.served, self.files) = (self.served + 1, None);
    }

    /// Notes that the catalog of a database takes the place of `before`.
    pub fn note_opened(&mut self, before: Catalog, is_empty: bool) {
        if !is_empty {
            self.files = None;
        } else if self.served > 0 {
            self.files = Some(Arc::new(before));
        }
        self.served = 0;
    }

    /// Notes that the database has what the files say.
    pub fn note_recorded(&mut self) {
        self.files = None;
    }

    /// How often files were served while no database was open.
    pub fn served(&self) -> u32 {
        self.served
    }

    pub fn is_none(&self) -> bool {
        self.served == 0 && self.files.is_none()
    }

    /// Whether files are served over an empty database.
    pub fn has_files(&self) -> bool {
        self.files.is_some()
    }

    pub fn flags(&self) -> impl Iterator<Item = &FlagKey> {
        self.files.iter().flat_map(|files| files.flags()).map(|(key, _)| key)
    }

    pub fn segment(&self, key: &str) -> Option<&SegmentEntry> {
        self.files.as_ref().and_then(|files| files.segment(key))
    }

    /// A flag as it is recorded, or, while that has no definition of it, as its file says with what is
    /// held over it.
    pub fn under<'a>(
        &'a self,
        key: &str,
        recorded: Option<&'a FlagEntry>,
    ) -> Option<Cow<'a, FlagEntry>> {
        let file = self.files.as_ref().and_then(|files| files.flag(key));
        match (recorded, file) {
            (Some(recorded), Some(file)) if recorded.in_force().is_none() => {
                let definition = file.record.definition;
                let record = FlagRecord { definition, ..recorded.record.clone() };
                Some(Cow::Owned(file.with(record)))
            }
            (recorded, file) => recorded.or(file).map(Cow::Borrowed),
        }
    }
}
