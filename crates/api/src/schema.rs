//! Schemas that several types name: keys, positions, and texts of a known form.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::bounds::{MAX_ATTRIBUTES, MAX_UNIT_BYTES};

/// The pattern of a flag's key.
pub const FLAG_KEY: &str = "[a-z0-9][a-z0-9._-]{0,63}";

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

/// A text.
pub(crate) fn text() -> ObjectBuilder {
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
