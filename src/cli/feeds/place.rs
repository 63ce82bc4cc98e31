//! Where a follower is in its stream. It hands in batches of polls and of realtime streams alike: a
//! batch and its cursor are taken together, and an event that comes again is not delivered again.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};

use serde::Deserialize;
use serde_json::value::RawValue;

/// So many ids of delivered events are remembered, to know them when they come again.
const REMEMBERED: usize = 1_000;

/// The place of one follower.
#[derive(Debug, Default)]
pub struct StreamPlace {
    cursor: Option<String>,
    known: HashSet<Box<str>>,
    /// The same ids, the oldest first.
    order: VecDeque<Box<str>>,
}

#[derive(Deserialize)]
struct Named<'e> {
    #[serde(borrow)]
    id: Cow<'e, str>,
}

impl StreamPlace {
    /// Where the next batch begins; `None` at the start of a follower that has none.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The events of a batch that were not delivered yet.
    pub fn new_of<'e>(&self, events: &'e [Box<RawValue>]) -> Vec<&'e RawValue> {
        let is_new = |event: &&RawValue| id_of(event).is_none_or(|id| !self.known.contains(&*id));
        events.iter().map(|event| &**event).filter(is_new).collect()
    }

    /// Moves behind a batch, whose events are delivered.
    pub fn take(&mut self, events: &[Box<RawValue>], behind: String) {
        if is_cursor(&behind) {
            self.cursor = Some(behind);
        }
        for id in events.iter().filter_map(|event| id_of(event)) {
            if self.known.insert(id.as_ref().into()) {
                self.order.push_back(id.into());
            }
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// Begins anew at a cursor: what comes behind it is delivered, known or not.
    pub fn reset(&mut self, at: String) {
        *self =
            StreamPlace { cursor: Some(at).filter(|at| is_cursor(at)), ..StreamPlace::default() };
    }
}

/// The id of an event; one without is always new.
fn id_of(event: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Named<'_>>(event.get()).ok().map(|event| event.id)
}

/// Whether a text can stand in a query as it is, as every cursor can.
pub fn is_cursor(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Comes<'a> {
        /// A batch of these ids, and the cursor behind it.
        Batch(&'a [&'a str], &'a str),
        Reset(&'a str),
    }
    use Comes::{Batch, Reset};

    fn check(what: &str, comes: &[Comes<'_>], delivered: &[&str], cursor: Option<&str>) {
        let (mut place, mut all) = (StreamPlace::default(), Vec::new());
        for one in comes {
            match one {
                Reset(at) => place.reset((*at).to_owned()),
                Batch(ids, behind) => {
                    let event = |id: &&str| {
                        RawValue::from_string(format!("{{\"id\":\"{id}\",\"data\":1}}")).unwrap()
                    };
                    let events: Vec<_> = ids.iter().map(event).collect();
                    let new = place.new_of(&events);
                    all.extend(new.iter().filter_map(|event| id_of(event)).map(String::from));
                    place.take(&events, (*behind).to_owned());
                }
            }
        }
        assert_eq!(
            (all, place.cursor()),
            (delivered.iter().map(|id| String::from(*id)).collect(), cursor),
            "{what}"
        );
    }

    #[test]
    fn each_event_is_delivered_once_and_in_order() {
        check("nothing", &[], &[], None);
        check(
            "in turn",
            &[Batch(&["a", "b"], "2"), Batch(&["c"], "3")],
            &["a", "b", "c"],
            Some("3"),
        );
        check(
            "an earlier answer comes again",
            &[
                Batch(&["a"], "1"),
                Batch(&["b", "c"], "3"),
                Batch(&["b", "c"], "3"),
                Batch(&["a"], "1"),
            ],
            &["a", "b", "c"],
            Some("1"),
        );
        check(
            "and what follows it is known too",
            &[Batch(&["a"], "1"), Batch(&["b"], "2"), Batch(&["a"], "1"), Batch(&["b", "c"], "3")],
            &["a", "b", "c"],
            Some("3"),
        );
        check("a batch without events", &[Batch(&["a"], "1"), Batch(&[], "1")], &["a"], Some("1"));
        check("no cursor", &[Batch(&["a"], "1"), Batch(&["b"], "x y")], &["a", "b"], Some("1"));
        check(
            "a stream that begins anew may have the same ids",
            &[Batch(&["a", "b"], "2"), Reset("0"), Batch(&["a"], "1")],
            &["a", "b", "a"],
            Some("1"),
        );
    }

    #[test]
    fn no_more_ids_are_remembered_than_the_bound() {
        let mut place = StreamPlace::default();
        for n in 0..3 * REMEMBERED {
            let event = RawValue::from_string(format!("{{\"id\":\"{n}\"}}")).unwrap();
            place.take(&[event], "1".to_owned());
        }
        assert_eq!((place.known.len(), place.order.len()), (REMEMBERED, REMEMBERED));
    }
}
