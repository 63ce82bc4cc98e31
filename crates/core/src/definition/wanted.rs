//! The help for a value of the wrong kind: what to type in its place.

use super::mistyped_line::{KEY_AND_VALUE, lacks_colon};
use super::tree::{Kind, Node};

/// What is to stand where something of another type stands.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    Map,
    List,
    Single,
    Boolean,
}

impl Wanted {
    /// What to type in the place of this node.
    pub fn in_the_place_of(self, node: &Node) -> &'static str {
        match (self, &node.kind) {
            (Wanted::Map, Kind::List(_)) => "remove the `- ` or the `[…]`, and write `key: value`",
            (Wanted::Map, Kind::Scalar { text, plain: true }) if lacks_colon(text) => KEY_AND_VALUE,
            (Wanted::Map, _) => {
                "write `key: value` on lines below it, indented, or `{ key: value }`"
            }
            (Wanted::List, Kind::Map(_)) => "begin each entry with `- `",
            (Wanted::List, Kind::Scalar { .. }) if !node.is_null() => {
                "put it in brackets: `[…]`, with commas between entries"
            }
            (Wanted::List, _) => "write entries that begin with `- ` below it, or remove the key",
            (Wanted::Boolean, _) => "write `true` or `false`",
            (Wanted::Single, Kind::List(_)) => "write one value, without `- ` and `[…]`",
            (Wanted::Single, Kind::Map(_)) => {
                "write one value; a text with `{` or `: ` in it stands in quotes"
            }
            (Wanted::Single, Kind::Scalar { .. }) => {
                "write a value there; the texts `null` and `~` stand in quotes"
            }
        }
    }
}
