//! What is promised of a call.

use serde::Serialize;
use turnout_api::schema::text;
use utoipa::ToSchema;

use super::schema::{MessageSchema, Schema};

/// What is promised of a call.
pub struct Operation {
    /// A name for generated clients.
    pub id: &'static str,
    pub summary: &'static str,
    pub says: &'static str,
    pub parameters: Vec<Parameter>,
    pub takes: RequestBody,
    pub answers: Vec<ResponseSpec>,
}

impl Operation {
    /// The same operation with a body.
    pub fn taking<T: ToSchema>(self) -> Operation {
        Operation { takes: RequestBody::needed::<T>(), ..self }
    }

    /// The same operation with a body that may be left out.
    pub fn perhaps_taking<T: ToSchema>(self) -> Operation {
        Operation { takes: RequestBody::optional::<T>(), ..self }
    }

    /// The schemas of its messages.
    pub fn messages(&self) -> impl Iterator<Item = &MessageSchema> {
        let taken = match &self.takes {
            RequestBody::Nothing => None,
            RequestBody::Body(schema) | RequestBody::PerhapsBody(schema) => Some(schema),
        };
        let answered = self.answers.iter().filter_map(|answer| answer.content.as_ref());
        taken.into_iter().chain(answered.map(|(_, schema)| schema))
    }
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Path,
    Query,
    Header,
}

/// What a call takes besides its body.
#[derive(Clone, Serialize)]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "in")]
    pub source: Source,
    pub required: bool,
    #[serde(rename = "description")]
    pub says: &'static str,
    pub schema: Schema,
}

impl Parameter {
    pub fn in_path(name: &str, says: &'static str, schema: impl Into<Schema>) -> Parameter {
        Parameter { required: true, ..Parameter::of(Source::Path, name, says, schema) }
    }

    pub fn in_query(name: &str, says: &'static str, schema: impl Into<Schema>) -> Parameter {
        Parameter::of(Source::Query, name, says, schema)
    }

    /// A header of any value.
    pub fn header(name: &str, says: &'static str) -> Parameter {
        Parameter::of(Source::Header, name, says, text())
    }

    pub fn of(
        source: Source,
        name: &str,
        says: &'static str,
        schema: impl Into<Schema>,
    ) -> Parameter {
        Parameter { name: name.to_owned(), source, required: false, says, schema: schema.into() }
    }
}

/// The JSON body of a call, by its schema.
pub enum RequestBody {
    Nothing,
    Body(MessageSchema),
    /// The body may be left out; that counts as an empty one.
    PerhapsBody(MessageSchema),
}

impl RequestBody {
    pub fn needed<T: ToSchema>() -> RequestBody {
        RequestBody::Body(MessageSchema::of::<T>())
    }

    pub fn optional<T: ToSchema>() -> RequestBody {
        RequestBody::PerhapsBody(MessageSchema::of::<T>())
    }
}

/// The responses of one status.
pub struct ResponseSpec {
    pub status: u16,
    pub says: String,
    /// The header names, and whether each is always present.
    pub headers: Vec<(&'static str, bool)>,
    /// The media type and schema.
    pub content: Option<(&'static str, MessageSchema)>,
}

impl ResponseSpec {
    /// Another status of the same call.
    pub fn status(self, status: u16) -> ResponseSpec {
        ResponseSpec { status, ..self }
    }

    /// The same response with a body of another kind.
    pub fn with_content(self, media_type: &'static str, schema: MessageSchema) -> ResponseSpec {
        ResponseSpec { content: Some((media_type, schema)), ..self }
    }
}
