//! The body of a command: a JSON object whose members are known by name. Each member is read as the
//! type it must have, and no error repeats what was sent.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::{Error, Value as Json};

use crate::http::error::ApiError;

/// The members of a body; each is removed as it is read.
#[derive(Debug, Default)]
pub struct Members(Vec<(String, Json)>);

impl Members {
    /// Reads a body; an empty one has no members. A member that is unknown or stands twice is
    /// refused: the sender meant something by it.
    pub fn read(body: &[u8], known: &[&str]) -> Result<Members, ApiError> {
        if body.is_empty() {
            return Ok(Members::default());
        }
        let Members(members) = parse(body).map_err(|error| invalid_request(unread(&error)))?;
        if members.iter().any(|(name, _)| !known.contains(&name.as_str())) {
            return Err(invalid_request(format!(
                "the body has a member that is not known here; known are `{}`",
                known.join("`, `")
            )));
        }
        let twice = |name: &str| members.iter().filter(|(other, _)| other == name).count() > 1;
        match known.iter().find(|name| twice(name)) {
            Some(name) => Err(invalid_request(format!("`{name}` stands twice"))),
            None => Ok(Members(members)),
        }
    }

    /// Takes a member, which must be `what`; `null` counts as absent.
    pub fn take<T: DeserializeOwned>(
        &mut self,
        name: &str,
        what: &str,
    ) -> Result<Option<T>, ApiError> {
        match self
            .0
            .iter()
            .position(|(known, _)| known == name)
            .map(|index| self.0.swap_remove(index).1)
        {
            None | Some(Json::Null) => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|_| invalid_request(format!("`{name}` is {what}"))),
        }
    }

    /// Takes a member that is one line of text.
    pub fn line(&mut self, name: &str, at_most: usize) -> Result<Option<String>, ApiError> {
        let what = format!("one line of text of at most {at_most} bytes");
        let line: Option<String> = self.take(name, &what)?;
        match line {
            Some(line) if line.len() > at_most || line.contains(breaks_a_line) => {
                Err(invalid_request(format!("`{name}` is {what}")))
            }
            line => Ok(line),
        }
    }
}

pub fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::InvalidRequest(message.into())
}

/// Whether a character would end a line in a log or on a terminal, or reverse how it reads.
fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn unread(error: &Error) -> String {
    if error.is_data() {
        "the body is a JSON object".to_owned()
    } else {
        format!("the body is not JSON (line {}, column {})", error.line(), error.column())
    }
}

fn parse(body: &[u8]) -> Result<Members, Error> {
    struct Read;
    impl<'de> Visitor<'de> for Read {
        type Value = Members;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(Members(members))
        }
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let members = json.deserialize_map(Read)?;
    json.end().map(|()| members)
}
