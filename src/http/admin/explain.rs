//! Why a user gets what they get: the explanation of one evaluation, from the snapshot that serves.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::answer::{json as answer, refuse};
use super::body::Members;
use super::flags::unknown;
use super::state::AdminState;
use super::view::SlotsView;
use crate::definition::typed_value;
use crate::explain::Explanation;
use crate::flag::{Bucket, Context, Definition, Identity, MAX_ATTRIBUTES, TargetingKey, Value};
use crate::http::error::ApiError;
use crate::http::flag_path::{FlagPath, key};
use crate::http::request_body::body as read_body;

/// The user to explain.
#[derive(Debug)]
struct Asked {
    targeting_key: Option<String>,
    /// As a client would send them.
    attributes: Option<Map<String, Json>>,
    /// As a person types them: read as the types the flag declares.
    written: Option<BTreeMap<String, String>>,
    identity: Vouched,
    bucket: Option<u32>,
}

/// Who vouches for the attributes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Vouched {
    #[default]
    Verified,
    Server,
    Plain,
}

impl From<Vouched> for Identity {
    fn from(vouched: Vouched) -> Identity {
        match vouched {
            Vouched::Verified => Identity::Verified,
            Vouched::Server => Identity::Server,
            Vouched::Plain => Identity::Plain,
        }
    }
}

pub async fn explain(
    State(state): State<AdminState>,
    path: FlagPath,
    body: Body,
) -> Response<Body> {
    let asked = match read(&state, body).await {
        Ok(asked) => asked,
        Err(refusal) => return refuse(&state, &refusal),
    };
    match explanation_json(&state, key(&path), &asked) {
        Ok(body) => answer(&state, StatusCode::OK, &body),
        Err(refusal) => refuse(&state, &refusal),
    }
}

async fn read(state: &AdminState, body: Body) -> Result<Asked, ApiError> {
    let bytes = read_body(&state.public.incoming_commands, false, body).await?;
    let names = ["targetingKey", "attributes", "textAttributes", "identity", "bucket"];
    let mut members = Members::read(&bytes, &names)?;
    let asked = Asked {
        targeting_key: members.take("targetingKey", "a text")?,
        attributes: members.take("attributes", "an object")?,
        written: members.take("textAttributes", "an object of texts")?,
        identity: members.take("identity", "verified, server or plain")?.unwrap_or_default(),
        bucket: members.take("bucket", "a number from 0 to 99999")?,
    };
    let attributes = asked.attributes.as_ref().map_or(0, Map::len)
        + asked.written.as_ref().map_or(0, BTreeMap::len);
    if attributes > MAX_ATTRIBUTES {
        Err(ApiError::InvalidRequest(format!("a context has at most {MAX_ATTRIBUTES} attributes")))
    } else {
        Ok(asked)
    }
}

fn explanation_json(state: &AdminState, key: &str, asked: &Asked) -> Result<Json, ApiError> {
    let bad = |error: String| ApiError::InvalidRequest(error);
    let user = TargetingKey::parse(asked.targeting_key.as_deref().unwrap_or_default());
    let user = user.map_err(|error| bad(format!("`targetingKey`: {error}")))?;
    let pretend = match asked.bucket {
        Some(number) => {
            Some(Bucket::new(number).ok_or_else(|| bad("a `bucket` is 0 to 99999".to_owned()))?)
        }
        None => None,
    };
    let effective = state.coordinator.state();
    let snapshot = state.public.live.current();
    let entry = snapshot.flag(key).ok_or_else(|| unknown(&effective, key))?;
    let story = match entry.flag() {
        Some(flag) => {
            let attributes = attributes(asked, &flag.definition);
            let context = Context::new(asked.identity.into(), user, &attributes);
            Explanation::of(flag, &context, snapshot.server_auth(), pretend)
        }
        None => Explanation::without_steps(
            entry.key(),
            snapshot.evaluate(entry, &Context::new(Identity::Plain, None, &[])),
        ),
    };
    let mut body = json!(story);
    body["position"] = snapshot.position().to_string().into();
    let standing = effective.flag(key);
    let slots = json!(standing.as_ref().map(SlotsView::of));
    for slot in ["stop", "held", "pin"] {
        body[slot] = slots[slot].clone();
    }
    Ok(body)
}

fn attributes<'a>(asked: &'a Asked, definition: &Definition) -> Vec<(Cow<'a, str>, Value<'a>)> {
    let sent = asked
        .attributes
        .iter()
        .flatten()
        .map(|(name, value)| (Cow::from(name.as_str()), sent_value(value)));
    let written = asked.written.iter().flatten().map(|(name, text)| {
        let kind = definition
            .attributes
            .iter()
            .find(|(other, _)| other.as_str() == name)
            .map(|(_, kind)| kind);
        (Cow::from(name.as_str()), typed_value(text, true, kind, name))
    });
    sent.chain(written).collect()
}

fn sent_value(value: &Json) -> Value<'_> {
    match value {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => number.as_f64().map_or(Value::Other, Value::Number),
        Json::String(text) => Value::Text(Cow::from(text.as_str())),
        Json::Array(_) | Json::Object(_) => Value::Other,
    }
}
