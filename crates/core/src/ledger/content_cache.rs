//! The parsed forms of recorded blobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::blob::{Blobs, ContentHash};
use super::entry::FlagEntry;
use super::record::{FlagRecord, SegmentRecord};
use crate::definition::{Finding, Text, parse_flag, parse_segment};
use crate::flag::{Definition, FlagKey, Segment, SegmentKey};

/// Blobs and their parsed forms, for the records that refer to them.
#[derive(Clone, Default)]
pub struct ContentCache {
    pub blobs: Blobs,
    pub definitions: BTreeMap<ContentHash, Arc<Definition>>,
    pub segments: BTreeMap<SegmentKey, Arc<Segment>>,
    /// Segments that were parsed before, with the records they were parsed from: a long list is not
    /// parsed twice.
    pub known_segments: BTreeMap<SegmentKey, (SegmentRecord, Arc<Segment>)>,
}

/// Prints counts, never content: blobs name users.
impl std::fmt::Debug for ContentCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentCache({} texts)", self.blobs.len())
    }
}

/// Why a record cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("its text {0} is not there")]
    Missing(ContentHash),
    #[error("its text does not read: {0}")]
    Bad(String),
}

impl ContentCache {
    /// Parses the definitions that a flag's record refers to.
    pub fn read_flag(&mut self, key: &FlagKey, record: &FlagRecord) -> Result<(), Unreadable> {
        for id in record.blobs() {
            // Also for a definition that is parsed already: a missing blob is an error.
            let text = self.blobs.get(&id).ok_or(Unreadable::Missing(id))?;
            if self.definitions.get(&id).is_none_or(|known| known.key != *key) {
                self.definitions.insert(id, parse_flag(key, text).map_err(bad)?);
            }
        }
        Ok(())
    }

    /// A flag's record with its parsed form, as far as it was parsed.
    pub fn entry(&self, record: FlagRecord) -> FlagEntry {
        let meaning = |id: ContentHash| self.definitions.get(&id).cloned();
        let definition = record.definition.and_then(meaning);
        let pinned = record.pin.as_ref().and_then(|pin| meaning(pin.definition));
        FlagEntry { record, changed_at: 0, definition, pinned }
    }

    /// Parses what a segment's record refers to.
    pub fn read_segment(
        &mut self,
        key: &SegmentKey,
        record: &SegmentRecord,
    ) -> Result<(), Unreadable> {
        if record.is_empty() {
            return Ok(());
        }
        let text = |id: ContentHash| self.blobs.get(&id).ok_or(Unreadable::Missing(id));
        record.blobs().try_for_each(|id| text(id).map(drop))?;
        if let Some((_, known)) = self.known_segments.get(key).filter(|(known, _)| known == record)
        {
            self.segments.insert(key.clone(), known.clone());
            return Ok(());
        }
        let file = record.file.map(text).transpose()?;
        let users_file = record.users_file.as_ref();
        let users_file = users_file
            .map(|list| Ok((&*list.path, Text::new(text(list.content)?.clone()))))
            .transpose()?;
        let ids = record.internal_user_ids.map(text).transpose()?;
        let ids = ids
            .map(|ids| String::from_utf8_lossy(ids).lines().map(str::to_owned).collect())
            .unwrap_or_default();
        let segment = parse_segment(key, file.map(|file| &**file), users_file, ids).map_err(bad)?;
        self.segments.insert(key.clone(), segment);
        Ok(())
    }
}

fn bad(findings: Vec<Finding>) -> Unreadable {
    Unreadable::Bad(findings.first().map(|finding| finding.message.clone()).unwrap_or_default())
}
