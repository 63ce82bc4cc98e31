//! The schemas that are derived from the messages themselves.

use serde_json::{Map, Value as Json};
use turnout_api::admin::keys;
use turnout_api::{reports, sessions};
use utoipa::ToSchema;

use super::schemas::schemas;

/// Every derived schema by its name.
pub fn derived() -> Json {
    let mut all = Map::new();
    of::<sessions::NewSession>(&mut all);
    of::<sessions::Session>(&mut all);
    of::<sessions::NewToken>(&mut all);
    of::<sessions::StreamToken>(&mut all);
    of::<sessions::RevokeSessions>(&mut all);
    of::<sessions::SessionsRevoked>(&mut all);
    of::<reports::Report>(&mut all);
    of::<keys::Keys>(&mut all);
    of::<keys::KeysChanged>(&mut all);
    of::<keys::ChangeKeys>(&mut all);
    Json::Object(all)
}

/// The schema of a message, and of the messages in it.
fn of<T: ToSchema>(all: &mut Map<String, Json>) {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    parts.push((T::name().into_owned(), T::schema()));
    let known = schemas();
    let own = parts.into_iter().filter(|(name, _)| known.get(name).is_none());
    let json = |schema| serde_json::to_value(schema).unwrap_or_default();
    all.extend(own.map(|(name, schema)| (name, json(schema))));
}
