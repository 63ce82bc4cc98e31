//! A publish: its body, checked.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fingerprint::{Fingerprint, fingerprint};
use super::limits::{
    MAX_DATA_BYTES, MAX_DATA_DEPTH, MAX_EVENT_ID_BYTES, MAX_EVENTS_OF_BODY, MAX_PUBLISH_BYTES,
    MAX_TYPE_BYTES,
};
use super::readers::{BadReaders, Readers};

/// What a publish asks for.
#[derive(Debug)]
pub struct Publish {
    /// Replaces all readers; `None` changes nothing.
    pub readers: Option<Readers>,
    /// `true` ends the stream.
    pub ended: bool,
    pub events: Vec<NewEvent>,
}

/// An event as it was sent, checked.
#[derive(Clone)]
pub struct NewEvent {
    pub id: Box<str>,
    pub kind: Box<str>,
    /// JSON, as it was written.
    pub data: Box<str>,
    pub fingerprint: Fingerprint,
}

/// What is wrong with the body of a publish. No message repeats what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPublish {
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error(
        "the body is an object of `readers`, `ended` and `events`, and of nothing else (line {line}, column {column})"
    )]
    Shape { line: usize, column: usize },
    #[error("event {0} is not an object of `id`, `type` and `data`, and of nothing else")]
    Event(usize),
    #[error("the `id` of event {0} is not 1 to {MAX_EVENT_ID_BYTES} printable ASCII characters")]
    Id(usize),
    #[error(
        "the `type` of event {0} is not 1 to {MAX_TYPE_BYTES} letters, digits or `._:/-`, a letter or digit first"
    )]
    Type(usize),
    #[error(
        "the `data` of event {0} has more than {MAX_DATA_DEPTH} maps and lists inside each other"
    )]
    Depth(usize),
    #[error(transparent)]
    Readers(BadReaders),
    #[error("the body has more than {MAX_PUBLISH_BYTES} bytes")]
    Body,
    #[error("the body has more than {MAX_EVENTS_OF_BODY} events; send several")]
    Events,
    #[error("the `data` of event {0} has more than {MAX_DATA_BYTES} bytes")]
    Data(usize),
}

impl BadPublish {
    /// Whether the body is over a bound, and not wrong in itself.
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            BadPublish::Body
                | BadPublish::Events
                | BadPublish::Data(_)
                | BadPublish::Readers(BadReaders::TooMany)
        )
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow, default)]
    readers: Option<&'a RawValue>,
    #[serde(default)]
    ended: Option<bool>,
    #[serde(borrow, default)]
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Publish {
    pub fn read(bytes: &[u8]) -> Result<Publish, BadPublish> {
        if bytes.len() > MAX_PUBLISH_BYTES {
            return Err(BadPublish::Body);
        }
        // A list would be read as the values of an object's members, in their order.
        if bytes.trim_ascii_start().starts_with(b"[") {
            let whole = serde_json::from_slice::<&RawValue>(bytes);
            return Err(whole.map_or_else(
                |error| BadPublish::NotJson { line: error.line(), column: error.column() },
                |_| BadPublish::Shape { line: 1, column: 1 },
            ));
        }
        let body: Body<'_> = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            if error.is_data() {
                BadPublish::Shape { line, column }
            } else {
                BadPublish::NotJson { line, column }
            }
        })?;
        if body.events.len() > MAX_EVENTS_OF_BODY {
            return Err(BadPublish::Events);
        }
        let readers = body.readers.map(|raw| {
            let json = serde_json::from_str(raw.get()).map_err(|_| BadReaders::Shape)?;
            Readers::read(&json)
        });
        let readers = readers.transpose().map_err(BadPublish::Readers)?;
        let numbered = body.events.iter().enumerate();
        let events = numbered.map(|(index, raw)| EventBody::read(raw, index + 1)?.check(index + 1));
        let events = events.collect::<Result<_, _>>();
        Ok(Publish { readers, ended: body.ended == Some(true), events: events? })
    }

    /// The bytes it takes while it waits.
    pub fn bytes(&self) -> usize {
        let events = self.events.iter().map(NewEvent::bytes).sum::<usize>();
        size_of::<Publish>() + events + self.readers.as_ref().map_or(0, Readers::bytes)
    }
}

