//! A new form of a flag on its way to being in force.

use super::flag_file::FlagFile;
use super::trial::Trial;

/// A form that is read, and not yet linked and tested.
#[derive(Debug)]
pub struct Candidate {
    /// Whether all segments that its file names exist.
    pub is_linked: bool,
    pub trial: Trial,
}

impl Candidate {
    pub fn new(file: FlagFile, live: Option<&Trial>) -> Candidate {
        let mut trial = Trial::new(file.definition, file.tests);
        if let Some(live) = live.filter(|live| live.definition() == trial.definition()) {
            trial.take_over(live);
        }
        Candidate { is_linked: false, trial }
    }
}
