//! Rows of the database that do not read, or are not what their newest change left: set aside and told of, never fatal, and never taken for
//! leave to open anything.
//!
//! What stands for such a row is what its newest revision left, if that revision is what its hash says, else what the last good state of the
//! same revision holds. Where neither tells, a flag is stopped. A stop that any of them shows stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Inner, Problem, ProblemKind};
use crate::clock;
use crate::data::LastGood;
use crate::store::{Loaded, Poison, Store, SubjectRow, record};
use crate::truth::{Book, Change, Credential, CredentialRecord, FlagRecord, Forms, Mark, Record, Subject};

/// A text is written once: the next change of who names it does not write it again.
const UNREADABLE_TEXT: &str = "names what does not read";

/// The book of a database, and what is wrong with its rows. `same` is the last good state, if it is of the same revision.
pub(super) async fn book_of(store: &Store, loaded: Loaded, at_hand: Forms, same: Option<&LastGood>) -> (Book, Vec<Problem>) {
    let Loaded { head, subjects, texts, mut poison, .. } = loaded;
    let mut kept = kept_of(same);
    let mut bench = Bench { store, same, forms: Forms { texts, ..at_hand } };
    let (mut flags, mut segments, mut credentials, mut troubles) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let now = clock::wall_ms();
    let mut stand = |subject: Subject, record: Record, changed_at: u64| match (subject, record) {
        (Subject::Flag(key), Record::Flag(record)) => flags.push((key, record, changed_at)),
        (Subject::Segment(key), Record::Segment(record)) => segments.push((key, record, changed_at)),
        (Subject::Credential(id), Record::Credential(record)) if record.is_needed(now) => {
            credentials.push(Credential { id, record });
        }
        _ => {}
    };
    for row in subjects {
        let kept = kept.remove(&row.subject);
        match bench.check(&row, kept.as_ref()).await {
            Ok(()) => stand(row.subject, row.record, row.changed_at),
            Err(why) => {
                let (record, told) = bench.stand_for_unreadable(&row, kept, why).await;
                troubles.push(told);
                stand(row.subject, record, row.changed_at);
            }
        }
    }
    let altered: BTreeSet<Subject> = poison.iter().filter_map(|poison| poison.subject.clone()).collect();
    let gone = kept.keys().filter(|subject| !altered.contains(subject));
    poison.extend(gone.map(|subject| Poison::missing(subject.clone())).collect::<Vec<_>>());
    for poison in poison {
        let kept = poison.subject.as_ref().and_then(|subject| kept.remove(subject));
        let (record, told) = bench.stand_for(&poison, kept).await;
        troubles.push(told);
        if let Some((subject, record)) = poison.subject.zip(record) {
            stand(subject, record, poison.changed_at);
        }
    }
    (Book::of(head, flags, segments, bench.forms).and_credentials(credentials), troubles)
}

/// What the last good state holds of each flag and segment. Of credentials it may know more than the database: revocations that were not
/// committed yet.
fn kept_of(same: Option<&LastGood>) -> BTreeMap<Subject, Record> {
    let flags = same.iter().flat_map(|last_good| &last_good.flags);
    let flags = flags.map(|(key, record, _)| (Subject::Flag(key.clone()), Record::Flag(record.clone())));
    let segments = same.iter().flat_map(|last_good| &last_good.segments);
    let segments = segments.map(|(key, record, _)| (Subject::Segment(key.clone()), Record::Segment(record.clone())));
    flags.chain(segments).collect()
}

/// What rows are compared with, and what they mean.
struct Bench<'a> {
    store: &'a Store,
    same: Option<&'a LastGood>,
    forms: Forms,
}

