//! What a newer build wrote and this one does not know.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json};

/// The members of a record that this build does not know: they are written back unchanged.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Unknown(
    /// Mostly there are none, and then this takes no memory.
    Option<Box<Map<String, Json>>>,
);

impl Unknown {
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().flat_map(|members| members.iter()))
    }
}

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unknown, D::Error> {
        let members = Map::deserialize(deserializer)?;
        Ok(Unknown((!members.is_empty()).then(|| Box::new(members))))
    }
}

/// Prints counts, never content: the content is not known.
impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unknown({})", self.0.as_ref().map_or(0, |members| members.len()))
    }
}
