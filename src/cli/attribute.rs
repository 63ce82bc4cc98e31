//! An attribute as it is typed.

use serde_json::Value as Json;

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