impl Bench<'_> {
    /// Whether a row reads, and is what the last good state of the same revision holds. Where they differ the row is right if its newest
    /// revision is what its hash says: then the copy is one from while it could not be read.
    async fn check(&mut self, row: &SubjectRow, kept: Option<&Record>) -> Result<(), String> {
        if kept.is_some_and(|kept| *kept != row.record && stop_of(kept).is_some() && stop_of(&row.record).is_none()) {
            return Err("shows no stop, and the last good state of the same revision does".to_owned());
        }
        if kept.is_some_and(|kept| *kept != row.record) && !self.store.stands(row.changed_at).await.unwrap_or(false) {
            return Err("is not what the last good state of the same revision holds".to_owned());
        }
        self.read(&row.subject, &row.record)
    }

    /// For a row that agrees with its newest revision, and yet cannot be served as it is.
    async fn stand_for_unreadable(&mut self, row: &SubjectRow, kept: Option<Record>, why: String) -> (Record, Problem) {
        let believed = match self.store.stands(row.changed_at).await.unwrap_or(false) {
            true => Some(row.record.json()),
            false => None,
        };
        let doubtful = believed.is_none().then(|| row.record.json()).into_iter().collect();
        let (subject, changed_at) = (Some(row.subject.clone()), row.changed_at);
        let poison = Poison { subject, changed_at, why, believed, doubtful };
        let (record, told) = self.stand_for(&poison, kept).await;
        (record.unwrap_or_else(|| row.record.clone()), told)
    }

    /// The record that stands for a row, and what is told of it.
    async fn stand_for(&mut self, poison: &Poison, kept: Option<Record>) -> (Option<Record>, Problem) {
        let Poison { subject, why, believed, doubtful, .. } = poison;
        let Some(subject) = subject else { return (None, told(None, why, "it is passed over")) };
        let parse = |json: &String| record(subject, json).ok();
        let certain = [believed.as_ref().and_then(parse), kept.clone()].into_iter().flatten();
        let mut known = None;
        for record in certain {
            self.fetch_texts(&record).await;
            match self.read(subject, &record) {
                Ok(()) => {
                    known = Some((record, "what its newest revision left is served"));
                    break;
                }
                // What it says is certain, and what that means is not: it has no good form until its file is read again.
                Err(_) => known = known.or(Some((record, "it answers `polling` until its file can be read"))),
            }
        }
        let shown = believed.iter().chain(doubtful).find_map(|json| stop_in(json)).or_else(|| kept.as_ref().and_then(stop_of));
        let (record, what) = match (known, subject) {
            (Some((Record::Credential(record), _)), _) => {
                // A revocation that any of them shows stands, too.
                let revoked_at_ms = record.revoked_at_ms.or_else(|| doubtful.iter().find_map(|json| revoked_in(json)));
                (Record::Credential(CredentialRecord { revoked_at_ms, ..record }), "what its newest revision left is accepted")
            }
            (Some((record, what)), _) => (record, what),
            (None, Subject::Credential(_)) => return (None, told(Some(subject), why, "it is not accepted")),
            (None, Subject::Segment(_)) => (Record::Segment(Default::default()), "flags that name it answer `polling`"),
            (None, Subject::Flag(_)) => {
                let flag = match self.earlier(subject, doubtful.iter().filter_map(parse).collect()).await {
                    Some(Record::Flag(record)) => record,
                    _ => FlagRecord::default(),
                };
                let stop = flag.stop.or_else(|| Some(by_turnout()));
                (Record::Flag(FlagRecord { stop, ..flag }), "it is stopped until `turnout resume`")
            }
        };
        let record = match record {
            Record::Flag(flag) => Record::Flag(FlagRecord { stop: flag.stop.or(shown), ..flag }),
            record => record,
        };
        (Some(record), told(Some(subject), why, what))
    }

    /// The newest record of a subject that reads: of these, else of its history.
    async fn earlier(&mut self, subject: &Subject, mut records: Vec<Record>) -> Option<Record> {
        let recorded = self.store.earlier(subject).await.unwrap_or_default();
        records.extend(recorded.iter().filter_map(|json| record(subject, json).ok()));
        for record in records {
            self.fetch_texts(&record).await;
            if self.read(subject, &record).is_ok() {
                return Some(record);
            }
        }
        None
    }

    /// The texts a record speaks of, from wherever they are.
    async fn fetch_texts(&mut self, record: &Record) {
        let ids = record.texts();
        if let Some(Ok(texts)) = self.same.map(|last_good| last_good.texts(|id| ids.contains(&id), &self.forms.texts)) {
            self.forms.texts.extend(texts);
        }
        if let Ok(texts) = self.store.texts(&ids).await {
            self.forms.texts.extend(texts);
        }
    }

    fn read(&mut self, subject: &Subject, record: &Record) -> Result<(), String> {
        let read = match (subject, record) {
            (Subject::Flag(key), Record::Flag(record)) => self.forms.read_flag(key, record),
            (Subject::Segment(key), Record::Segment(record)) => self.forms.read_segment(key, record),
            _ => Ok(()),
        };
        read.map_err(|why| format!("{UNREADABLE_TEXT}: {why}"))
    }
}

