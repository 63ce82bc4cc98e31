//! What recorded texts mean, once they are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::content::{ContentId, Texts};
use super::record::{FlagRecord, SegmentRecord};
use crate::definition::{Finding, Text, parse_flag, parse_segment};
use crate::flag::{Definition, FlagKey, Segment, SegmentKey};

/// Texts and their meanings, beside the records that speak of them.
#[derive(Clone, Default)]
pub struct Forms {
    pub texts: Texts,
    pub definitions: BTreeMap<ContentId, Arc<Definition>>,
    pub segments: BTreeMap<SegmentKey, Arc<Segment>>,
}

/// Counts and never prints: texts name users.
impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Forms({} texts)", self.texts.len())
    }
}

/// Why a record has no meaning.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("its text {0} is not there")]
    Missing(ContentId),
    #[error("its text does not read: {0}")]
    Bad(String),
}

impl Forms {
    /// Reads the definitions a flag's record speaks of.
    pub fn read_flag(&mut self, key: &FlagKey, record: &FlagRecord) -> Result<(), Unreadable> {
        for id in record.texts() {
            if !self.definitions.contains_key(&id) {
                let text = self.texts.get(&id).ok_or(Unreadable::Missing(id))?;
                self.definitions.insert(id, parse_flag(key, text).map_err(bad)?);
            }
        }
        Ok(())
    }

    /// Reads what a segment's record speaks of.
    pub fn read_segment(&mut self, key: &SegmentKey, record: &SegmentRecord) -> Result<(), Unreadable> {
        if record.is_empty() {
            return Ok(());
        }
        let text = |id: ContentId| self.texts.get(&id).ok_or(Unreadable::Missing(id));
        let file = record.file.map(text).transpose()?;
        let users_file = record.users_file.as_ref();
        let users_file = users_file.map(|list| Ok((&*list.path, Text::new(text(list.content)?.clone())))).transpose()?;
        let ids = record.internal_user_ids.map(text).transpose()?;
        let ids = ids.map(|ids| String::from_utf8_lossy(ids).lines().map(str::to_owned).collect()).unwrap_or_default();
        let segment = parse_segment(key, file.map(|file| &**file), users_file, ids).map_err(bad)?;
        self.segments.insert(key.clone(), segment);
        Ok(())
    }
}

fn bad(findings: Vec<Finding>) -> Unreadable {
    Unreadable::Bad(findings.first().map(|finding| finding.message.clone()).unwrap_or_default())
}
