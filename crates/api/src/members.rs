//! The members of a JSON object, each as it stands there. A reader that keeps one of two members of
//! one name may keep another one than the next reader does: so names that stand twice are found, at
//! any depth.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Value};

/// A member of an object.
#[derive(Debug, PartialEq)]
pub(crate) struct Member {
    pub name: String,
    pub value: Value,
    /// Whether a name stands twice somewhere in the value.
    pub has_twice: bool,
}

/// Why bytes have no members.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoMembers {
    NotJson { line: usize, column: usize },
    NotAnObject,
}

/// The members of an object, in their order, each as often as it stands there.
pub(crate) fn members(body: &[u8]) -> Result<Vec<Member>, NoMembers> {
    let unread = |error: Error| {
        if error.is_data() {
            NoMembers::NotAnObject
        } else {
            NoMembers::NotJson { line: error.line(), column: error.column() }
        }
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let members = json.deserialize_map(Members).map_err(unread)?;
    json.end().map_err(unread)?;
    Ok(members)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key()? {
            let has_twice = Cell::new(false);
            let value = map.next_value_seed(Whole(&has_twice))?;
            members.push(Member { name, value, has_twice: has_twice.get() });
        }
        Ok(members)
    }
}

/// Reads a value, and notes whether a name stands twice in an object of it.
#[derive(Clone, Copy)]
struct Whole<'n>(&'n Cell<bool>);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(is.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(self)?;
            if members.insert(name, value).is_some() {
                self.0.set(true);
            }
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_found_at_any_depth() {
        let check = |body: &str, expected: &[(&str, bool)]| {
            let members = members(body.as_bytes()).unwrap_or_default();
            let found: Vec<_> =
                members.iter().map(|member| (&*member.name, member.has_twice)).collect();
            assert_eq!(found, expected, "{body}");
        };
        check(r#"{"a":1,"a":2}"#, &[("a", false), ("a", false)]);
        check(r#"{"a":{"b":1,"b":1},"c":{"b":1}}"#, &[("a", true), ("c", false)]);
        check(r#"{"a":[{"b":{"c":1,"c":2}}],"d":[1,1]}"#, &[("a", true), ("d", false)]);
    }

    #[test]
    fn a_value_is_what_any_other_reader_reads() {
        for value in [
            "null",
            "true",
            "-1",
            "1.5",
            "18446744073709551615",
            r#""a\u00e9""#,
            "[]",
            "{}",
            r#"[1,{"a":[null,{"b":"c"}]}]"#,
        ] {
            let body = format!("{{\"v\":{value}}}");
            let read = members(body.as_bytes()).map(|mut members| members.pop());
            let plain = serde_json::from_str::<Value>(value).ok();
            assert_eq!(read.ok().flatten().map(|member| member.value), plain, "{value}");
        }
    }
}
