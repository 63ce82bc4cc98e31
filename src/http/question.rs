//! From a request's bytes to who asks. Every fault of a body has its documented answer, and none repeats what a user sent.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::iter::successors;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use bytes::BytesMut;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use serde_json::value::RawValue;
use tokio::task::yield_now;

use super::MAX_BODY_BYTES;
use super::auth::Asker;
use super::error::Refusal;
use super::server::TooSlow;
use crate::flag::{Context, Identity, MAX_ATTRIBUTES, MAX_UNIT_BYTES, TargetingKey, Value};

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuestion {
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("the body ended before it was whole")]
    Incomplete,
    #[error("{0}")]
    Shape(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}; send the whole of it at once")]
    TooSlow(TooSlow),
}

/// What is longer takes its time to read, which others on the same thread wait for: those who asked meanwhile come first.
const QUICK_BYTES: usize = 4 * 1024;

/// A body as it was read.
#[derive(Debug)]
pub struct Question<'a> {
    targeting_key: Option<Cow<'a, str>>,
    attributes: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// The flag a path names, decoded; one that is not UTF-8 names none.
pub type FlagPath = Result<Path<String>, PathRejection>;

/// The key in a path.
pub fn key(path: &FlagPath) -> &str {
    path.as_ref().map_or("", |Path(key)| key)
}

/// Reads a body of at most [`MAX_BODY_BYTES`]. One that comes in pieces is copied together as it comes: a client that sends it byte by
/// byte costs no more than its bytes.
pub async fn body(mut body: Body) -> Result<Bytes, BadQuestion> {
    let too_large = || BadQuestion::TooLarge(format!("the body has more than {MAX_BODY_BYTES} bytes"));
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|error| fault(&error))?.into_data() else { continue };
        if whole.len() + pieces.len() + piece.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        match whole.is_empty() && pieces.is_empty() {
            true => whole = piece,
            false => {
                pieces.extend_from_slice(&std::mem::take(&mut whole));
                pieces.extend_from_slice(&piece);
            }
        }
    }
    let whole = if pieces.is_empty() { whole } else { pieces.freeze() };
    if whole.len() > QUICK_BYTES {
        yield_now().await;
    }
    Ok(whole)
}

fn fault(error: &(dyn Error + 'static)) -> BadQuestion {
    let mut causes = successors(Some(error), |cause: &&(dyn Error + 'static)| (*cause).source());
    let too_slow = causes.find_map(|cause| cause.downcast_ref().copied());
    too_slow.map_or(BadQuestion::Incomplete, BadQuestion::TooSlow)
}

impl<'a> Question<'a> {
    /// `{"targetingKey": "u-1", "attributes": {…}}`.
    pub fn native(bytes: &'a [u8]) -> Result<Question<'a>, BadQuestion> {
        let (mut key, mut attributes) = (None, Vec::new());
        for (name, value) in object(parse(bytes)?, "the body")? {
            match &*name {
                "targetingKey" => key = targeting_key(value)?,
                "attributes" if value == Json::Value(Value::Null) => {}
                "attributes" => attributes = plain(object(value, "`attributes`")?),
                _ => return Err(shape("the body has the members `targetingKey` and `attributes`, and here is another")),
            }
        }
        Question { targeting_key: key, attributes }.checked()
    }

    /// `{"context": {"targetingKey": "u-1", …}}`; what else the body holds is for later versions of the protocol.
    pub fn ofrep(bytes: &'a [u8]) -> Result<Question<'a>, BadQuestion> {
        let mut members = object(parse(bytes)?, "the body")?;
        let context = members.iter().position(|(name, _)| name == "context").map(|index| members.swap_remove(index).1);
        let mut members = object(context.ok_or_else(|| shape("the body needs a `context`"))?, "`context`")?;
        let key = members.iter().position(|(name, _)| name == "targetingKey").map(|index| members.swap_remove(index).1);
        let key = key.map(targeting_key).transpose()?.flatten();
        Question { targeting_key: key, attributes: plain(members) }.checked()
    }

    /// The same, with nothing left of the bytes it was read from.
    pub fn into_owned(self) -> Question<'static> {
        let Question { targeting_key, attributes } = self;
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let attributes = attributes.into_iter().map(|(name, value)| (owned(name), value.into_owned()));
        Question { targeting_key: targeting_key.map(owned), attributes: attributes.collect() }
    }

    /// What a request without a body asks.
    pub fn empty() -> Question<'static> {
        Question { targeting_key: None, attributes: Vec::new() }
    }

    /// The context to evaluate: the asker's standing decides who vouches for what the body says.
    pub fn context<'c>(&'c self, asker: &'c Asker) -> Result<Context<'c>, Refusal> {
        // A key that is too long was refused with the body.
        let key = self.targeting_key.as_deref().and_then(|key| TargetingKey::parse(key).ok().flatten());
        match asker {
            Asker::Plain => Ok(Context::new(Identity::Plain, key, &self.attributes)),
            Asker::Server(_) => Ok(Context::new(Identity::Server, key, &self.attributes)),
            Asker::User(session) if key.is_some() && key != session.subject() => Err(Refusal::WrongSubject),
            Asker::User(session) => {
                Ok(Context::new(Identity::Verified, session.subject(), session.attributes()).beside(&self.attributes))
            }
        }
    }

    fn checked(self) -> Result<Question<'a>, BadQuestion> {
        if self.attributes.len() > MAX_ATTRIBUTES {
            return Err(BadQuestion::TooLarge(format!("a context has at most {MAX_ATTRIBUTES} attributes")));
        }
        if self.targeting_key.as_deref().is_some_and(|key| TargetingKey::parse(key).is_err()) {
            return Err(shape(format!("`targetingKey` has more than {MAX_UNIT_BYTES} bytes")));
        }
        Ok(self)
    }
}

fn shape(fault: impl Into<String>) -> BadQuestion {
    BadQuestion::Shape(fault.into())
}

/// A missing key may be left out, null or empty.
fn targeting_key<'a>(value: Json<'a>) -> Result<Option<Cow<'a, str>>, BadQuestion> {
    match value {
        Json::Value(Value::Text(key)) => Ok(Some(key)),
        Json::Value(Value::Null) => Ok(None),
        _ => Err(shape("`targetingKey` is a string")),
    }
}

