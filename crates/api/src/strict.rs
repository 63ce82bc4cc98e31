//! Reads a JSON object strictly: a member that stands twice or is not known is refused, since its
//! sender meant something by it. No error repeats what was sent.
//!
//! Everything that is not a question is read here. Questions have a reader of their own, which
//! borrows what it reads.

use std::fmt;
use std::vec;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

use crate::members::{Member, NoMembers, members};

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
    /// A member is not known here: which one, counted from 1, and the one that may be meant.
    UnknownMember { number: usize, meant: Option<&'static str>, known: Vec<&'static str> },
    /// A member stands twice.
    Twice { name: &'static str },
    /// A name stands twice in the value of a member.
    TwiceWithin { name: &'static str },
    /// Some name stands twice.
    AnyTwice,
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
            BadBody::UnknownMember { number, meant, known } => {
                write!(f, "member {number} of the body is not known here")?;
                if let Some(meant) = meant {
                    write!(f, " (did you mean `{meant}`?)")?;
                }
                write!(f, "; known are `{}`", known.join("`, `"))
            }
            BadBody::Twice { name } => write!(f, "`{name}` stands twice"),
            BadBody::TwiceWithin { name } => write!(f, "in `{name}` a name stands twice"),
            BadBody::AnyTwice => f.write_str("a name stands twice"),
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
    if let Some(index) = members.iter().position(|member| known(&member.name).is_none()) {
        let names: Vec<&'static str> = T::MEMBERS.iter().map(|(name, _)| *name).collect();
        let meant = members.get(index).and_then(|member| similar(&member.name, &names));
        return Err(BadBody::UnknownMember { number: index + 1, meant, known: names });
    }
    for (name, _) in T::MEMBERS {
        let mut of_name = members.iter().filter(|member| member.name == *name);
        if of_name.next().is_some_and(|member| member.has_twice) {
            return Err(BadBody::TwiceWithin { name });
        }
        if of_name.next().is_some() {
            return Err(BadBody::Twice { name });
        }
    }
    let present: Vec<_> = members.into_iter().filter(|member| !member.value.is_null()).collect();
    let is_missing = |name: &str| present.iter().all(|member| member.name != name);
    if let Some((_, says)) = T::NEEDED.iter().find(|(name, _)| is_missing(name)) {
        return Err(BadBody::Missing(says));
    }
    let mut reader = Reader { members: present.into_iter(), value: None, at: None };
    T::deserialize(&mut reader).map_err(|_| match reader.at.and_then(|name| known(&name)) {
        Some((name, what)) => BadBody::Wrong { name, what },
        None => BadBody::Missing("the body lacks a member"),
    })
}

/// The name that a mistyped one most likely stands for.
fn similar(typed: &str, names: &[&'static str]) -> Option<&'static str> {
    const LIKE: f64 = 0.8;
    const MAX_BYTES: usize = 64;
    let likeness = |name: &&'static str| (strsim::jaro_winkler(typed, name), *name);
    let likely = names.iter().filter(|_| typed.len() <= MAX_BYTES).map(likeness);
    let best = likely.filter(|(likeness, _)| *likeness > LIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

/// The members of an object whose names are not listed anywhere. None stands twice, at any depth.
pub fn object(json: &[u8]) -> Result<Vec<(String, Value)>, BadBody> {
    let members = members(json)?;
    let mut names: Vec<&str> = members.iter().map(|member| &*member.name).collect();
    names.sort_unstable();
    let is_twice = names.windows(2).any(|pair| pair[0] == pair[1]);
    if is_twice || members.iter().any(|member| member.has_twice) {
        return Err(BadBody::AnyTwice);
    }
    Ok(members.into_iter().map(|member| (member.name, member.value)).collect())
}

impl From<NoMembers> for BadBody {
    fn from(none: NoMembers) -> BadBody {
        match none {
            NoMembers::NotJson { line, column } => BadBody::NotJson { line, column },
            NoMembers::NotAnObject => BadBody::NotAnObject,
        }
    }
}

/// Gives a type the members of an object one by one, and remembers which it did not take.
struct Reader {
    members: vec::IntoIter<Member>,
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
        let Some(Member { name, value, .. }) = self.members.next() else {
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
            (r#"{"reason":{"a":1,"a":2}}"#, "in `reason` a name stands twice"),
            (r#"{"expectedRevision":"5"}"#, "`expectedRevision` is the number of a revision"),
            (r#"{"reason":"x","forMs":"secret"}"#, "`forMs` is a time in milliseconds"),
            (
                r#"{"secret":1}"#,
                "member 1 of the body is not known here; known are `reason`, `expectedRevision`, `realtime-v2`, `disabled`, `forMs`, `then`",
            ),
            (
                r#"{"then":"1%","forMS":1}"#,
                "member 2 of the body is not known here (did you mean `forMs`?); known are `reason`, `expectedRevision`, `realtime-v2`, `disabled`, `forMs`, `then`",
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
    #[test]
    fn an_object_has_each_name_once_at_any_depth() {
        for (json, is_read) in [
            (r#"{"b":1,"a":{"b":2}}"#, true),
            (r#"{"b":1,"a":2,"b":1}"#, false),
            (r#"{"a":{"b":1,"b":1}}"#, false),
            (r#"{"a":[{"b":1,"b":1}]}"#, false),
            ("[]", false),
            ("{} {}", false),
        ] {
            assert_eq!(object(json.as_bytes()).is_ok(), is_read, "{json}");
        }
        let order = object(br#"{"b":1,"a":2}"#).unwrap();
        assert_eq!(order, [("b".to_owned(), 1.into()), ("a".to_owned(), 2.into())]);
    }
}