impl Inner {
    /// A commit writes good rows of what it changes.
    pub(super) fn heal_rows(&self, changes: &[Change]) {
        if !self.problems.has(ProblemKind::PoisonRow) {
            return;
        }
        // By their keys: a flag and a segment may share one. There may be a trouble and a change for each flag.
        let mut changed: HashMap<&str, Vec<&Subject>> = HashMap::new();
        for change in changes {
            changed.entry(change.subject.key()).or_default().push(&change.subject);
        }
        let is_healed = |trouble: &Problem| {
            let of_key = trouble.subject.as_deref().and_then(|key| changed.get(key));
            let is_of = |subject: &&Subject| trouble.message.starts_with(&row_of(Some(subject)));
            of_key.is_some_and(|subjects| subjects.iter().any(is_of)) && !trouble.message.contains(UNREADABLE_TEXT)
        };
        let troubles = self.problems.troubles();
        let of_rows =
            troubles.iter().map(|standing| &standing.trouble).filter(|trouble| trouble.kind == ProblemKind::PoisonRow);
        let left = of_rows.filter(|trouble| !is_healed(trouble));
        self.trouble(ProblemKind::PoisonRow, left.cloned().collect());
    }
}

fn row_of(subject: Option<&Subject>) -> String {
    format!("the row of {} ", subject.map_or_else(|| "a subject".to_owned(), Subject::to_string))
}

fn told(subject: Option<&Subject>, why: &str, what: &str) -> Problem {
    Problem {
        kind: ProblemKind::PoisonRow,
        subject: subject.map(|subject| subject.key().to_owned()),
        message: format!("{}in the database {why}; {what}", row_of(subject)),
        hint: "turnout history --verify names altered rows; the next change of it writes a good one".to_owned(),
    }
}

/// The stop that a stored record shows, however little of the rest reads.
fn stop_in(json: &str) -> Option<Mark> {
    let Ok(record) = serde_json::from_str::<serde_json::Value>(json) else {
        return json.contains("\"stop\"").then(by_turnout);
    };
    let stop = record.get("stop").filter(|stop| !stop.is_null())?;
    Some(serde_json::from_value(stop.clone()).unwrap_or_else(|_| by_turnout()))
}

fn stop_of(record: &Record) -> Option<Mark> {
    match record {
        Record::Flag(record) => record.stop.clone(),
        Record::Segment(_) | Record::Credential(_) => None,
    }
}

/// When a credential was revoked, as far as a stored record shows it.
fn revoked_in(json: &str) -> Option<i64> {
    serde_json::from_str::<serde_json::Value>(json).ok()?.get("revokedAtMs")?.as_i64()
}

fn by_turnout() -> Mark {
    let reason = Some("its row in the database does not read".to_owned());
    Mark { by: "turnout".into(), at_ms: clock::wall_ms(), reason, unknown: Default::default() }
}
