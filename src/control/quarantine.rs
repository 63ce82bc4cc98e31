//! Rows of the database that cannot be read, differ from what their newest change left, or differ
//! from what this node knows. They are set aside and reported, never fatal, and never a reason to
//! open anything. `stand_in` decides what is served in their place.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::known_states::{Compared, KnownStates};
use super::row_problem::{UNREADABLE_TEXT, row_of};
use super::stand_in::StandIn;
use super::{Inner, Problem, ProblemKind};
use crate::clock;
use crate::ledger::{Catalog, Change, ContentCache, Credential, Record, Subject};
use crate::store::{Loaded, Poison, Store, SubjectRow};

/// The catalog of a database, and what is wrong with its rows.
pub(super) async fn catalog_of(
    store: &Store,
    loaded: Loaded,
    cached: ContentCache,
    known: &KnownStates<'_>,
) -> (Catalog, Vec<Problem>) {
    let (head, blobs) = (loaded.head, loaded.blobs.clone());
    let (rows, poison) = sort(store, loaded, known).await;
    let mut stand_in = StandIn { store, known, content: ContentCache { blobs, ..cached } };
    let (mut flags, mut segments, mut credentials, mut troubles) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let now = clock::wall_ms();
    let mut stand = |subject: Subject, record: Record, changed_at: u64| match (subject, record) {
        (Subject::Flag(key), Record::Flag(record)) => flags.push((key, record, changed_at)),
        (Subject::Segment(key), Record::Segment(record)) => {
            segments.push((key, record, changed_at));
        }
        (Subject::Credential(id), Record::Credential(record)) if record.is_needed(now) => {
            credentials.push(Credential { id, record });
        }
        _ => {}
    };
    let mut bad = poison;
    for (row, is_proven) in rows {
        match stand_in.read(&row.subject, &row.record) {
            Ok(()) => stand(row.subject, row.record, row.changed_at),
            Err(why) => bad.push(Poison::of_row(&row, is_proven, &why)),
        }
    }
    for poison in bad {
        // No subject changed after the head.
        let changed_at = poison.changed_at.min(head.revision);
        let (record, trouble) = stand_in.stand_for(&poison, changed_at).await;
        troubles.push(trouble);
        if let Some((subject, record)) = poison.subject.zip(record) {
            stand(subject, record, changed_at);
        }
    }
    (Catalog::of(head, flags, segments, stand_in.content).and_credentials(credentials), troubles)
}

/// The rows that may be used, each with whether its newest revision is known to match its hash, and
/// what is known about the others.
///
/// A row is right if a state known here shows the same. If none of them knows the subject, the
/// newest revision must match its hash: row and change may have been altered alike.
async fn sort(
    store: &Store,
    loaded: Loaded,
    known: &KnownStates<'_>,
) -> (Vec<(SubjectRow, bool)>, Vec<Poison>) {
    let Loaded { subjects, removed, mut poison, newest_stray, .. } = loaded;
    let (mut good, mut unknown, mut differing) = (Vec::new(), Vec::new(), Vec::new());
    for row in subjects {
        match known.compare(&row) {
            Compared::Agrees => good.push((row, true)),
            Compared::Unknown => unknown.push(row),
            Compared::Differs => differing.push(row),
        }
    }
    let of_rows = unknown.iter().chain(&differing).map(|row| row.changed_at);
    let revisions: BTreeSet<u64> = of_rows.chain(removed.values().copied()).collect();
    let proven = store.intact_revisions(&revisions).await.unwrap_or_default();
    let is_lost =
        |changed_at: u64| newest_stray.is_some_and(|newest_stray| changed_at < newest_stray);
    for row in unknown {
        match (proven.contains(&row.changed_at), is_lost(row.changed_at)) {
            (true, false) => good.push((row, true)),
            (false, _) => poison.push(Poison::of_row(
                &row,
                false,
                "was made by a revision that is not what its hash says",
            )),
            (true, true) => poison.push(Poison::of_row(
                &row,
                false,
                "may have lost a change: one of a later revision is not its own",
            )),
        }
    }
    for row in differing {
        let is_proven = proven.contains(&row.changed_at);
        poison.push(Poison::of_row(&row, is_proven, "is not what this node knows of it"));
    }
    let named: BTreeSet<Subject> =
        poison.iter().filter_map(|poison| poison.subject.clone()).collect();
    let rows: BTreeSet<Subject> = good.iter().map(|(row, _)| row.subject.clone()).collect();
    let mut missing: BTreeMap<Subject, u64> = BTreeMap::new();
    for (subject, revision, changed_at) in known.subjects() {
        let is_removed = removed
            .get(subject)
            .is_some_and(|removed| *removed > revision && proven.contains(removed));
        let is_there = is_removed || named.contains(subject) || rows.contains(subject);
        // A credential whose row is gone is not accepted.
        if !is_there && !matches!(subject, Subject::Credential(_)) {
            let newest = missing.entry(subject.clone()).or_default();
            *newest = changed_at.max(*newest);
        }
    }
    for (subject, revision) in &removed {
        if !proven.contains(revision)
            && !named.contains(subject)
            && !matches!(subject, Subject::Credential(_))
        {
            missing.entry(subject.clone()).or_insert(*revision);
        }
    }
    poison.extend(
        missing.into_iter().map(|(subject, changed_at)| Poison::missing(subject, changed_at)),
    );
    (good, poison)
}

impl Inner {
    /// A commit writes good rows for the subjects it changes.
    pub(super) fn heal_rows(&self, changes: &[Change]) {
        if !self.problems.has(ProblemKind::PoisonRow) {
            return;
        }
        // By key: a flag and a segment may share one. There may be a problem and a change for each
        // flag.
        let mut changed: HashMap<&str, Vec<&Subject>> = HashMap::new();
        for change in changes {
            changed.entry(change.subject.key()).or_default().push(&change.subject);
        }
        let is_healed = |trouble: &Problem| {
            let of_key = trouble.subject.as_deref().and_then(|key| changed.get(key));
            let is_of = |subject: &&Subject| trouble.message.starts_with(&row_of(Some(subject)));
            of_key.is_some_and(|subjects| subjects.iter().any(is_of))
                && !trouble.message.contains(UNREADABLE_TEXT)
        };
        let troubles = self.problems.troubles();
        let of_rows = troubles
            .iter()
            .map(|standing| &standing.trouble)
            .filter(|trouble| trouble.kind == ProblemKind::PoisonRow);
        let left = of_rows.filter(|trouble| !is_healed(trouble));
        self.trouble(ProblemKind::PoisonRow, left.cloned().collect());
    }
}
