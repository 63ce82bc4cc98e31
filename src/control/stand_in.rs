//! Replaces a wrong row of the database: by nothing wider than what any of its witnesses says, now
//! or later.
//!
//! The witnesses of a row are the row itself, what its newest revision left, and what this node
//! knows beside the database: memory, and the last good states that the database goes back to.
//! Certain are the witnesses that this node knows, and the newest revision if its hash is right.
//! Where nothing is certain, a flag is stopped. A stop that any witness shows stays in force.

use super::Problem;
use super::known_states::KnownStates;
use super::row_problem::{UNREADABLE_TEXT, row_problem};
use crate::clock;
use crate::ledger::{
    Attribution, ContentCache, CredentialRecord, FlagEntry, FlagRecord, Record, SegmentRecord,
    Subject,
};
use crate::store::{Poison, Store, record};

/// What rows are compared with, and how their content is read.
pub(super) struct StandIn<'a> {
    pub store: &'a Store,
    pub known: &'a KnownStates<'a>,
    pub content: ContentCache,
}

impl StandIn<'_> {
    /// The record that replaces a row, and what is reported of it.
    pub async fn stand_for(
        &mut self,
        poison: &Poison,
        changed_at: u64,
    ) -> (Option<Record>, Problem) {
        let Poison { subject, why, believed, doubtful, .. } = poison;
        let Some(subject) = subject else {
            return (None, row_problem(None, why, "it is passed over"));
        };
        let parse = |json: &String| record(subject, json).ok();
        let told_here = self.known.records_since(subject, changed_at).cloned();
        let certain: Vec<Record> =
            believed.as_ref().and_then(parse).into_iter().chain(told_here).collect();
        let doubtful_records: Vec<Record> = doubtful.iter().filter_map(parse).collect();
        for record in certain.iter().chain(&doubtful_records) {
            self.fetch_blobs(record).await;
        }
        // Each is parsed, so that all are compared by their meaning.
        let are_readable: Vec<bool> =
            certain.iter().map(|record| self.read(subject, record).is_ok()).collect();
        doubtful_records.iter().for_each(|record| drop(self.read(subject, record)));
        let readable = are_readable.iter().position(|is_readable| *is_readable);
        let base =
            readable.or((!certain.is_empty()).then_some(0)).map(|place| certain[place].clone());
        let witnesses = certain.iter().chain(&doubtful_records);
        let (record, what) = match (subject, base) {
            (Subject::Flag(_), base) => {
                let what = match (&base, readable) {
                    (None, _) => "it is stopped until `turnout resume`",
                    (Some(_), Some(_)) => "the narrowest of what is known of it is served",
                    // The record is certain, but its content cannot be read: the flag has no good
                    // form until its file is read again.
                    (Some(_), None) => "it answers `polling` until its file can be read",
                };
                let (base, is_certain) = match base {
                    Some(Record::Flag(base)) => (base, true),
                    _ => (self.newest_readable_record(subject, &doubtful_records).await, false),
                };
                let flag = self.narrowest(base, witnesses.filter_map(as_flag));
                let shown = || believed.iter().chain(doubtful).find_map(|json| stop_in(json));
                let stop =
                    flag.stop.clone().or_else(shown).or_else(|| (!is_certain).then(by_turnout));
                (Some(Record::Flag(FlagRecord { stop, ..flag })), what)
            }
            (Subject::Segment(_), Some(Record::Segment(base))) => {
                let segment =
                    witnesses.filter_map(as_segment).fold(base, SegmentRecord::no_wider_than);
                let what = match (segment.is_empty(), readable) {
                    (false, Some(_)) => "what is known of it is served",
                    _ => "flags that name it answer `polling`",
                };
                (Some(Record::Segment(segment)), what)
            }
            (Subject::Segment(_), _) => {
                (Some(Record::Segment(Default::default())), "flags that name it answer `polling`")
            }
            (Subject::Credential(_), Some(Record::Credential(base))) => {
                let weakest = witnesses
                    .filter_map(as_credential)
                    .try_fold(base, CredentialRecord::no_stronger_than);
                // A revocation that any witness shows holds, too.
                let revoked = || doubtful.iter().find_map(|json| revoked_in(json));
                let record = weakest.map(|record| CredentialRecord {
                    revoked_at_ms: record.revoked_at_ms.or_else(revoked),
                    ..record
                });
                let what = if record.is_some() {
                    "the weakest of what is known of it is accepted"
                } else {
                    "it is not accepted"
                };
                (record.map(Record::Credential), what)
            }
            (Subject::Credential(_), _) => (None, "it is not accepted"),
        };
        (record, row_problem(Some(subject), why, what))
    }

    /// A record no wider than any of these.
    fn narrowest<'b>(
        &self,
        base: FlagRecord,
        witnesses: impl Iterator<Item = &'b FlagRecord>,
    ) -> FlagRecord {
        let mark = by_turnout();
        let entry = witnesses.fold(self.content.entry(base), |entry: FlagEntry, witness| {
            entry.no_wider_than(&self.content.entry(witness.clone()), &mark)
        });
        entry.record
    }

    /// A flag's newest readable record: among these, else in its history.
    async fn newest_readable_record(
        &mut self,
        subject: &Subject,
        records: &[Record],
    ) -> FlagRecord {
        let recorded = self.store.previous_records(subject).await.unwrap_or_default();
        let recorded = recorded.iter().filter_map(|json| record(subject, json).ok());
        for record in records.iter().cloned().chain(recorded) {
            self.fetch_blobs(&record).await;
            if self.read(subject, &record).is_ok()
                && let Record::Flag(record) = record
            {
                return record;
            }
        }
        FlagRecord::default()
    }

    /// Fetches the blobs a record refers to, wherever they are.
    async fn fetch_blobs(&mut self, record: &Record) {
        let ids = record.blobs();
        let kept = self.known.blobs(&ids, &self.content.blobs);
        self.content.blobs.extend(kept);
        if let Ok(blobs) = self.store.blobs(&ids).await {
            self.content.blobs.extend(blobs);
        }
    }

    /// Parses what a record refers to.
    pub fn read(&mut self, subject: &Subject, record: &Record) -> Result<(), String> {
        let read = match (subject, record) {
            (Subject::Flag(key), Record::Flag(record)) => self.content.read_flag(key, record),
            (Subject::Segment(key), Record::Segment(record)) => {
                self.content.read_segment(key, record)
            }
            _ => Ok(()),
        };
        read.map_err(|why| format!("{UNREADABLE_TEXT}: {why}"))
    }
}

/// The stop in a stored record, however little of the rest can be read.
fn stop_in(json: &str) -> Option<Attribution> {
    let Ok(record) = serde_json::from_str::<serde_json::Value>(json) else {
        return json.contains("\"stop\"").then(by_turnout);
    };
    let stop = record.get("stop").filter(|stop| !stop.is_null())?;
    Some(serde_json::from_value(stop.clone()).unwrap_or_else(|_| by_turnout()))
}

/// When a credential was revoked, as far as a stored record shows it.
fn revoked_in(json: &str) -> Option<i64> {
    serde_json::from_str::<serde_json::Value>(json).ok()?.get("revokedAtMs")?.as_i64()
}

fn as_flag(record: &Record) -> Option<&FlagRecord> {
    if let Record::Flag(record) = record { Some(record) } else { None }
}

fn as_segment(record: &Record) -> Option<&SegmentRecord> {
    if let Record::Segment(record) = record { Some(record) } else { None }
}

fn as_credential(record: &Record) -> Option<&CredentialRecord> {
    if let Record::Credential(record) = record { Some(record) } else { None }
}

fn by_turnout() -> Attribution {
    Attribution::of_turnout(
        clock::wall_ms(),
        "its row in the database does not read, or is not what is known of it",
    )
}
