//! Every subject at the newest revision known here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::blob::{Blobs, ContentHash};
use super::change::{Change, Subject};
use super::compared::Compared;
use super::content_cache::ContentCache;
use super::credential::{Credential, CredentialId, CredentialRecord};
use super::entry::{FlagEntry, SegmentEntry};
use super::record::{FlagRecord, Record, SegmentRecord};
use super::revision::Head;
use crate::flag::{FlagKey, Segment, SegmentKey};

/// The subjects, and the blobs their records refer to.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub head: Head,
    // Shared, so that a copy costs little however many there are.
    flags: Arc<BTreeMap<FlagKey, FlagEntry>>,
    segments: Arc<BTreeMap<SegmentKey, SegmentEntry>>,
    credentials: Arc<Credentials>,
    blobs: Arc<Blobs>,
}

/// The credentials of a catalog, by id.
pub type Credentials = BTreeMap<CredentialId, CredentialRecord>;

impl Catalog {
    /// The catalog before anything is known.
    pub fn empty() -> Catalog {
        Catalog {
            head: Head::none(),
            flags: Arc::default(),
            segments: Arc::default(),
            credentials: Arc::default(),
            blobs: Arc::default(),
        }
    }

    /// A catalog of stored records. A record that cannot be parsed is kept as one without a good
    /// form.
    pub fn of(
        head: Head,
        flags: impl IntoIterator<Item = (FlagKey, FlagRecord, u64)>,
        segments: impl IntoIterator<Item = (SegmentKey, SegmentRecord, u64)>,
        content: ContentCache,
    ) -> Catalog {
        let mut catalog = Catalog { head, ..Catalog::empty() };
        for (key, record, changed_at) in flags {
            catalog.put_flag(&key, record, changed_at, &content);
        }
        for (key, record, changed_at) in segments {
            catalog.put_segment(&key, record, changed_at, &content);
        }
        catalog.blobs = Arc::new(content.blobs);
        catalog.drop_unused_blobs();
        catalog
    }

    /// The same catalog with these credentials.
    pub fn and_credentials(mut self, credentials: impl IntoIterator<Item = Credential>) -> Catalog {
        let all = Arc::make_mut(&mut self.credentials);
        all.extend(credentials.into_iter().map(|Credential { id, record }| (id, record)));
        self
    }

    /// The same catalog without credentials.
    pub fn without_credentials(self) -> Catalog {
        Catalog { credentials: Arc::default(), ..self }
    }

    pub fn flags(&self) -> impl Iterator<Item = (&FlagKey, &FlagEntry)> {
        self.flags.iter()
    }

    pub fn segments(&self) -> impl Iterator<Item = (&SegmentKey, &SegmentEntry)> {
        self.segments.iter()
    }

    pub fn flag(&self, key: &str) -> Option<&FlagEntry> {
        self.flags.get(key)
    }

    pub fn segment(&self, key: &str) -> Option<&SegmentEntry> {
        self.segments.get(key)
    }

