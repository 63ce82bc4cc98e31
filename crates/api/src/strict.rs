//! Reads a JSON object strictly: a member that stands twice or is not known is refused, since its
//! sender meant something by it. No error repeats what was sent.

use std::fmt;
use std::vec;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// A body that is read strictly.
pub trait Body: DeserializeOwned {
    /// Its members, and what each has to be.
    const MEMBERS: &'static [(&'static str, &'static str)];
    /// Which of them have to be there, and what is said if one is not.
    const NEEDED: &'static [(&'static str, &'static str)] = &[];
}

/// Why a body was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadBody {
    /// The bytes are not JSON.
    NotJson { line: usize, column: usize },
    /// The JSON is not an object.
    NotAnObject,
    /// A member is not known here.
    UnknownMember { known: Vec<&'static str> },
    /// A member stands twice.
    Twice { name: String },
    /// A member is of another form.
    Wrong { name: &'static str, what: &'static str },
    /// A member that is needed is not there; what is said then.
    Missing(&'static str),
}

impl fmt::Display for BadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadBody::NotJson { line, column } => {
                write!(f, "the body is not JSON (line {line}, column {column})")
            }
            BadBody::NotAnObject => f.write_str("the body is a JSON object"),
            BadBody::UnknownMember { known } => write!(
                f,
                "the body has a member that is not known here; known are `{}`",
                known.join("`, `")
            ),
            BadBody::Twice { name } => write!(f, "`{name}` stands twice"),
            BadBody::Wrong { name, what } => write!(f, "`{name}` is {what}"),
            BadBody::Missing(says) => f.write_str(says),
        }
    }
}

impl std::error::Error for BadBody {}

/// Reads a body; an empty one has no members, and `null` counts as absent.
pub fn read<T: Body>(body: &[u8]) -> Result<T, BadBody> {
    let members = if body.is_empty() { Vec::new() } else { members(body)? };
    let known = |name: &str| T::MEMBERS.iter().find(|(known, _)| *known == name).copied();
    if members.iter().any(|(name, _)| known(name).is_none()) {
        return Err(BadBody::UnknownMember {
            known: T::MEMBERS.iter().map(|(name, _)| *name).collect(),
        });
    }
    if let Some(name) = duplicate(&members, T::MEMBERS.iter().map(|(name, _)| *name)) {
        return Err(BadBody::Twice { name });
    }
    let present: Vec<_> = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let missing = T::NEEDED.iter().find(|(name, _)| present.iter().all(|(other, _)| other != name));
    if let Some((_, says)) = missing {
        return Err(BadBody::Missing(says));
    }
    let mut reader = Reader { members: present.into_iter(), value: None, at: None };
    T::deserialize(&mut reader).map_err(|_| match reader.at.and_then(|name| known(&name)) {
        Some((name, what)) => BadBody::Wrong { name, what },
        None => BadBody::Missing("the body lacks a member"),
    })
}

/// The members of an object, in their order, each as often as it stands there.
pub fn members(body: &[u8]) -> Result<Vec<(String, Value)>, BadBody> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let unread = |error: Error| {
        if error.is_data() {
            BadBody::NotAnObject
        } else {
            BadBody::NotJson { line: error.line(), column: error.column() }
        }
    };
    let members = json.deserialize_map(Members).map_err(unread)?;
    json.end().map_err(unread)?;
    Ok(members)
}

/// The first of these names that stands twice.
fn duplicate<'n>(
    members: &[(String, Value)],
    names: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    let count = |name: &str| members.iter().filter(|(other, _)| other == name).count();
    names.into_iter().find(|name| count(name) > 1).map(str::to_owned)
}

/// Gives a type the members of an object one by one, and remembers which it did not take.
struct Reader {
    members: vec::IntoIter<(String, Value)>,
    value: Option<Value>,
    /// The member that is being read.
    at: Option<String>,
}

impl<'de> Deserializer<'de> for &mut Reader {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for &mut Reader {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.members.next() else {
            self.at = None;
            return Ok(None);
        };
        (self.value, self.at) = (Some(value), Some(name.clone()));
        let name: StringDeserializer<Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.value.take().unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::admin::commands::SetCommand;
    use crate::admin::tokens::CreateToken;

    #[test]
    fn what_is_twice_unknown_or_of_another_form_is_refused_without_repeating_it() {
        for (body, error) in [
            ("", ""),
            ("{}", ""),
            (r#"{"reason":null}"#, ""),
            ("{", "the body is not JSON (line 1, column 1)"),
            ("{} x", "the body is not JSON (line 1, column 4)"),
            ("[]", "the body is a JSON object"),
            (r#"{"reason":"a","reason":"b"}"#, "`reason` stands twice"),
            (r#"{"reason":null,"reason":"b"}"#, "`reason` stands twice"),
            (r#"{"expectedRevision":"5"}"#, "`expectedRevision` is the number of a revision"),
            (r#"{"reason":"x","forMs":"secret"}"#, "`forMs` is a time in milliseconds"),
            (
                r#"{"secret":1}"#,
                "the body has a member that is not known here; known are `reason`, `expectedRevision`, `realtime-v2`, `disabled`, `forMs`, `then`",
            ),
        ] {
            let read = read::<SetCommand>(body.as_bytes());
            assert_eq!(read.map_or_else(|bad| bad.to_string(), |_| String::new()), error, "{body}");
        }
        assert_eq!(
            read::<CreateToken>(b"{}"),
            Err(BadBody::Missing("a token needs a `name`, which the history will show"))
        );
        assert_eq!(
            read::<CreateToken>(br#"{"name":"a","role":"king"}"#).unwrap_err().to_string(),
            "`role` is one of viewer, stopper, operator, admin, server"
        );
    }
}
