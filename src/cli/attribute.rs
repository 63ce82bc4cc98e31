//! An attribute as it is typed.

use serde_json::{Map, Value as Json};

/// `platform=web`, `seats:=5`.
pub fn attribute(text: &str) -> Result<(String, Json), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, or NAME:=JSON")?;
    match name.strip_suffix(':') {
        None => Ok((name.to_owned(), value.into())),
        Some(name) => match serde_json::from_str(value) {
            Ok(value) => Ok((name.to_owned(), value)),
            Err(_) => Err(format!("`{value}` is not JSON; write {name}={value} for a text")),
        },
    }
}

/// An attribute of a session: a text, a number or a boolean.
pub fn plain_attribute(text: &str) -> Result<(String, Json), String> {
    let (name, value) = attribute(text)?;
    match value {
        Json::String(_) | Json::Number(_) | Json::Bool(_) => Ok((name, value)),
        _ => Err(format!("`{value}` is no number and no boolean; write {name}=VALUE for a text")),
    }
}

/// The attributes by name.
///
/// # Errors
/// The name of one that was typed twice.
pub fn named_once(typed: &[(String, Json)]) -> Result<Map<String, Json>, String> {
    let mut named = Map::new();
    for (name, value) in typed {
        if named.insert(name.clone(), value.clone()).is_some() {
            return Err(format!("--attr names `{name}` twice; write one value for it"));
        }
    }
    Ok(named)
}