impl<'a> EventBody<'a> {
    fn read(raw: &'a RawValue, number: usize) -> Result<EventBody<'a>, BadPublish> {
        let is_object = raw.get().starts_with('{');
        let read = is_object.then(|| serde_json::from_str(raw.get()).ok()).flatten();
        read.ok_or(BadPublish::Event(number))
    }

    fn check(&self, number: usize) -> Result<NewEvent, BadPublish> {
        if !is_event_id(&self.id) {
            return Err(BadPublish::Id(number));
        }
        if !is_event_type(&self.kind) {
            return Err(BadPublish::Type(number));
        }
        let data = self.data.get();
        if data.len() > MAX_DATA_BYTES {
            return Err(BadPublish::Data(number));
        }
        let fingerprint = fingerprint(&self.kind, data).ok_or(BadPublish::Depth(number))?;
        let (id, kind, data) = ((*self.id).into(), (*self.kind).into(), data.into());
        Ok(NewEvent { id, kind, data, fingerprint })
    }
}

impl NewEvent {
    pub fn bytes(&self) -> usize {
        size_of::<NewEvent>() + self.id.len() + self.kind.len() + self.data.len()
    }
}

impl std::fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewEvent({} bytes of data)", self.data.len())
    }
}

pub fn is_event_id(text: &str) -> bool {
    (1..=MAX_EVENT_ID_BYTES).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

pub fn is_event_type(text: &str) -> bool {
    let rest =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'/' | b'-');
    (1..=MAX_TYPE_BYTES).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, kind: &str, data: &str) -> String {
        format!("{{\"id\":\"{id}\",\"type\":\"{kind}\",\"data\":{data}}}")
    }

    fn check(what: &str, body: &str, expected: Result<usize, BadPublish>) {
        let read = Publish::read(body.as_bytes()).map(|publish| publish.events.len());
        assert_eq!(read, expected, "{what}");
    }

    #[test]
    fn a_body_is_checked_whole() {
        let of = |events: &[String]| format!("{{\"events\":[{}]}}", events.join(","));
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        let good = event("e-1", "build.done", "{\"n\":1e5}");
        check("nothing", "{}", Ok(0));
        check("one", &of(std::slice::from_ref(&good)), Ok(1));
        check("as many as may be", &of(&vec![good.clone(); 100]), Ok(100));
        check("one more", &of(&vec![good.clone(); 101]), Err(BadPublish::Events));
        check("data of 32 KiB", &of(&[event("a", "t", &text(MAX_DATA_BYTES))]), Ok(1));
        let more = of(&[good, event("a", "t", &text(MAX_DATA_BYTES + 1))]);
        check("a byte more", &more, Err(BadPublish::Data(2)));
        check("too long", &format!("{}{{}}", " ".repeat(MAX_PUBLISH_BYTES)), Err(BadPublish::Body));
        for (id, is_id) in [("", false), (" ~", true), ("a\\u0007", false), ("é", false)] {
            let expected = if is_id { Ok(1) } else { Err(BadPublish::Id(1)) };
            check(id, &of(&[event(id, "t", "1")]), expected);
        }
        check("an id of 128", &of(&[event(&"i".repeat(128), "t", "1")]), Ok(1));
        check("of 129", &of(&[event(&"i".repeat(129), "t", "1")]), Err(BadPublish::Id(1)));
        for (kind, is_type) in [("a/b:c.d_e-f", true), ("", false), (".a", false), ("a b", false)] {
            let expected = if is_type { Ok(1) } else { Err(BadPublish::Type(1)) };
            check(kind, &of(&[event("a", kind, "1")]), expected);
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        check("deep", &of(&[event("a", "t", &deep)]), Err(BadPublish::Depth(1)));
        let readers = |json: &str| format!("{{\"readers\":{json}}}");
        check("verified", &readers("\"verified\""), Ok(0));
        check("readers", &readers("5"), Err(BadPublish::Readers(BadReaders::Shape)));
    }

    #[test]
    fn what_is_not_a_publish_is_told_apart_from_what_is_not_json() {
        for (body, is_json) in [
            ("", false),
            ("{", false),
            ("nul", false),
            ("[]", true),
            ("5", true),
            ("{\"event\":[]}", true),
            ("{\"events\":{}}", true),
            ("{\"events\":[],\"events\":[]}", true),
            ("{\"ended\":\"yes\"}", true),
            ("[\"verified\",false,[]]", true),
            ("{\"events\":[{\"id\":\"a\",\"type\":\"t\"}]}", true),
            ("{\"events\":[[\"a\",\"t\",1]]}", true),
            ("{\"events\":[{\"id\":\"a\",\"type\":\"t\",\"data\":1,\"at\":2}]}", true),
        ] {
            let read = Publish::read(body.as_bytes());
            let shape = matches!(read, Err(BadPublish::Shape { .. } | BadPublish::Event(_)));
            let not_json =
                matches!(Publish::read(body.as_bytes()), Err(BadPublish::NotJson { .. }));
            assert_eq!((shape, not_json), (is_json, !is_json), "{body}");
        }
    }
}
