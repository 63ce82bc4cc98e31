//! The JSON Schemas of flag and segment files, for editors: made from the tables that the reader
//! follows.
//!
//! Draft-07, which editors' language servers support best. The schema never refuses what the reader
//! accepts. Only the reader checks how values depend on each other (declared attributes, the order
//! of intervals, names that must exist). The reader counts lengths in bytes and a schema in
//! characters, so here they are upper bounds.

use serde_json::{Map, Value as Json, json};

use super::condition::{OPERATORS, Operator, RESERVED};
use super::flag_file::TYPES;
use super::flag_schema::FLAG;
use super::limits::MAX_DECLARED;
use super::schema_model::{Key, MapSchema, MinKeys, TEXT, ValueKind};
use super::segment::SEGMENT;
use crate::flag::{AttributeName, SegmentKey};

/// The schema of a flag file.
pub fn flag_schema() -> Json {
    document("A Turnout flag", &FLAG)
}

/// The schema of a segment file.
pub fn segment_schema() -> Json {
    document("A Turnout segment", &SEGMENT)
}

fn document(title: &str, shape: &MapSchema) -> Json {
    let mut schema =
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "title": title });
    merge(&mut schema, record(shape));
    if schema.to_string().contains(CONDITION) {
        merge(
            &mut schema,
            json!({ "definitions": { "condition": condition(), "comparison": comparison() } }),
        );
    }
    schema
}

const CONDITION: &str = "#/definitions/condition";
const COMPARISON: &str = "#/definitions/comparison";

fn record(shape: &MapSchema) -> Json {
    let properties: Map<String, Json> =
        shape.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut schema =
        json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let required: Vec<&str> = shape.required().map(|key| key.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    match shape.least {
        MinKeys::Nothing => {}
        MinKeys::AKey => schema["minProperties"] = json!(1),
        MinKeys::OneOf(keys) => {
            schema["anyOf"] = keys.iter().map(|key| json!({ "required": [key] })).collect();
        }
    }
    schema
}

fn property(key: &Key) -> Json {
    let mut schema = json!({ "description": key.says });
    merge(&mut schema, value(&key.holds));
    schema
}

fn value(holds: &ValueKind) -> Json {
    match holds {
        ValueKind::Version => json!({ "const": 1 }),
        ValueKind::Boolean => json!({ "type": "boolean" }),
        ValueKind::Text(0, most) => scalar(json!({ "maxLength": most })),
        ValueKind::Text(least, most) => scalar(json!({ "minLength": least, "maxLength": most })),
        ValueKind::Pattern(pattern) => scalar(json!({ "pattern": whole(pattern) })),
        ValueKind::Quantity(pattern) => json!({ "type": "string", "pattern": whole(pattern) }),
        ValueKind::Words(words) => json!({ "enum": words() }),
        ValueKind::Whole(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        ValueKind::Number(least, most) => {
            json!({ "type": "number", "minimum": least, "maximum": most })
        }
        ValueKind::Record(shape) => record(shape),
        ValueKind::List(item, most) => {
            json!({ "type": "array", "items": value(item), "maxItems": most })
        }
        ValueKind::OneOrMore(item) => one_or_more(value(item)),
        ValueKind::Declarations => declarations(),
        ValueKind::Attributes => {
            json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] } })
        }
        ValueKind::Choices => {
            let values = json!({ "type": "array", "items": { "type": ["string", "number", "boolean", "null"] }, "minItems": 1 });
            json!({ "type": "object", "additionalProperties": values })
        }
        // In draft-07 the siblings of a `$ref` are ignored, and a description should not be.
        ValueKind::Condition => json!({ "allOf": [{ "$ref": CONDITION }] }),
        ValueKind::NotYet => json!({ "not": {} }),
    }
}

/// A single value is the text it was written in, so `users: [4711]` lists the id `4711`; `of_texts`
/// therefore constrains texts only.
fn scalar(of_texts: Json) -> Json {
    let mut schema = json!({ "type": ["string", "number", "boolean"] });
    merge(&mut schema, of_texts);
    schema
}

fn one_or_more(item: Json) -> Json {
    json!({ "anyOf": [item, { "type": "array", "items": item }] })
}

fn declarations() -> Json {
    let types: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "propertyNames": { "pattern": whole(AttributeName::PATTERN), "not": { "enum": RESERVED } },
        "maxProperties": MAX_DECLARED,
        "additionalProperties": {
            "anyOf": [
                { "enum": types, "description": "Its type." },
                { "type": "array", "items": value(&TEXT), "minItems": 1, "description": "The words it may be." },
            ],
        },
    })
}

/// A map whose parts must all hold: attributes with a comparison, `segment`, and `not`.
fn condition() -> Json {
    let [segment, not] = RESERVED;
    json!({
        "description": "All parts must hold. A missing attribute never matches, also under `not`.",
        "type": "object",
        "minProperties": 1,
        "properties": {
            segment: one_or_more(value(&ValueKind::Pattern(SegmentKey::PATTERN))),
            not: { "$ref": CONDITION },
        },
        "propertyNames": { "pattern": whole(AttributeName::PATTERN) },
        "additionalProperties": { "$ref": COMPARISON },
    })
}

/// A value, a list of alternative values, or a map of operators that must all hold.
fn comparison() -> Json {
    let operand = |operator: &Operator| match operator {
        Operator::StartsWith | Operator::EndsWith => scalar(json!({ "minLength": 1 })),
        Operator::Below | Operator::AtLeast | Operator::AnyOf => scalar(json!({})),
    };
    let mut operators: Map<String, Json> =
        OPERATORS.iter().map(|(word, operator)| ((*word).to_owned(), operand(operator))).collect();
    operators.insert("not".to_owned(), json!({ "$ref": COMPARISON }));
    json!({
        "description": "Equal to a value, equal to any of a list, or a map of comparisons that must all hold.",
        "anyOf": [
            scalar(json!({})),
            { "type": "array", "items": scalar(json!({})) },
            { "type": "object", "minProperties": 1, "properties": operators, "additionalProperties": false },
        ],
    })
}

/// A pattern here describes a whole text; a schema's pattern matches any part of one.
fn whole(pattern: &str) -> String {
    format!("^({pattern})$")
}

fn merge(into: &mut Json, from: Json) {
    if let (Json::Object(into), Json::Object(from)) = (into, from) {
        into.extend(from);
    }
}
