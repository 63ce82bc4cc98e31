//! Narrowing changes that are live before they are committed.
//!
//! Each entry is kept as an operation, not as its result. The operation is laid over whatever the
//! database says, each time, until it is read back from there. So a stop holds over a change that
//! was committed meanwhile, and of two splits the narrower one holds, at every later moment.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::attribution::Attribution;
use super::blob::ContentHash;
use super::catalog::Catalog;
use super::change::{Action, Change};
use super::content_cache::ContentCache;
use super::credential::Credential;
use super::entry::FlagEntry;
use super::narrowing::is_narrowing;
use super::record::{Expiry, FlagRecord, SplitOverride};
use super::revision::ChangeSource;
use super::superseded::Superseded;
use super::timeline::Timeline;
use super::unknown::Unknown;
use crate::flag::{FlagKey, Split};

/// One narrowing request. `pending_format` decides its form in the journal.
#[derive(Clone, Debug)]
pub struct PendingEntry {
    /// The request's name in the database, so that it is committed once however often it is
    /// replayed.
    pub id: String,
    pub at_ms: i64,
    pub actor: Actor,
    pub origin: ChangeSource,
    pub reason: Option<String>,
    /// The request that the caller's idempotency key stands for.
    pub request: Option<ContentHash>,
    pub narrowed: Vec<PendingChange>,
    /// The credentials it revokes, each in its revoked form.
    pub revoked: Vec<Credential>,
    /// The requests it superseded, oldest first.
    pub superseded: Vec<Superseded>,
    pub unknown: Unknown,
}

/// The operation on one flag.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingChange {
    pub flag: FlagKey,
    pub action: Action,
    pub op: Overlay,
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Overlay {
    /// One mark for all flags that one request stops.
    Stop(#[serde(with = "shared")] Arc<Attribution>),
    /// The split that is to be in force, and the override that brings it about over the known
    /// state.
    Split {
        requested: Option<Split>,
        held: Option<SplitOverride>,
        mark: Attribution,
        #[serde(flatten)]
        unknown: Unknown,
    },
    /// A definition that narrows the one it replaces.
    Define {
        before: Option<ContentHash>,
        after: ContentHash,
        text: String,
        #[serde(skip)]
        content: ContentCache,
        #[serde(flatten)]
        unknown: Unknown,
    },
}

impl PendingEntry {
    /// Parses the definitions in it; one that this build cannot read has no effect.
    pub fn read(&mut self) {
        for PendingChange { flag, op, .. } in &mut self.narrowed {
            if let Overlay::Define { after, text, content, .. } = op {
                let record = FlagRecord { definition: Some(*after), ..FlagRecord::default() };
                content.blobs.insert(*after, text.clone().into());
                let _ = content.read_flag(flag, &record);
            }
        }
    }

    /// What its name stands for in the database: the request that was made under it, or the name
    /// itself where there was none.
    pub fn stands_for(&self) -> ContentHash {
        self.request.unwrap_or_else(|| ContentHash::of(self.id.as_bytes()))
    }

    /// The name it is committed under if its own name stands for something else. It is the same
    /// after a crash, so that the commit is found again.
    pub fn second_name(&self) -> String {
        ContentHash::of(format!("{}\0{}\0{}", self.id, self.at_ms, self.stands_for()).as_bytes())
            .to_string()
    }

    /// Whether a newer build wrote it, with members unknown to this build: it may do more than this
    /// build can read.
    pub fn is_of_newer_build(&self) -> bool {
        let of_op = |op: &Overlay| match op {
            Overlay::Stop(mark) => mark.is_of_newer_build(),
            Overlay::Split { held, mark, unknown, .. } => {
                let of_held = held.as_ref().is_some_and(SplitOverride::is_of_newer_build);
                of_held || mark.is_of_newer_build() || !unknown.is_empty()
            }
            Overlay::Define { unknown, .. } => !unknown.is_empty(),
        };
        let of_narrowed =
            |narrowed: &PendingChange| !narrowed.unknown.is_empty() || of_op(&narrowed.op);
        let of_revoked = |revoked: &Credential| !revoked.record.unknown.is_empty();
        !self.unknown.is_empty()
            || self.narrowed.iter().any(of_narrowed)
            || self.revoked.iter().any(of_revoked)
    }

    /// Whether it only stops flags or revokes credentials: the journal reserves room for such
    /// entries.
    pub fn is_stop(&self) -> bool {
        self.narrowed.iter().all(|narrowed| matches!(narrowed.op, Overlay::Stop(_)))
    }

    /// The flags that it changes.
    pub fn flags(&self) -> impl Iterator<Item = &FlagKey> {
        self.narrowed.iter().map(|narrowed| &narrowed.flag)
    }

    /// Its changes of the flags in the database's present state. There may be none; it makes a
    /// revision all the same.
    pub fn changes<'a>(
        &self,
        flag: impl Fn(&FlagKey) -> Option<&'a FlagEntry>,
    ) -> (Vec<Change>, ContentCache) {
        let mut all = ContentCache::default();
        let changes =
            self.narrowed.iter().filter_map(|PendingChange { flag: key, action, op, .. }| {
                let before = flag(key);
                let after = op.apply_to(before)?;
                // If another definition came meanwhile, this one is in force nowhere, and no record
                // names its blob.
                if let Overlay::Define { after: id, content, .. } = op
                    && after.record.definition == Some(*id)
                {
                    all.blobs.extend(content.blobs.clone());
                    all.definitions.extend(content.definitions.clone());
                }
                Some(Change::of_flag(
                    key,
                    *action,
                    before.map(|entry| entry.record.clone()),
                    Some(after.record),
                ))
            });
        (changes.collect(), all)
    }

    /// Its changes of the credentials in the database's present state.
    pub fn revocations(&self, catalog: &Catalog) -> Vec<Change> {
        self.revoked
            .iter()
            .map(|credential| credential.revoked_over(catalog.credential(&credential.id)))
            .collect()
    }
}

