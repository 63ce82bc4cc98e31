//! Schemas that several types name: keys, positions, and texts of a known form.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::bounds::{MAX_ATTRIBUTES, MAX_CURSOR_BYTES, MAX_REASON_BYTES, MAX_UNIT_BYTES};

/// The pattern of a flag's key.
pub const FLAG_KEY: &str = "[a-z0-9][a-z0-9._-]{0,63}";
/// The pattern of a stream's name.
pub const STREAM: &str = "[A-Za-z0-9][A-Za-z0-9._:-]{0,127}";
/// The pattern of an event's id.
pub const EVENT_ID: &str = "[ -~]{1,128}";
/// The pattern of an event's type.
pub const EVENT_TYPE: &str = "[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}";

/// The schema of a flag's key; the key itself is a text.
pub struct FlagKey;

impl PartialSchema for FlagKey {
    fn schema() -> RefOr<Schema> {
        text().pattern(Some(format!("^{FLAG_KEY}$"))).examples(["build-events"]).into()
    }
}

impl ToSchema for FlagKey {
    fn name() -> Cow<'static, str> {
        "FlagKey".into()
    }
}

/// The schema of a targeting key.
pub struct TargetingKey;

impl PartialSchema for TargetingKey {
    fn schema() -> RefOr<Schema> {
        let says = format!(
            "Who asks: at most {MAX_UNIT_BYTES} bytes of UTF-8, taken as given. Empty and null are as good as none."
        );
        or_null(text()).description(Some(says)).max_length(Some(MAX_UNIT_BYTES)).into()
    }
}

impl ToSchema for TargetingKey {
    fn name() -> Cow<'static, str> {
        "TargetingKey".into()
    }
}

/// The schema of a cursor.
pub struct Cursor;

impl PartialSchema for Cursor {
    fn schema() -> RefOr<Schema> {
        let says = "Where a reader is in a stream; opaque.";
        text()
            .description(Some(says))
            .pattern(Some("^[A-Za-z0-9_-]+$"))
            .max_length(Some(MAX_CURSOR_BYTES))
            .into()
    }
}

impl ToSchema for Cursor {
    fn name() -> Cow<'static, str> {
        "Cursor".into()
    }
}

/// The schema of an event's id.
pub struct EventId;

impl PartialSchema for EventId {
    fn schema() -> RefOr<Schema> {
        let says = "Printable ASCII; once in a stream.";
        text().description(Some(says)).pattern(Some(format!("^{EVENT_ID}$"))).into()
    }
}

impl ToSchema for EventId {
    fn name() -> Cow<'static, str> {
        "EventId".into()
    }
}

/// The schema of an event's type.
pub struct EventType;

impl PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        text().pattern(Some(format!("^{EVENT_TYPE}$"))).into()
    }
}

impl ToSchema for EventType {
    fn name() -> Cow<'static, str> {
        "EventType".into()
    }
}

/// The name of a stream.
pub fn stream() -> RefOr<Schema> {
    text().pattern(Some(format!("^{STREAM}$"))).into()
}

/// A member that is `true` where it is there.
pub(crate) fn only_true() -> RefOr<Schema> {
    let says = "No event follows any more.";
    let only = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Boolean));
    only.description(Some(says)).enum_values(Some([true])).into()
}

/// A text.
pub fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

/// A text, or null.
pub(crate) fn or_null(schema: ObjectBuilder) -> ObjectBuilder {
    schema.schema_type(SchemaType::Array(vec![Type::String, Type::Null]))
}

/// The attributes of a question.
pub(crate) fn attributes() -> RefOr<Schema> {
    let says = "What the rules of flags may ask. Lists and objects are values no rule can ask for.";
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::Object, Type::Null]))
        .description(Some(says))
        .max_properties(Some(MAX_ATTRIBUTES))
        .into()
}

/// The context of an OFREP request: the targeting key and the attributes beside each other.
pub(crate) fn ofrep_context() -> RefOr<Schema> {
    ObjectBuilder::new()
        .property("targetingKey", Ref::from_schema_name(TargetingKey::name()))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
        .max_properties(Some(MAX_ATTRIBUTES + 1))
        .into()
}

/// A share of the buckets.
pub(crate) fn share() -> RefOr<Schema> {
    text().description(Some("A share of the buckets.")).examples(["12.5%"]).into()
}

/// A share of the buckets, as it is asked for.
pub(crate) fn share_or_null() -> RefOr<Schema> {
    const WRITTEN: &str = r"^((0|[1-9][0-9]?)(\.[0-9]{1,3})?|100(\.0{1,3})?)%$";
    or_null(text()).pattern(Some(WRITTEN)).examples(["12.5%"]).into()
}

/// A reason: one line, whose length is counted in bytes, which a JSON Schema cannot express.
pub(crate) fn reason() -> RefOr<Schema> {
    let says = format!("One line of at most {MAX_REASON_BYTES} bytes of UTF-8.");
    or_null(text())
        .description(Some(says))
        .min_length(Some(0))
        .max_length(Some(MAX_REASON_BYTES))
        .into()
}

/// A position of the history.
pub(crate) fn position() -> RefOr<Schema> {
    text().description(Some("A revision, or `revision+n` with n changes pending.")).into()
}

/// Whose credential did something.
pub(crate) fn credential_id() -> RefOr<Schema> {
    let says = "The id of the credential it was done with; `null` for the service itself and the data folder's own.";
    or_null(text()).description(Some(says)).into()
}

/// A SHA-256, in hex.
pub(crate) fn sha256() -> RefOr<Schema> {
    text().pattern(Some("^[0-9a-f]{64}$")).into()
}
