//! Compares two folders of flags: flags and segments that are added, removed or changed. `flag`
//! decides how two forms differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::definition_set::DefinitionSet;
use crate::flag::{
    Definition, Difference, FlagKey, Moves, Salt, Segment, SegmentKey, Share, Strategy,
    differences, moves, segment_differences, shares,
};

/// Every difference, ordered by key.
#[derive(Debug, PartialEq, Eq)]
pub struct FolderDifference {
    pub flags: Vec<(FlagKey, Changed<FlagChange>)>,
    pub segments: Vec<(SegmentKey, Changed<SegmentChange>)>,
    /// Flags that seem to be renamed. Each stands in `flags`, too, as removed and as added.
    pub renamed: Vec<Renamed>,
}

/// A flag that is gone, and a new one that means the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Renamed {
    pub from: FlagKey,
    pub to: FlagKey,
    /// The salt that the new flag lacks: without it every user gets another bucket. `None` while
    /// buckets stay or do not matter.
    pub lost_salt: Option<Salt>,
}

/// How a subject changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed<T> {
    /// Added; for a flag, with the share of buckets of each strategy.
    Added(Vec<(Strategy, Share)>),
    Removed,
    Otherwise(T),
}

#[derive(Debug, PartialEq, Eq)]
pub struct FlagChange {
    pub differences: Vec<Difference>,
    pub moves: Moves,
}

#[derive(Debug, PartialEq, Eq)]
pub struct SegmentChange {
    pub differences: Vec<Difference>,
    /// The flags that name the segment, in the new folder.
    pub named_by: Vec<FlagKey>,
}

impl FolderDifference {
    /// Compares two sets of definitions that both have no findings.
    pub fn between(old: &DefinitionSet, new: &DefinitionSet) -> FolderDifference {
        let (before, after) = (definitions(old), definitions(new));
        FolderDifference {
            flags: flags(&before, &after),
            segments: segments(old, new),
            renamed: renamed(&before, &after),
        }
    }

    pub fn is_none(&self) -> bool {
        self.flags.is_empty() && self.segments.is_empty()
    }
}

fn flags(
    old: &BTreeMap<FlagKey, Arc<Definition>>,
    new: &BTreeMap<FlagKey, Arc<Definition>>,
) -> Vec<(FlagKey, Changed<FlagChange>)> {
    changes(old, new, shares, |old, new| {
        let differences = differences(old, new);
        (!differences.is_empty()).then(|| FlagChange { differences, moves: moves(old, new) })
    })
}

/// A flag that is gone belongs to the first new one that means the same.
fn renamed(
    old: &BTreeMap<FlagKey, Arc<Definition>>,
    new: &BTreeMap<FlagKey, Arc<Definition>>,
) -> Vec<Renamed> {
    let mut added: Vec<&Arc<Definition>> =
        new.values().filter(|definition| !old.contains_key(&definition.key)).collect();
    let gone = old.values().filter(|definition| !new.contains_key(&definition.key));
    gone.filter_map(|gone| {
        let means_the_same =
            |new: &&Arc<Definition>| differences(gone, new).iter().all(|one| one.what == "salt");
        let to = added.remove(added.iter().position(means_the_same)?);
        let is_drawn_anew = matches!(moves(gone, to), Moves::Reshuffled(_));
        Some(Renamed {
            from: gone.key.clone(),
            to: to.key.clone(),
            lost_salt: is_drawn_anew.then(|| gone.salt.clone()),
        })
    })
    .collect()
}

fn segments(old: &DefinitionSet, new: &DefinitionSet) -> Vec<(SegmentKey, Changed<SegmentChange>)> {
    let by_key = |set: &DefinitionSet| -> BTreeMap<SegmentKey, Arc<Segment>> {
        set.segments().map(|segment| (segment.key.clone(), segment.clone())).collect()
    };
    let definitions = definitions(new);
    changes(
        &by_key(old),
        &by_key(new),
        |_| Vec::new(),
        |old, new| {
            let differences = segment_differences(old, new);
            let names_it = |definition: &&Arc<Definition>| definition.segments.contains(&new.key);
            let named_by = || {
                definitions
                    .values()
                    .filter(names_it)
                    .map(|definition| definition.key.clone())
                    .collect()
            };
            (!differences.is_empty()).then(|| SegmentChange { differences, named_by: named_by() })
        },
    )
}

fn definitions(set: &DefinitionSet) -> BTreeMap<FlagKey, Arc<Definition>> {
    set.flags()
        .filter_map(|(key, form)| form.map(|(definition, _)| (key.clone(), definition)))
        .collect()
}

fn changes<Key: Ord + Clone, Form, Change>(
    old: &BTreeMap<Key, Arc<Form>>,
    new: &BTreeMap<Key, Arc<Form>>,
    added: impl Fn(&Form) -> Vec<(Strategy, Share)>,
    change: impl Fn(&Form, &Form) -> Option<Change>,
) -> Vec<(Key, Changed<Change>)> {
    let mut keys: Vec<&Key> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let of = |key: &Key| match (old.get(key), new.get(key)) {
        (Some(old), Some(new)) => change(old, new).map(Changed::Otherwise),
        (None, Some(new)) => Some(Changed::Added(added(new))),
        _ => Some(Changed::Removed),
    };
    keys.into_iter().filter_map(|key| of(key).map(|changed| (key.clone(), changed))).collect()
}