impl Overlay {
    /// The flag with this operation applied; `None` if it does not apply because the flag is
    /// unknown. A stop and a split hold also over a flag whose definition comes later.
    pub fn apply_to(&self, entry: Option<&FlagEntry>) -> Option<FlagEntry> {
        match (self, entry) {
            (Overlay::Stop(mark), entry) => {
                let mut entry = entry.cloned().unwrap_or_default();
                entry.record.stop.get_or_insert_with(|| Attribution::clone(mark));
                Some(entry)
            }
            (Overlay::Split { requested, held, mark, .. }, entry) => {
                match entry
                    .filter(|entry| entry.in_force().is_some() || entry.record.split.is_some())
                {
                    Some(entry) => Some(lay_split(entry, *requested, held, mark)),
                    None => hold_split(entry, *requested, held, mark),
                }
            }
            (Overlay::Define { before, after, content, .. }, Some(entry)) => {
                let mut defined = entry.clone();
                if let Some(definition) = content.definitions.get(after) {
                    defined.record.definition = Some(*after);
                    defined.definition = Some(Arc::clone(definition));
                }
                // Another definition than this one replaced lands if its commit was under way.
                let applies = entry.record.definition == *before || is_narrowing(entry, &defined);
                Some(if applies { defined } else { entry.clone() })
            }
            (Overlay::Define { .. }, None) => None,
        }
    }
}

/// The requested split, held over a flag that has none: its file is to be recorded, or comes back.
/// `None` where no split is requested.
fn hold_split(
    entry: Option<&FlagEntry>,
    requested: Option<Split>,
    held: &Option<SplitOverride>,
    mark: &Attribution,
) -> Option<FlagEntry> {
    let of = |split| SplitOverride {
        split,
        mark: mark.clone(),
        ends: None,
        unknown: Unknown::default(),
    };
    let held = held.clone().or_else(|| requested.map(of))?;
    let entry = entry.cloned().unwrap_or_default();
    Some(entry.with(FlagRecord { split: Some(held), ..entry.record.clone() }))
}

/// The lower `realtime-v2` and the higher `disabled` of the split in force and the requested one,
/// now and at every later moment: an expiry of either that lowers is kept, and one that widens does
/// not happen. Where a split was to be held one is held, also if the file says a lower one just now.
fn lay_split(
    entry: &FlagEntry,
    requested: Option<Split>,
    held: &Option<SplitOverride>,
    mark: &Attribution,
) -> FlagEntry {
    let current = entry.timeline();
    let asked = Timeline::requested(requested, held);
    let narrower = current.narrowest(asked);
    let as_asked = entry.with(FlagRecord { split: held.clone(), ..entry.record.clone() });
    // Of what gives a hold back to the file, the file may say less than was asked for.
    if as_asked.timeline().narrows(narrower) {
        return as_asked;
    }
    if current == narrower && (entry.record.split.is_some() || held.is_none()) {
        return entry.clone();
    }
    let named = [&entry.record.split, held]
        .into_iter()
        .flatten()
        .any(|held| held.ends.as_ref().is_some_and(|end| end.named));
    let ends = narrower.later.map(|(at_ms, split)| Expiry {
        at_ms,
        split: Some(split),
        named,
        unknown: Unknown::default(),
    });
    let held = SplitOverride {
        split: narrower.now,
        mark: mark.clone(),
        ends,
        unknown: Unknown::default(),
    };
    entry.with(FlagRecord { split: Some(held), ..entry.record.clone() })
}

mod shared {
    use serde::{Deserializer, Serializer};

    use super::{Arc, Attribution, Deserialize, Serialize};

    pub fn serialize<S: Serializer>(mark: &Attribution, serializer: S) -> Result<S::Ok, S::Error> {
        mark.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<Attribution>, D::Error> {
        Attribution::deserialize(deserializer).map(Arc::new)
    }
}
