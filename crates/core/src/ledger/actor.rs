//! Who did something: a name that people know, and the credential that was used.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name, and the id of the credential if one was used. Names are labels: two credentials may have
/// had the same name one after the other, and only their ids tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    /// `None` for the service itself, and for the data folder's own credential.
    pub id: Option<String>,
}

impl From<&str> for Actor {
    fn from(name: &str) -> Actor {
        Actor { name: name.to_owned(), id: None }
    }
}

/// The name alone.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Writes an actor as two members of its record. The id is newer than the name, so it is left out
/// where there is none.
macro_rules! as_members {
    ($module:ident, $name:literal, $id:literal) => {
        pub mod $module {
            use super::*;

            #[derive(Serialize, Deserialize)]
            struct Members {
                #[serde(rename = $name)]
                name: String,
                #[serde(rename = $id, default, skip_serializing_if = "Option::is_none")]
                id: Option<String>,
            }

            pub fn serialize<S: Serializer>(
                Actor { name, id }: &Actor,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                Members { name: name.clone(), id: id.clone() }.serialize(serializer)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Actor, D::Error> {
                Members::deserialize(deserializer).map(|Members { name, id }| Actor { name, id })
            }
        }
    };
}

as_members!(by, "by", "byId");
as_members!(actor, "actor", "actorId");
as_members!(created_by, "createdBy", "createdById");
