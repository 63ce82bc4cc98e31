//! Names the attribute whose type ended an evaluation in an error: for the client in a header, and
//! for operators as a problem. A body cannot have it, as its tag is the same for all users.

use axum::http::{HeaderMap, HeaderValue};

use crate::definition::type_in_words;
use crate::explain::mistyped_attribute;
use crate::flag::Context;
use crate::http::headers::ERROR_ATTRIBUTE;
use crate::http::state::PublicState;
use crate::snapshot::FlagSnapshot;

pub fn name_mistyped_attribute(
    state: &PublicState,
    entry: &FlagSnapshot,
    context: &Context<'_>,
    headers: &mut HeaderMap,
) {
    let Some(flag) = entry.flag() else { return };
    let Some(name) = mistyped_attribute(flag, context) else { return };
    let declared = flag.definition.attributes.iter().find(|(other, _)| other == name);
    let declared = declared.map_or("a text", |(_, kind)| type_in_words(kind));
    let now_ms = state.clock.now().steady_ms;
    state.client_mistakes.mistyped(entry.key(), name, declared, now_ms);
    if let Ok(name) = HeaderValue::from_str(name.as_str()) {
        headers.insert(ERROR_ATTRIBUTE, name);
    }
}
