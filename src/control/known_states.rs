//! States that this node knows beside the database, each of them its state at the head or an
//! earlier one: in memory, and kept on disk. The rows of a database are compared with them.

use std::collections::BTreeMap;

use crate::data_dir::LastGood;
use crate::ledger::{Blobs, Catalog, ContentHash, Credential, KnownHead, Record, Subject};
use crate::store::{Store, SubjectRow};

/// The known states that are part of the database's history.
#[derive(Default)]
pub(super) struct KnownStates<'a> {
    states: Vec<State>,
    kept: Vec<&'a LastGood>,
}

struct State {
    revision: u64,
    /// The record of each subject, and since which revision it was so.
    records: BTreeMap<Subject, (Record, u64)>,
}

/// The result of comparing a row with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Agrees,
    Differs,
    /// None of them knows the subject as of this revision.
    Unknown,
}

impl<'a> KnownStates<'a> {
    /// The states among these that are part of the database's history.
    pub async fn of(
        store: &Store,
        memory: Option<(KnownHead, Catalog)>,
        kept: &[&'a LastGood],
    ) -> KnownStates<'a> {
        let mut known = KnownStates::default();
        if let Some((head, catalog)) = memory
            && head.head.revision > 0
            && store.holds(&head).await.unwrap_or(false)
        {
            known.states.push(State {
                revision: head.head.revision,
                records: records_of_catalog(&catalog),
            });
        }
        for kept in kept {
            if store.holds(&kept.known()).await.unwrap_or(false) {
                known
                    .states
                    .push(State { revision: kept.head.revision, records: records_of_kept(kept) });
                known.kept.push(*kept);
            }
        }
        known
    }

    pub fn compare(&self, row: &SubjectRow) -> Compared {
        let mut compared = self
            .records_since(&row.subject, row.changed_at)
            .map(|record| are_same(&row.record, record));
        match compared.next() {
            None => Compared::Unknown,
            Some(first) if first && compared.all(|same| same) => Compared::Agrees,
            Some(_) => Compared::Differs,
        }
    }

    /// The records of a subject in the states that are not older than a revision.
    pub fn records_since<'b>(
        &'b self,
        subject: &'b Subject,
        revision: u64,
    ) -> impl Iterator<Item = &'b Record> {
        let states = self.states.iter().filter(move |state| state.revision >= revision);
        states.filter_map(|state| state.records.get(subject).map(|(record, _)| record))
    }

    /// The subjects of every state, with the state's revision and that of the record.
    pub fn subjects(&self) -> impl Iterator<Item = (&Subject, u64, u64)> {
        self.states.iter().flat_map(|state| {
            state.records.iter().map(|(subject, (_, at))| (subject, state.revision, *at))
        })
    }

    /// These blobs, as far as a state kept them.
    pub fn blobs(&self, ids: &[ContentHash], cached: &Blobs) -> Blobs {
        let kept =
            self.kept.iter().filter_map(|kept| kept.blobs(|id| ids.contains(&id), cached).ok());
        kept.flatten().collect()
    }
}

/// A state may know a revocation of a credential that was not committed yet, and the other way
/// round: a revocation holds by itself.
fn are_same(row: &Record, known: &Record) -> bool {
    match (row, known) {
        (Record::Credential(row), Record::Credential(known)) => {
            row.is_same_apart_from_revocation(known)
        }
        (row, known) => row == known,
    }
}

fn records_of_kept(kept: &LastGood) -> BTreeMap<Subject, (Record, u64)> {
    let flags = kept
        .flags
        .iter()
        .map(|(key, record, at)| (Subject::Flag(key.clone()), (Record::Flag(record.clone()), *at)));
    let segments = kept.segments.iter().map(|(key, record, at)| {
        (Subject::Segment(key.clone()), (Record::Segment(record.clone()), *at))
    });
    flags.chain(segments).chain(kept.tokens.iter().map(of_credential)).collect()
}

fn records_of_catalog(catalog: &Catalog) -> BTreeMap<Subject, (Record, u64)> {
    let flags = catalog.flags().map(|(key, entry)| {
        (Subject::Flag(key.clone()), (Record::Flag(entry.record.clone()), entry.changed_at))
    });
    let segments = catalog.segments();
    let segments = segments.map(|(key, entry)| {
        (Subject::Segment(key.clone()), (Record::Segment(entry.record.clone()), entry.changed_at))
    });
    let credentials = catalog.credentials().iter();
    let credentials = credentials
        .map(|(id, record)| of_credential(&Credential { id: id.clone(), record: record.clone() }));
    flags.chain(segments).chain(credentials).collect()
}

/// The revision of a credential's record is not kept.
fn of_credential(Credential { id, record }: &Credential) -> (Subject, (Record, u64)) {
    (Subject::Credential(id.clone()), (Record::Credential(record.clone()), 0))
}