    /// The credentials. A different `Arc` may have different content; the same `Arc` never has.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    pub fn credential(&self, id: &CredentialId) -> Option<&CredentialRecord> {
        self.credentials.get(id)
    }

    /// Removes credentials that ended long ago.
    pub(super) fn forget_dead_credentials(&mut self, now_ms: i64) {
        if self.credentials.values().any(|record| !record.is_needed(now_ms)) {
            Arc::make_mut(&mut self.credentials).retain(|_, record| record.is_needed(now_ms));
        }
    }

    /// The blobs its records refer to.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The parsed forms of its records, for a catalog that will take the records over.
    pub fn content(&self) -> ContentCache {
        let mut content = ContentCache { blobs: (*self.blobs).clone(), ..ContentCache::default() };
        for FlagEntry { record, definition, pinned, .. } in self.flags.values() {
            content.definitions.extend(record.definition.zip(definition.clone()));
            content
                .definitions
                .extend(record.pin.as_ref().map(|pin| pin.definition).zip(pinned.clone()));
        }
        let segments = self
            .segments
            .iter()
            .filter_map(|(key, entry)| Some((key.clone(), entry.form.clone()?)));
        content.segments.extend(segments);
        content
    }

    /// Applies the changes of one revision.
    pub fn apply(&mut self, head: Head, changes: &[Change], content: &ContentCache) {
        self.head = head;
        for Change { subject, after, .. } in changes {
            match (subject, after) {
                (Subject::Flag(key), Some(Record::Flag(record))) => {
                    self.put_flag(key, record.clone(), head.revision, content);
                }
                (Subject::Segment(key), Some(Record::Segment(record))) => {
                    self.put_segment(key, record.clone(), head.revision, content);
                }
                (Subject::Credential(id), Some(Record::Credential(record))) => {
                    Arc::make_mut(&mut self.credentials).insert(id.clone(), record.clone());
                }
                (Subject::Credential(id), _) => {
                    drop(Arc::make_mut(&mut self.credentials).remove(id));
                }
                (Subject::Flag(key), _) => drop(Arc::make_mut(&mut self.flags).remove(key)),
                (Subject::Segment(key), _) => drop(Arc::make_mut(&mut self.segments).remove(key)),
            }
        }
        if !content.blobs.is_empty() {
            Arc::make_mut(&mut self.blobs)
                .extend(content.blobs.iter().map(|(id, text)| (*id, text.clone())));
            self.drop_unused_blobs();
        }
    }

    /// Whether both have the same flags, segments and blobs, as far as that is known without a
    /// comparison.
    pub(super) fn shares_all(&self, other: &Catalog) -> bool {
        Arc::ptr_eq(&self.flags, &other.flags)
            && Arc::ptr_eq(&self.segments, &other.segments)
            && Arc::ptr_eq(&self.blobs, &other.blobs)
    }

    /// The form of a segment that is equal to `segment` and not yet shared with it.
    pub fn equal_segment(
        &self,
        segment: &Arc<Segment>,
        compared: &Compared,
    ) -> Option<Arc<Segment>> {
        let known = self.segments.get(&segment.key)?.form.as_ref()?;
        let is_equal = !Arc::ptr_eq(known, segment) && compared.are_same_segments(known, segment);
        is_equal.then(|| known.clone())
    }

    /// Puts a form in the place of the equal one that is `known`, so that a long list is in memory
    /// once.
    pub fn intern(
        &mut self,
        known: &Arc<Segment>,
        segment: &Arc<Segment>,
        users_file: Option<(ContentHash, &Bytes)>,
    ) {
        let is_known = |form: &Option<Arc<Segment>>| {
            form.as_ref().is_some_and(|form| Arc::ptr_eq(form, known))
        };
        if !self.segments.get(&segment.key).is_some_and(|entry| is_known(&entry.form)) {
            return;
        }
        let segments = Arc::make_mut(&mut self.segments);
        segments.entry(segment.key.clone()).and_modify(|entry| entry.form = Some(segment.clone()));
        if let Some((id, text)) = users_file
            && self.blobs.contains_key(&id)
        {
            Arc::make_mut(&mut self.blobs).insert(id, text.clone());
        }
    }

    fn put_flag(
        &mut self,
        key: &FlagKey,
        record: FlagRecord,
        changed_at: u64,
        content: &ContentCache,
    ) {
        let old = self.flags.get(key);
        let meaning = |id: ContentHash| {
            old.and_then(|old| old.meaning(id)).or_else(|| content.definitions.get(&id).cloned())
        };
        let definition = record.definition.and_then(meaning);
        let pinned = record.pin.as_ref().and_then(|pin| meaning(pin.definition));
        Arc::make_mut(&mut self.flags)
            .insert(key.clone(), FlagEntry { record, changed_at, definition, pinned });
    }

    fn put_segment(
        &mut self,
        key: &SegmentKey,
        record: SegmentRecord,
        changed_at: u64,
        content: &ContentCache,
    ) {
        let form = content.segments.get(key).cloned().filter(|_| !record.is_empty());
        Arc::make_mut(&mut self.segments)
            .insert(key.clone(), SegmentEntry { record, changed_at, form });
    }

    fn drop_unused_blobs(&mut self) {
        let of_flags = self.flags.values().flat_map(|entry| entry.record.blobs());
        let used: BTreeSet<ContentHash> =
            of_flags.chain(self.segments.values().flat_map(|entry| entry.record.blobs())).collect();
        Arc::make_mut(&mut self.blobs).retain(|id, _| used.contains(id));
    }
}
