//! What is parsed already, in the folder's definitions and in the catalog.

use super::catalog::Catalog;
use super::content_cache::ContentCache;
use super::entry::{FlagEntry, SegmentEntry};
use super::record::SegmentRecord;
use crate::definition::{DefinitionSet, WrittenFlag};

impl ContentCache {
    /// The content that the definitions and the catalog have already, for records that may refer to
    /// it.
    pub fn cached(definitions: &DefinitionSet, catalog: &Catalog) -> ContentCache {
        let mut content = ContentCache::default();
        for (_, written) in definitions.written_flags() {
            let Some(WrittenFlag { form, text }) = written else { continue };
            content.blobs.insert(text.digest.into(), text.bytes.clone());
            content.definitions.insert(text.digest.into(), form.clone());
        }
        for (key, written) in definitions.written_segments() {
            let Some(written) = written else { continue };
            let record = SegmentRecord::of(&written, &mut content.blobs);
            content.known_segments.insert(key.clone(), (record, written.form.clone()));
        }
        for (_, FlagEntry { record, definition, pinned, .. }) in catalog.flags() {
            content.definitions.extend(record.definition.zip(definition.clone()));
            content
                .definitions
                .extend(record.pin.as_ref().map(|pin| pin.definition).zip(pinned.clone()));
        }
        for (key, SegmentEntry { record, form, .. }) in catalog.segments() {
            content
                .known_segments
                .extend(form.clone().map(|form| (key.clone(), (record.clone(), form))));
        }
        content.blobs.extend(catalog.blobs().iter().map(|(id, text)| (*id, text.clone())));
        content
    }
}
