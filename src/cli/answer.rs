//! What a server answers: as JSON, for programs, and as the type that the server wrote it from.
//!
//! Members that are not known here are passed over, since a newer server may say more. What is
//! missing or has another form is one error, which never quotes what was sent.

use std::borrow::Cow;

use hyper::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use turnout_api::admin::commands::{Conflict, Widening};
use turnout_api::admin::history::Revision;
use turnout_api::problem::{CursorProblem, Problem};

use super::http_client::CliError;
use crate::display_text;

/// An answer that was read. Its texts are parts of a line, as others wrote them.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// As it was sent.
    pub json: Json,
    pub read: T,
}

/// A refusal.
#[derive(Clone, Debug, Default)]
pub struct RefusedAnswer {
    pub status: StatusCode,
    /// `None` where it has no problem details.
    pub problem: Option<Problem>,
    /// What was changed since the caller looked, where that is why.
    pub since: Vec<Revision>,
    /// What the command would have changed, where that is why.
    pub widening: Option<Box<Widening>>,
    /// Where a reader of events goes on, if that was said.
    pub cursor: Option<String>,
}

impl<T: DeserializeOwned> Answer<T> {
    /// Reads the bytes of an answer; `server` is who sent them, and `listener` is who should have.
    pub fn of(bytes: &[u8], server: &str, listener: &str) -> Result<Answer<T>, CliError> {
        let json: Json = serde_json::from_slice(bytes).map_err(|_| {
            CliError::failed(format!(
                "{server}: it did not answer in JSON; is that the {listener} listener?"
            ))
        })?;
        let mut texts = json.clone();
        escape(&mut texts);
        match serde_path_to_error::deserialize(&texts) {
            Ok(read) => Ok(Answer { json, read }),
            Err(error) => Err(unread(server, listener, &error)),
        }
    }
}

/// Reads bytes as they are, with texts that may be sent back.
pub fn read<T: DeserializeOwned>(
    bytes: &[u8],
    server: &str,
    listener: &str,
) -> Result<T, CliError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|error| unread(server, listener, &error))
}

impl RefusedAnswer {
    pub fn of(status: StatusCode, bytes: &[u8]) -> RefusedAnswer {
        let mut json: Json = serde_json::from_slice(bytes).unwrap_or_default();
        let cursor = of::<CursorProblem>(&json).map(|problem| problem.cursor);
        escape(&mut json);
        let since = of::<Conflict>(&json).map(|conflict| conflict.since);
        RefusedAnswer {
            status,
            problem: of(&json),
            since: since.unwrap_or_default(),
            widening: of(&json).map(Box::new),
            cursor,
        }
    }
}

/// Reads a type, if that is what the JSON is.
fn of<T: DeserializeOwned>(json: &Json) -> Option<T> {
    T::deserialize(json).ok()
}

fn unread(
    server: &str,
    listener: &str,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> CliError {
    let path = display_text::line(&error.path().to_string()).into_owned();
    let of = if path == "." { String::new() } else { format!(" `{path}`") };
    // What the error says may quote a value, except where nothing was sent.
    let says = error.inner().to_string();
    let lacked = says.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let what = match lacked {
        Some(name) if of.is_empty() => format!("its answer lacks `{name}`"),
        Some(name) => format!("its answer lacks `{name}` in{of}"),
        None => format!(
            "its answer has{} in another form",
            if of.is_empty() { " its members" } else { &of }
        ),
    };
    CliError::failed(format!(
        "{server}: {what}; is that the {listener} listener, and of this version ({})?",
        env!("CARGO_PKG_VERSION")
    ))
}

/// Makes each text a part of a line: its writer may have meant more.
fn escape(json: &mut Json) {
    match json {
        Json::String(text) => {
            if let Cow::Owned(escaped) = display_text::line(text) {
                *text = escaped;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(escape),
        Json::Object(members) => members.values_mut().for_each(escape),
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use turnout_api::admin::flags::{Database, Status};

    use super::*;

    #[test]
    fn what_an_answer_lacks_or_has_wrong_is_named_and_never_quoted() {
        let at = |error: &str| {
            format!(
                "http://h:1: {error}; is that the admin listener, and of this version ({})?",
                env!("CARGO_PKG_VERSION")
            )
        };
        let good = r#"{"revision":1,"position":"1","pending":0,"problems":0,"serverAuth":false,
            "database":{"state":"up","why":null,"sinceMs":null},"streams":{"open":0,"limit":1},"flags":[],"new":[1]}"#;
        for (answer, error) in [
            (good.to_owned(), None),
            (good.replace("\"pending\":0,", ""), Some(at("its answer lacks `pending`"))),
            (
                good.replace("\"limit\":1", "\"x\":1"),
                Some(at("its answer lacks `limit` in `streams`")),
            ),
            (
                good.replace("\"up\"", "\"sentinel\""),
                Some(at("its answer has `database.state` in another form")),
            ),
            (
                good.replace("\"flags\":[]", "\"flags\":[{}]"),
                Some(at("its answer lacks `flag` in `flags[0]`")),
            ),
            ("[]".to_owned(), Some(at("its answer has its members in another form"))),
            ("5".to_owned(), Some(at("its answer has its members in another form"))),
            (
                "<html>".to_owned(),
                Some(
                    "http://h:1: it did not answer in JSON; is that the admin listener?".to_owned(),
                ),
            ),
        ] {
            let read = Answer::<Status>::of(answer.as_bytes(), "http://h:1", "admin");
            assert_eq!(read.err().map(|error| error.message), error, "{answer}");
        }
    }

    #[test]
    fn texts_are_parts_of_a_line_and_the_json_is_as_it_was_sent() {
        let sent = r#"{"state":"down","why":"a\nb\u001b","sinceMs":1}"#;
        let Answer { json, read } =
            Answer::<Database>::of(sent.as_bytes(), "http://h:1", "admin").unwrap();
        assert_eq!(json.to_string(), sent);
        assert_eq!(read.why.as_deref(), Some(r"a\u000ab\u001b"));
    }
}
