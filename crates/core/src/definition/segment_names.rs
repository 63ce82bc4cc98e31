//! The segments a flag file names, in the flag and in its tests.

use std::collections::{BTreeMap, HashMap};

use super::decode::{Decoder, list, similar};
use super::finding::{Code, Finding, SourceSpan};
use super::limits::{MAX_ENTRIES, MAX_FINDINGS};
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

/// Where a flag file names segments. Only the folder knows whether there are files for them.
#[derive(Debug, Default)]
pub struct SegmentUses {
    /// Where each of the flag's segments is first named.
    pub of_flag: Vec<(SegmentKey, SourceSpan)>,
    /// Where its tests name a segment that it does not name itself.
    pub of_tests: Vec<(SegmentKey, SourceSpan)>,
}

impl SegmentUses {
    /// What is wrong with them in a folder with these segments.
    pub fn findings<S>(&self, file: &str, folder: &BTreeMap<SegmentKey, S>) -> Vec<Finding> {
        let of_flag = self
            .of_flag
            .iter()
            .filter(|(key, _)| !folder.contains_key(key))
            .map(|(key, place)| (*place, unknown(file, key, folder)));
        let of_tests =
            self.of_tests.iter().map(|(key, place)| (*place, self.unnamed(file, key, folder)));
        of_flag
            .take(MAX_FINDINGS)
            .chain(of_tests.take(MAX_FINDINGS))
            .map(|(place, finding)| Finding { place: Some(place), ..finding })
            .collect()
    }

    /// The finding of a test that names a segment which the flag does not. Where the flag has the
    /// name mistyped, the mistake is there, and not in the test.
    fn unnamed<S>(
        &self,
        file: &str,
        key: &SegmentKey,
        folder: &BTreeMap<SegmentKey, S>,
    ) -> Finding {
        let (good, missing): (Vec<_>, Vec<_>) =
            self.of_flag.iter().partition(|(named, _)| folder.contains_key(named));
        let mistyped = similar(key.as_str(), missing.iter().map(|(named, _)| named.as_str()))
            .filter(|_| folder.contains_key(key))
            .and_then(|meant| missing.iter().find(|(named, _)| named.as_str() == meant));
        let names: Vec<&str> = good.iter().map(|(named, _)| named.as_str()).collect();
        let (message, mut hint) = unnamed_segment(key, &names);
        if let Some((named, SourceSpan { line, .. })) = mistyped {
            hint = format!("line {line} says `{named}`: write `{key}` there");
        }
        Finding::of_file(file, Code::BadCase, message).with_hint(hint)
    }
}

/// The message and the help for a test with a segment that the flag does not name.
pub fn unnamed_segment(key: &SegmentKey, names: &[&str]) -> (String, String) {
    let hint = match similar(key.as_str(), names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "remove it: the flag names no segment".to_owned(),
        None => format!("remove it; the flag names {}", list(names.iter().copied())),
    };
    (format!("the flag names no segment `{key}`: being in it changes nothing"), hint)
}

fn unknown<S>(file: &str, key: &SegmentKey, folder: &BTreeMap<SegmentKey, S>) -> Finding {
    let hint = match similar(key.as_str(), folder.keys().map(SegmentKey::as_str)) {
        Some(meant) => format!("a segment with a similar name exists: `{meant}`"),
        None => format!("no file segments/{key}.yaml: make it, or remove the name here"),
    };
    Finding::of_file(file, Code::UnknownSegment, format!("unknown segment `{key}`")).with_hint(hint)
}
