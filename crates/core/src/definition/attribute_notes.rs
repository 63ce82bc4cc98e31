//! What deserves a look in the attributes of a question: names that the flag does not declare, and
//! values that it could not compare. The flag treats such attributes as if they were missing, or
//! the evaluation ends in an error; a person who asks why wants to know. No value is quoted.

use super::decode::{list, similar};
use crate::flag::{AttributeType, Attributes, Definition, Value, Version};

/// Attributes that a flag knows without a declaration, and their types.
const KNOWN: [(&str, AttributeType); 2] =
    [("email", AttributeType::Text), ("email_verified", AttributeType::Boolean)];

/// One line for each attribute that deserves a look.
pub fn attribute_notes(definition: &Definition, attributes: &Attributes<'_>) -> Vec<String> {
    let note = |name: &str, value: &Value<'_>| {
        let declared = definition.attributes.iter().find(|(other, _)| other.as_str() == name);
        let known = || KNOWN.iter().find(|(other, _)| *other == name).map(|(_, kind)| kind);
        match declared.map(|(_, kind)| kind).or_else(known) {
            Some(kind) => of_value(name, kind, value),
            None => Some(undeclared(definition, name)),
        }
    };
    attributes.iter().filter_map(|(name, value)| note(name, value)).collect()
}

/// The type as a note names it.
pub fn type_in_words(kind: &AttributeType) -> &'static str {
    match kind {
        AttributeType::Words(_) => "one of a list of words",
        AttributeType::Text => "a text",
        AttributeType::Number => "a number",
        AttributeType::Version => "a version, as a text",
        AttributeType::Boolean => "true or false",
    }
}

/// The type that was sent.
fn sent_in_words(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::Text(_) => "a text",
        Value::Other => "a list or an object",
    }
}

/// What to write for an attribute of this type.
fn to_write(name: &str, kind: &AttributeType) -> String {
    match kind {
        AttributeType::Words(words) => match words.first() {
            Some(word) => format!("{name}={word}"),
            None => format!("{name}=WORD"),
        },
        AttributeType::Text => format!("{name}=TEXT"),
        AttributeType::Number => format!("{name}:=5"),
        AttributeType::Version => format!("{name}=2.10"),
        AttributeType::Boolean => format!("{name}:=true"),
    }
}

fn undeclared(definition: &Definition, name: &str) -> String {
    let declared = || definition.attributes.iter().map(|(other, _)| other.as_str());
    let hint = match similar(name, declared()) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None if definition.attributes.is_empty() => "; it declares none".to_owned(),
        None => format!("; it declares {}", list(declared())),
    };
    format!("`{name}` is not declared by this flag, so nothing depends on it{hint}")
}

fn of_value(name: &str, kind: &AttributeType, value: &Value<'_>) -> Option<String> {
    match (kind, value) {
        (_, Value::Null)
        | (AttributeType::Text, Value::Text(_))
        | (AttributeType::Number, Value::Number(_))
        | (AttributeType::Boolean, Value::Bool(_)) => None,
        (AttributeType::Version, Value::Text(text)) if Version::new(text).is_some() => None,
        (AttributeType::Version, Value::Text(_)) => Some(format!(
            "`{name}` is declared a version, and this text is none; write it like 2.10"
        )),
        (AttributeType::Words(words), Value::Text(text)) => {
            let all = || words.iter().map(String::as_str);
            let is_word = words.iter().any(|word| **word == **text);
            (!is_word).then(|| match similar(text, all()) {
                Some(meant) => format!(
                    "the value of `{name}` is none of its words, so it differs from all of them; did you mean `{meant}`?"
                ),
                None => format!(
                    "the value of `{name}` is none of its words, so it differs from all of them; they are {}",
                    list(all())
                ),
            })
        }
        _ => Some(format!(
            "`{name}` is declared {}, and was sent as {}; write it like {}",
            type_in_words(kind),
            sent_in_words(value),
            to_write(name, kind)
        )),
    }
}