fn object<'a>(json: Json<'a>, what: &str) -> Result<Members<'a>, BadQuestion> {
    match json {
        Json::Object { twice: true, .. } => Err(shape(format!("{what} has a member twice"))),
        Json::Object { members, .. } => Ok(members),
        Json::Value(_) => Err(shape(format!("{what} is a JSON object"))),
    }
}

/// Lists and objects are values no rule can ask for.
fn plain(members: Members<'_>) -> Vec<(Cow<'_, str>, Value<'_>)> {
    let value = |json| match json {
        Json::Value(value) => value,
        Json::Object { .. } => Value::Other,
    };
    members.into_iter().map(|(name, json)| (name, value(json))).collect()
}

type Members<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// JSON as far down as anything is asked of it.
#[derive(Debug, PartialEq)]
enum Json<'a> {
    Value(Value<'a>),
    Object { members: Members<'a>, twice: bool },
}

fn parse(bytes: &[u8]) -> Result<Json<'_>, BadQuestion> {
    // No list is a question. What is in it, and how deep it goes, is not worth finding out.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Ok(Json::Value(Value::Other));
    }
    parse_at(Depth(0), bytes).or_else(|error| {
        let not_json = BadQuestion::NotJson { line: error.line(), column: error.column() };
        // JavaScript that cuts a text inside an emoji sends half of one, which is JSON but no text of ours. It must not cost the
        // user every answer, only what compares that attribute.
        let whole = serde_json::from_slice::<&RawValue>(bytes).map_err(|_| not_json)?;
        Ok(parse_around_bad_texts(Depth(0), whole))
    })
}

fn parse_at<'a>(depth: Depth, bytes: &'a [u8]) -> Result<Json<'a>, serde_json::Error> {
    // Looked through once, a whole body costs less than each of its texts for itself.
    match std::str::from_utf8(bytes) {
        Ok(text) => read_at(depth, serde_json::Deserializer::from_str(text)),
        Err(_) => read_at(depth, serde_json::Deserializer::from_slice(bytes)),
    }
}

fn read_at<'a, R: serde_json::de::Read<'a>>(
    depth: Depth,
    mut json: serde_json::Deserializer<R>,
) -> Result<Json<'a>, serde_json::Error> {
    let value = depth.deserialize(&mut json)?;
    json.end().map(|()| value)
}

/// Reads what can be read; a text that is none becomes a value no rule can ask for.
fn parse_around_bad_texts<'a>(depth: Depth, raw: &'a RawValue) -> Json<'a> {
    let whole = parse_at(depth, raw.get().as_bytes());
    whole.unwrap_or_else(|_| match serde_json::from_str::<RawMembers>(raw.get()) {
        Ok(RawMembers(members)) if depth.0 < DEEPEST => {
            let read = |(name, raw)| (name, parse_around_bad_texts(Depth(depth.0 + 1), raw));
            let members: Members = members.into_iter().map(read).collect();
            let twice = has_twice(&members);
            Json::Object { members, twice }
        }
        _ => Json::Value(Value::Other),
    })
}

/// Whether a name stands twice. Past the bound the body is refused anyway; looking for repeats among thousands is what the bound is for.
fn has_twice(members: &Members) -> bool {
    let within = &members[..members.len().min(MAX_ATTRIBUTES + 1)];
    within.iter().enumerate().any(|(index, (name, _))| within[..index].iter().any(|(other, _)| other == name))
}

/// An object's members, their values unread.
struct RawMembers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = RawMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMembers<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key_seed(Name)? {
                    members.push((name, map.next_value()?));
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// Objects are kept down to this depth: OFREP's body, its context, and a context's attributes are the deepest that matter.
const DEEPEST: u8 = 2;

/// Reads one value at a depth.
#[derive(Clone, Copy)]
struct Depth(u8);

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Value(Value::Null))
    }

    fn visit_bool<E>(self, is: bool) -> Result<Json<'de>, E> {
        Ok(Json::Value(Value::Bool(is)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Value(Value::Number(number as f64)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Value(Value::Number(number as f64)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Json::Value(Value::Number(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Value(Value::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Value(Value::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Value(Value::Other))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        if self.0 >= DEEPEST {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Json::Value(Value::Other));
        }
        let mut members: Members = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            members.push((name, map.next_value_seed(Depth(self.0 + 1))?));
        }
        let twice = has_twice(&members);
        Ok(Json::Object { members, twice })
    }
}

/// A member's name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
