//! What a question asks, from the bytes of its body: the caller and its context. Every error of a
//! body has its documented response, and none repeats what a user sent.

use std::borrow::Cow;

use super::caller::Caller;
use super::context_json::{Json, Members, parse};
use crate::document::Form;
use crate::flag::{
    Attributes, Context, Identity, MAX_ATTRIBUTES, MAX_UNIT_BYTES, TargetingKey, Value,
};
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;

/// The shortest body that names a user.
const NATIVE_BODY: &str = r#"{"targetingKey": "u-1"}"#;

/// The shortest body that names a user in the protocol.
const OFREP_BODY: &str = r#"{"context": {"targetingKey": "u-1"}}"#;

/// A body as it was read.
#[derive(Debug)]
pub struct EvaluationRequest<'a> {
    targeting_key: Option<Cow<'a, str>>,
    attributes: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> EvaluationRequest<'a> {
    /// Reads a body in the form that this form of response is asked with.
    pub fn read(form: Form, bytes: &'a [u8]) -> Result<EvaluationRequest<'a>, BadRequest> {
        match form {
            Form::Strategy => EvaluationRequest::native(bytes),
            Form::Ofrep => EvaluationRequest::ofrep(bytes),
        }
    }

    /// `{"targetingKey": "u-1", "attributes": {…}}`.
    pub fn native(bytes: &'a [u8]) -> Result<EvaluationRequest<'a>, BadRequest> {
        let (mut key, mut attributes) = (None, Vec::new());
        for (name, value) in object(json(bytes, NATIVE_BODY)?, "the body")? {
            match &*name {
                "targetingKey" => key = targeting_key(value)?,
                "attributes" if value == Json::Value(Value::Null) => {}
                "attributes" => attributes = plain(object(value, "`attributes`")?),
                _ => {
                    return Err(invalid_body(
                        "the body takes `targetingKey` and `attributes`, and another member was sent",
                    ));
                }
            }
        }
        EvaluationRequest { targeting_key: key, attributes }.checked()
    }

    /// `{"context": {"targetingKey": "u-1", …}}`; other members of the body are for later versions
    /// of the protocol.
    pub fn ofrep(bytes: &'a [u8]) -> Result<EvaluationRequest<'a>, BadRequest> {
        let mut members = object(json(bytes, OFREP_BODY)?, "the body")?;
        let context = members
            .iter()
            .position(|(name, _)| name == "context")
            .map(|index| members.swap_remove(index).1);
        let mut members = object(
            context.ok_or_else(|| {
                invalid_body(format!("the body needs a `context`, like {OFREP_BODY}"))
            })?,
            "`context`",
        )?;
        let key = members
            .iter()
            .position(|(name, _)| name == "targetingKey")
            .map(|index| members.swap_remove(index).1);
        let key = key.map(targeting_key).transpose()?.flatten();
        EvaluationRequest { targeting_key: key, attributes: plain(members) }.checked()
    }

    /// The members whose names are wanted, without borrowing from the bytes they were read from.
    pub fn keeping(self, wants: impl Fn(&str) -> bool) -> EvaluationRequest<'static> {
        let EvaluationRequest { targeting_key, attributes } = self;
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let wanted = attributes.into_iter().filter(|(name, _)| wants(name));
        let mut attributes: Vec<_> =
            wanted.map(|(name, value)| (owned(name), value.into_owned())).collect();
        attributes.shrink_to_fit();
        EvaluationRequest { targeting_key: targeting_key.map(owned), attributes }
    }

    pub fn attributes(&self) -> &Attributes<'_> {
        &self.attributes
    }

    pub fn targeting_key(&self) -> Option<&str> {
        self.targeting_key.as_deref()
    }

    /// What is asked with these attributes alone.
    pub fn of_attributes(attributes: Vec<(Cow<'a, str>, Value<'a>)>) -> EvaluationRequest<'a> {
        EvaluationRequest { targeting_key: None, attributes }
    }

    /// What a request without a body asks.
    pub fn empty() -> EvaluationRequest<'static> {
        EvaluationRequest { targeting_key: None, attributes: Vec::new() }
    }

    /// The context to evaluate: the kind of caller decides who vouches for what the body says.
    pub fn context<'c>(&'c self, caller: &'c Caller) -> Result<Context<'c>, ApiError> {
        // A key that is too long was refused with the body.
        let key =
            self.targeting_key.as_deref().and_then(|key| TargetingKey::parse(key).ok().flatten());
        match caller {
            Caller::Plain => Ok(Context::new(Identity::Plain, key, &self.attributes)),
            Caller::Server(_) => Ok(Context::new(Identity::Server, key, &self.attributes)),
            Caller::User(session) if key.is_some() && key != session.subject() => {
                Err(ApiError::WrongSubject)
            }
            Caller::User(session) => {
                Ok(Context::new(Identity::Verified, session.subject(), session.attributes())
                    .with_unverified(&self.attributes))
            }
        }
    }

    fn checked(self) -> Result<EvaluationRequest<'a>, BadRequest> {
        if self.attributes.len() > MAX_ATTRIBUTES {
            return Err(BadRequest::TooLarge(format!(
                "a context has at most {MAX_ATTRIBUTES} attributes"
            )));
        }
        if self.targeting_key.as_deref().is_some_and(|key| TargetingKey::parse(key).is_err()) {
            return Err(invalid_body(format!(
                "`targetingKey` has more than {MAX_UNIT_BYTES} bytes"
            )));
        }
        Ok(self)
    }
}

/// A request without a body, or with another than JSON, is told what to send.
fn json<'a>(bytes: &'a [u8], like: &'static str) -> Result<Json<'a>, BadRequest> {
    if bytes.is_empty() {
        return Err(BadRequest::Empty { like });
    }
    parse(bytes).map_err(|error| BadRequest::NotJson {
        line: error.line(),
        column: error.column(),
        like: Some(like),
    })
}

fn invalid_body(message: impl Into<String>) -> BadRequest {
    BadRequest::Shape(message.into())
}

/// A missing key may be left out, null or empty.
fn targeting_key<'a>(value: Json<'a>) -> Result<Option<Cow<'a, str>>, BadRequest> {
    match value {
        Json::Value(Value::Text(key)) => Ok(Some(key)),
        Json::Value(Value::Null) => Ok(None),
        _ => Err(invalid_body("`targetingKey` is a string")),
    }
}

fn object<'a>(json: Json<'a>, what: &str) -> Result<Members<'a>, BadRequest> {
    match json {
        Json::Object { twice: true, .. } => Err(invalid_body(format!("{what} has a member twice"))),
        Json::Object { members, .. } => Ok(members),
        Json::Value(_) => Err(invalid_body(format!("{what} is a JSON object"))),
    }
}

/// Lists and objects are values no rule can compare.
fn plain(members: Members<'_>) -> Vec<(Cow<'_, str>, Value<'_>)> {
    let value = |json| match json {
        Json::Value(value) => value,
        Json::Object { .. } => Value::Other,
    };
    members.into_iter().map(|(name, json)| (name, value(json))).collect()
}
