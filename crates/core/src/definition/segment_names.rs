//! The segments a flag names.

use std::collections::HashMap;

use super::decode::Decoder;
use super::finding::{Code, SourceSpan};
use super::limits::MAX_ENTRIES;
use super::tree::{Kind, Node};
use crate::flag::{SegmentIndex, SegmentKey};

/// The segments a flag names, without repetition, in the order of first use.
#[derive(Default)]
pub struct SegmentNames {
    pub uses: Vec<(SegmentKey, SourceSpan)>,
    index: HashMap<SegmentKey, SegmentIndex>,
}

impl SegmentNames {
    /// Reads one name.
    pub fn read(&mut self, d: &mut Decoder, node: &Node) -> Option<SegmentIndex> {
        let key: SegmentKey = d.name(node, "a segment's key")?;
        if let Some(index) = self.index.get(&key) {
            return Some(*index);
        }
        if self.uses.len() == MAX_ENTRIES {
            d.report(
                node.place,
                Code::TooMany,
                format!("a flag names at most {MAX_ENTRIES} segments"),
                Some("merge some of the segments into one".into()),
            );
            return None;
        }
        self.index.insert(key.clone(), self.uses.len());
        self.uses.push((key, node.place));
        Some(self.uses.len() - 1)
    }

    /// Reads one name or a list of names.
    pub fn read_any(&mut self, d: &mut Decoder, node: &Node) -> Option<Vec<SegmentIndex>> {
        match &node.kind {
            Kind::List(items) => {
                let indices: Vec<_> = items.iter().map(|item| self.read(d, item)).collect();
                indices.into_iter().collect()
            }
            _ => self.read(d, node).map(|index| vec![index]),
        }
    }
}
