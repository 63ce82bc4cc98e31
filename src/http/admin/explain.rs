//! Why a user gets what they get: the explanation of one evaluation, from the snapshot that serves.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::Map;
use turnout_api::admin::explain::{ExplainRequest, IdentityName, LiveExplanation};
use turnout_api::strict;

use super::answer::{json as answer, refuse};
use super::flags::unknown;
use super::state::AdminState;
use super::view::overrides;
use crate::definition::typed_value;
use crate::explain;
use crate::flag::{Bucket, Context, Definition, Identity, MAX_ATTRIBUTES, TargetingKey, Value};
use crate::http::error::ApiError;
use crate::http::flag_path::{FlagPath, key};
use crate::http::request_body::body as read_body;

fn identity(name: IdentityName) -> Identity {
    match name {
        IdentityName::Verified => Identity::Verified,
        IdentityName::Server => Identity::Server,
        IdentityName::Plain => Identity::Plain,
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
    match explanation(&state, key(&path), &asked) {
        Ok(body) => answer(&state, StatusCode::OK, &body),
        Err(refusal) => refuse(&state, &refusal),
    }
}

async fn read(state: &AdminState, body: Body) -> Result<ExplainRequest, ApiError> {
    let bytes = read_body(&state.public.incoming_commands, false, body).await?;
    let asked: ExplainRequest = strict::read(&bytes)?;
    let attributes = asked.attributes.as_ref().map_or(0, Map::len)
        + asked.text_attributes.as_ref().map_or(0, BTreeMap::len);
    if attributes > MAX_ATTRIBUTES {
        Err(ApiError::InvalidRequest(format!("a context has at most {MAX_ATTRIBUTES} attributes")))
    } else {
        Ok(asked)
    }
}

fn explanation(
    state: &AdminState,
    key: &str,
    asked: &ExplainRequest,
) -> Result<LiveExplanation, ApiError> {
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
            let context = Context::new(
                identity(asked.identity.unwrap_or(IdentityName::Verified)),
                user,
                &attributes,
            );
            explain::explain(flag, &context, snapshot.server_auth(), pretend)
        }
        None => explain::without_steps(
            entry.key(),
            identity(asked.identity.unwrap_or(IdentityName::Verified)),
            snapshot.evaluate(entry, &Context::new(Identity::Plain, None, &[])),
        ),
    };
    let standing = effective.flag(key);
    Ok(LiveExplanation {
        explanation: story,
        position: snapshot.position().to_string(),
        overrides: standing.as_ref().map(overrides).unwrap_or_default(),
    })
}

fn attributes<'a>(
    asked: &'a ExplainRequest,
    definition: &Definition,
) -> Vec<(Cow<'a, str>, Value<'a>)> {
    let sent = asked
        .attributes
        .iter()
        .flatten()
        .map(|(name, value)| (Cow::from(name.as_str()), Value::from(value)));
    let written = asked.text_attributes.iter().flatten().map(|(name, text)| {
        let kind = definition
            .attributes
            .iter()
            .find(|(other, _)| other.as_str() == name)
            .map(|(_, kind)| kind);
        (Cow::from(name.as_str()), typed_value(text, true, kind, name))
    });
    sent.chain(written).collect()
}
