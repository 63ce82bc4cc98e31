//! What the maps of a file may contain, stated once: the reader refuses by these tables, and the
//! JSON Schema is made from them.
//!
//! A key that is in no table is refused, so no key can be read and be missing in the schema. The
//! code that reads a value decides how it is read and how it depends on other values.

use super::limits::MAX_TEXT_BYTES;
use crate::flag::{Baseline, MAX_ID_BYTES, Strategy};

/// The keys a map may have.
pub struct MapSchema {
    /// What the map is, for messages: "a flag".
    pub what: &'static str,
    pub keys: &'static [Key],
    pub least: MinKeys,
}

/// One key of a map.
pub struct Key {
    pub name: &'static str,
    pub required: bool,
    pub holds: ValueKind,
    /// One line, shown in an editor on hover.
    pub says: &'static str,
    /// A value to write where the key is missing.
    pub example: &'static str,
}

/// What a map must contain besides its required keys.
pub enum MinKeys {
    Nothing,
    /// Any key.
    AKey,
    OneOf(&'static [&'static str]),
}

/// The kind of a value, as far as it is known without other values.
pub enum ValueKind {
    /// The only version of the format.
    Version,
    Boolean,
    /// A single value as the text it was written in, with its shortest and longest length in bytes.
    Text(usize, usize),
    /// A text that matches a pattern of Turnout's own syntax.
    Pattern(&'static str),
    /// A number with its unit, which no bare number is.
    Quantity(&'static str),
    /// One of a few words.
    Words(fn() -> Vec<&'static str>),
    Whole(u32, u32),
    /// A decimal number.
    Number(u32, u32),
    Record(&'static MapSchema),
    /// A list, and the most entries it may have.
    List(&'static ValueKind, usize),
    /// A single value, or a list of them.
    OneOrMore(&'static ValueKind),
    /// `attributes`: names and their types.
    Declarations,
    /// `each`: names and lists of single values.
    Choices,
    /// `with`: names and single values.
    Attributes,
    /// A `when`.
    Condition,
    /// A key that is known and refused for now.
    NotYet,
}

pub const TEXT: ValueKind = ValueKind::Text(0, MAX_TEXT_BYTES);
pub const ID: ValueKind = ValueKind::Text(1, MAX_ID_BYTES);
pub const STRATEGY: ValueKind = ValueKind::Words(|| Strategy::ALL.map(Strategy::as_str).to_vec());
pub const BASELINE: ValueKind = ValueKind::Words(|| {
    Strategy::ALL
        .into_iter()
        .filter(|strategy| Baseline::try_from(*strategy).is_ok())
        .map(Strategy::as_str)
        .collect()
});
pub const SHARE: ValueKind =
    ValueKind::Quantity(r"((0|[1-9][0-9]?)(\.[0-9]{1,3})?|100(\.0{1,3})?)%");
pub const DURATION: ValueKind = ValueKind::Quantity("[0-9]+(ms|s|m|h|d)");

pub const fn required(name: &'static str, holds: ValueKind, says: &'static str) -> Key {
    Key { name, required: true, holds, says, example: "…" }
}

pub const fn optional(name: &'static str, holds: ValueKind, says: &'static str) -> Key {
    Key { name, required: false, holds, says, example: "…" }
}

impl Key {
    pub const fn such_as(self, example: &'static str) -> Key {
        Key { example, ..self }
    }
}

impl MapSchema {
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }

    pub fn required(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().filter(|key| key.required)
    }
}
