//! JSON, parsed only as deep as its values matter, borrowed from its bytes. `request.rs` decides
//! what it means.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::flag::{MAX_ATTRIBUTES, Value};

/// The members of an object, in their order.
pub type Members<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// A value. Lists, and values below the depth that matters, are `Json::Other`.
#[derive(Debug, PartialEq)]
pub enum Json<'a> {
    Value(Value<'a>),
    Object { members: Members<'a>, twice: bool },
}

/// Parses a body; the only error is that it is not JSON.
pub fn parse(bytes: &[u8]) -> Result<Json<'_>, serde_json::Error> {
    // A list is not a question. Its content and depth are not worth parsing.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Ok(Json::Value(Value::Other));
    }
    parse_at(Depth(0), bytes).or_else(|error| {
        // JavaScript that cuts a string inside an emoji sends half of one, which is valid JSON but
        // not valid UTF-8 text. It must not cost the user every evaluation, only a comparison of
        // that attribute.
        let whole = serde_json::from_slice::<&RawValue>(bytes).map_err(|_| error)?;
        Ok(parse_around_bad_texts(Depth(0), whole))
    })
}

fn parse_at<'a>(depth: Depth, bytes: &'a [u8]) -> Result<Json<'a>, serde_json::Error> {
    // Validating a whole body at once costs less than validating each of its strings.
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

/// Parses what can be parsed; an invalid string becomes a value that no rule can compare.
fn parse_around_bad_texts<'a>(depth: Depth, raw: &'a RawValue) -> Json<'a> {
    let whole = parse_at(depth, raw.get().as_bytes());
    whole.unwrap_or_else(|_| match serde_json::from_str::<RawMembers>(raw.get()) {
        Ok(RawMembers(members)) if depth.0 < DEEPEST => {
            let read = |(name, raw)| (name, parse_around_bad_texts(Depth(depth.0 + 1), raw));
            let members: Members = members.into_iter().map(read).collect();
            let twice = has_duplicate_names(&members);
            Json::Object { members, twice }
        }
        _ => Json::Value(Value::Other),
    })
}

/// Whether a name appears twice. Beyond the bound the body is refused anyway; not looking for
/// duplicates among thousands is what the bound is for.
fn has_duplicate_names(members: &Members) -> bool {
    let within = &members[..members.len().min(MAX_ATTRIBUTES + 1)];
    within
        .iter()
        .enumerate()
        .any(|(index, (name, _))| within[..index].iter().any(|(other, _)| other == name))
}

/// An object's members, their values unparsed.
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

/// Objects are kept down to this depth: OFREP's body, its context, and a context's attributes are
/// the deepest that matter.
const DEEPEST: u8 = 2;

/// Parses one value at a depth.
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
        let twice = has_duplicate_names(&members);
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
