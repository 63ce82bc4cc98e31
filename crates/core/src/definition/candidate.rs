//! A new form of a flag on its way to being in force.

use super::finding::SourceSpan;
use super::flag_file::FlagFile;
use super::trial::Trial;
use crate::flag::SegmentKey;

/// A form that is read, and not yet linked and tested.
#[derive(Debug)]
pub struct Candidate {
    /// Where each of the definition's segments is first named.
    pub segment_uses: Vec<(SegmentKey, SourceSpan)>,
    /// Whether all of these segments exist.
    pub is_linked: bool,
    pub trial: Trial,
}

impl Candidate {
    pub fn new(file: FlagFile, live: Option<&Trial>) -> Candidate {
        let mut trial = Trial::new(file.definition, file.tests);
        if let Some(live) = live.filter(|live| live.definition() == trial.definition()) {
            trial.take_over(live);
        }
        Candidate { segment_uses: file.segment_uses, is_linked: false, trial }
    }
}
