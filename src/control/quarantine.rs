//! Rows of the database that do not read: set aside and told of, never fatal, and never taken for leave to open anything.

use super::{Trouble, TroubleKind};
use crate::clock;
use crate::data::LastGood;
use crate::store::{Loaded, Poison, Store};
use crate::truth::{Book, Credential, FlagRecord, Forms, Mark, Record, Subject};

/// The book of a database. A row that does not read is set aside, and the newest form of its subject that does read is served.
pub(super) async fn book_of(store: &Store, loaded: Loaded, at_hand: Forms, same: Option<&LastGood>) -> (Book, Vec<Trouble>) {
    let Loaded { head, subjects, texts, poison, .. } = loaded;
    let mut forms = Forms { texts, ..at_hand };
    let (mut flags, mut segments, mut credentials, mut troubles) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let now = clock::wall_ms();
    let mut astray: Vec<Astray> = poison
        .into_iter()
        .map(|Poison { subject, changed_at, why }| Astray { subject, changed_at, record: None, why })
        .collect();
    for row in subjects {
        let read = match (&row.subject, &row.record) {
            (Subject::Flag(key), Record::Flag(record)) => forms.read_flag(key, record),
            (Subject::Segment(key), Record::Segment(record)) => forms.read_segment(key, record),
            _ => Ok(()),
        };
        match (read, row.subject, row.record) {
            (Ok(()), Subject::Flag(key), Record::Flag(record)) => flags.push((key, record, row.changed_at)),
            (Ok(()), Subject::Segment(key), Record::Segment(record)) => segments.push((key, record, row.changed_at)),
            (Ok(()), Subject::Credential(id), Record::Credential(record)) if record.is_needed(now) => {
                credentials.push(Credential { id, record });
            }
            (Err(why), subject, record) => {
                let (changed_at, why) = (row.changed_at, why.to_string());
                astray.push(Astray { subject: Some(subject), changed_at, record: Some(record), why });
            }
            (Ok(()), ..) => {}
        }
    }
    for Astray { subject, changed_at, record, why } in astray {
        let name = subject.as_ref().map_or_else(|| "a subject".to_owned(), Subject::to_string);
        let found = match &subject {
            // An earlier form of a credential may be one from before it was revoked: one that does not read is not accepted.
            Some(Subject::Credential(_)) => None,
            Some(subject) => earlier(store, subject, same, &mut forms).await,
            None => None,
        };
        let served = if found.is_some() { "an earlier form of it is served" } else { "it has no good form" };
        troubles.push(Trouble {
            kind: TroubleKind::PoisonRow,
            subject: subject.as_ref().map(|subject| subject.key().to_owned()),
            message: format!("the row of {name} in the database does not read: {why}; {served}"),
            hint: "turnout history --verify names altered rows; the next change of it writes a good one".to_owned(),
        });
        match subject {
            Some(Subject::Flag(key)) => flags.push((key, set_aside(record, found), changed_at)),
            Some(Subject::Segment(key)) => match found {
                Some(Record::Segment(record)) => segments.push((key, record, changed_at)),
                _ => segments.push((key, Default::default(), changed_at)),
            },
            Some(Subject::Credential(_)) | None => {}
        }
    }
    (Book::of(head, flags, segments, forms).and_credentials(credentials), troubles)
}

/// A row that does not read, or speaks of a text that does not.
struct Astray {
    subject: Option<Subject>,
    changed_at: u64,
    record: Option<Record>,
    why: String,
}

/// The record that stands for one that does not read: an earlier definition, under what operators laid over it as far as that is known.
/// Where nothing of it is known the flag is stopped: its file must not go live over what somebody may have held.
fn set_aside(record: Option<Record>, found: Option<Record>) -> FlagRecord {
    match (record, found) {
        (Some(Record::Flag(now)), Some(Record::Flag(then))) => FlagRecord { split: now.split, stop: now.stop, ..then },
        (Some(Record::Flag(now)), _) => now,
        (_, Some(Record::Flag(then))) => then,
        _ => {
            let reason = Some("its row in the database does not read".to_owned());
            let stop = Mark { by: "turnout".into(), at_ms: clock::wall_ms(), reason };
            FlagRecord { stop: Some(stop), ..FlagRecord::default() }
        }
    }
}

/// The newest form of a subject that reads: the last good state's, if it is of the same revision, else one of the history.
async fn earlier(store: &Store, subject: &Subject, same: Option<&LastGood>, forms: &mut Forms) -> Option<Record> {
    let kept = same.and_then(|last_good| match subject {
        Subject::Flag(key) => {
            let found = last_good.flags.iter().find(|(known, ..)| known == key);
            found.map(|(_, record, _)| Record::Flag(record.clone()))
        }
        Subject::Segment(key) => {
            let found = last_good.segments.iter().find(|(known, ..)| known == key);
            found.map(|(_, record, _)| Record::Segment(record.clone()))
        }
        Subject::Credential(_) => None,
    });
    let recorded = store.earlier(subject).await.unwrap_or_default();
    let recorded = recorded.iter().filter_map(|json| match subject {
        Subject::Flag(_) => serde_json::from_str(json).map(Record::Flag).ok(),
        Subject::Segment(_) => serde_json::from_str(json).map(Record::Segment).ok(),
        Subject::Credential(_) => None,
    });
    for record in kept.into_iter().chain(recorded) {
        let ids = record.texts();
        if let Some(Ok(texts)) = same.map(|last_good| last_good.texts(|id| ids.contains(&id), &forms.texts)) {
            forms.texts.extend(texts);
        }
        if let Ok(texts) = store.texts(&ids).await {
            forms.texts.extend(texts);
        }
        let read = match (subject, &record) {
            (Subject::Flag(key), Record::Flag(record)) => forms.read_flag(key, record).is_ok(),
            (Subject::Segment(key), Record::Segment(record)) => forms.read_segment(key, record).is_ok(),
            _ => false,
        };
        if read {
            return Some(record);
        }
    }
    None
}
