//! Schemas, derived from the types of the messages.

use std::collections::BTreeMap;

use turnout_api::schema::{FlagKey, TargetingKey};
use utoipa::openapi::schema::{AllOfBuilder, Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

pub use turnout_api::schema::text;

/// A schema, or a reference to one.
pub type Schema = RefOr<utoipa::openapi::Schema>;

/// The schema of a message, with those that it refers to.
#[derive(Clone)]
pub struct MessageSchema {
    pub schema: Schema,
    pub parts: Vec<(String, Schema)>,
}

impl MessageSchema {
    /// A reference to the schema of a type, which stands among the document's own.
    pub fn of<T: ToSchema>() -> MessageSchema {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        parts.push((T::name().into_owned(), T::schema()));
        MessageSchema { schema: reference::<T>(), parts }
    }

    /// A schema that stands where it is used.
    pub fn inline(schema: impl Into<Schema>) -> MessageSchema {
        MessageSchema { schema: schema.into(), parts: Vec::new() }
    }

    /// The same schema, with more said of these members.
    pub fn with_members(self, members: ObjectBuilder) -> MessageSchema {
        let schema = AllOfBuilder::new().item(self.schema).item(members).into();
        MessageSchema { schema, ..self }
    }
}

fn reference<T: ToSchema>() -> Schema {
    Ref::from_schema_name(T::name()).into()
}

/// A flag's key.
pub fn key() -> Schema {
    reference::<FlagKey>()
}

pub fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer))
}

pub fn integer_from(least: u32) -> ObjectBuilder {
    integer().minimum(Some(least))
}

/// One line of text of so many characters.
pub fn line(at_least: usize, at_most: usize) -> ObjectBuilder {
    text().min_length(Some(at_least)).max_length(Some(at_most)).pattern(Some("^[ -~]+$"))
}

/// An object of whose members nothing is said.
pub fn any_object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object))
}

/// Every schema of a document by its name.
#[derive(Default)]
pub struct Schemas(BTreeMap<String, Schema>);

impl Schemas {
    /// Those that functions of `turnout_api::schema` name, beside what types name.
    pub fn new() -> Schemas {
        let mut schemas = Schemas::default();
        schemas.add([
            (FlagKey::name().into_owned(), FlagKey::schema()),
            (TargetingKey::name().into_owned(), TargetingKey::schema()),
        ]);
        schemas
    }

    pub fn add(&mut self, parts: impl IntoIterator<Item = (String, Schema)>) {
        self.0.extend(parts);
    }

    /// The schema of this name. The members of flattened messages stand in it beside its own.
    pub fn get(&self, name: &str) -> Option<Schema> {
        let schema = self.0.get(name)?;
        Some(self.members(schema).map_or_else(|| schema.clone(), Schema::from))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All members of a message that flattens others; `None` for any other schema.
    fn members(&self, schema: &Schema) -> Option<Object> {
        let RefOr::T(utoipa::openapi::Schema::AllOf(all)) = schema else { return None };
        let mut whole = Object::default();
        for item in &all.items {
            let part = self.object(item)?;
            whole.properties.extend(part.properties);
            whole.required.extend(part.required);
        }
        whole.description = all.description.clone();
        Some(whole)
    }

    fn object(&self, schema: &Schema) -> Option<Object> {
        match schema {
            RefOr::Ref(reference) => {
                let name = reference.ref_location.rsplit('/').next()?;
                self.object(self.0.get(name)?)
            }
            RefOr::T(utoipa::openapi::Schema::Object(object)) => Some(object.clone()),
            all => self.members(all),
        }
    }
}
