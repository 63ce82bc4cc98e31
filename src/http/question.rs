//! From a request's bytes to who asks. Every fault of a body has its documented answer, and none repeats what a user sent.

use std::borrow::Cow;
use std::error::Error;
use std::future::poll_fn;
use std::iter::successors;
use std::pin::Pin;
use std::task::Poll;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use bytes::BytesMut;
use hyper::body::Frame;
use tokio::task::yield_now;

use super::MAX_BODY_BYTES;
use super::arriving::{Arriving, Coming};
use super::auth::Asker;
use super::error::Refusal;
use super::json::{Json, Members, parse};
use super::server::TooSlow;
use crate::document::Form;
use crate::flag::{Attributes, Context, Identity, MAX_ATTRIBUTES, MAX_UNIT_BYTES, TargetingKey, Value};

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
    #[error(
        "too many requests are on their way, and this one has been for longest; send the whole of it at once, and try again"
    )]
    Crowded,
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
/// byte costs no more than its bytes, and is counted among those on their way.
pub async fn body(arriving: &Arriving, stranger: bool, mut body: Body) -> Result<Bytes, BadQuestion> {
    let too_large = || BadQuestion::TooLarge(format!("the body has more than {MAX_BODY_BYTES} bytes"));
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let mut coming: Option<Coming> = None;
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = next(&mut body, &mut coming, arriving, stranger).await? {
        let Ok(piece) = frame.into_data() else { continue };
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
        if let Some(coming) = &coming {
            coming.has(whole.len() + pieces.len());
        }
    }
    let whole = if pieces.is_empty() { whole } else { pieces.freeze() };
    if whole.len() > QUICK_BYTES {
        yield_now().await;
    }
    Ok(whole)
}

/// The next piece of a body. One that has to be waited for makes it one that comes in pieces.
async fn next(
    body: &mut Body,
    coming: &mut Option<Coming>,
    arriving: &Arriving,
    stranger: bool,
) -> Result<Option<Frame<Bytes>>, BadQuestion> {
    poll_fn(|cx| {
        let frame = Pin::new(&mut *body).poll_frame(cx);
        if frame.is_pending() && coming.get_or_insert_with(|| arriving.in_pieces(stranger)).poll_cut(cx).is_ready() {
            return Poll::Ready(Err(BadQuestion::Crowded));
        }
        frame.map(|frame| frame.transpose().map_err(|error| fault(&error)))
    })
    .await
}

impl From<serde_json::Error> for BadQuestion {
    fn from(error: serde_json::Error) -> BadQuestion {
        BadQuestion::NotJson { line: error.line(), column: error.column() }
    }
}

fn fault(error: &(dyn Error + 'static)) -> BadQuestion {
    let mut causes = successors(Some(error), |cause: &&(dyn Error + 'static)| (*cause).source());
    let too_slow = causes.find_map(|cause| cause.downcast_ref().copied());
    too_slow.map_or(BadQuestion::Incomplete, BadQuestion::TooSlow)
}

impl<'a> Question<'a> {
    /// A body as whoever wants this form of the answer sends it.
    pub fn read(form: Form, bytes: &'a [u8]) -> Result<Question<'a>, BadQuestion> {
        match form {
            Form::Strategy => Question::native(bytes),
            Form::Ofrep => Question::ofrep(bytes),
        }
    }

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

    /// What of it was said under a name that is wanted, with nothing left of the bytes it was read from.
    pub fn keeping(self, wants: impl Fn(&str) -> bool) -> Question<'static> {
        let Question { targeting_key, attributes } = self;
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let wanted = attributes.into_iter().filter(|(name, _)| wants(name));
        let mut attributes: Vec<_> = wanted.map(|(name, value)| (owned(name), value.into_owned())).collect();
        attributes.shrink_to_fit();
        Question { targeting_key: targeting_key.map(owned), attributes }
    }

    pub fn attributes(&self) -> &Attributes<'_> {
        &self.attributes
    }

    pub fn targeting_key(&self) -> Option<&str> {
        self.targeting_key.as_deref()
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
