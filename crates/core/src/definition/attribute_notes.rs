//! What deserves a look in the attributes of a question: names that the flag does not declare, and
//! values that it could not compare. The flag treats such attributes as if they were missing, or
//! the evaluation ends in an error; a person who asks why wants to know. No value is quoted.

use super::decode::{list, similar};
use crate::flag::{AttributeType, Attributes, Definition, Value, Version};

/// Attributes that a flag knows without a declaration.
const KNOWN: [&str; 2] = ["email", "email_verified"];

/// One line for each attribute that deserves a look.
pub fn attribute_notes(definition: &Definition, attributes: &Attributes<'_>) -> Vec<String> {
    let note = |name: &str, value: &Value<'_>| {
        let declared = definition.attributes.iter().find(|(other, _)| other.as_str() == name);
        match declared {
            Some((_, kind)) => of_value(name, kind, value),
            None if KNOWN.contains(&name) => None,
            None => Some(undeclared(definition, name)),
        }
    };
    attributes.iter().filter_map(|(name, value)| note(name, value)).collect()
}

/// The type as a note names it.
pub fn type_in_words(kind: &AttributeType) -> &'static str {
    match kind {
        AttributeType::Words(_) | AttributeType::Text => "a text",
        AttributeType::Number => "a number",
        AttributeType::Version => "a version, as a text",
        AttributeType::Boolean => "true or false",
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
        (AttributeType::Version, Value::Text(_)) => {
            Some(format!("`{name}` is declared a version, and this text is none"))
        }
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
        (AttributeType::Number | AttributeType::Boolean, Value::Text(_)) => Some(format!(
            "`{name}` is declared {}, and was sent as a text; write {name}:=VALUE",
            type_in_words(kind)
        )),
        _ => Some(format!(
            "`{name}` is declared {}, and was sent as another type",
            type_in_words(kind)
        )),
    }
}
