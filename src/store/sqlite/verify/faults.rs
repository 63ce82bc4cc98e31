//! What a verification found to be wrong.

use crate::store::messages::MAX_FAULTS;

/// The faults found; at most [`MAX_FAULTS`].
#[derive(Debug, Default)]
pub struct Faults {
    pub found: Vec<String>,
}

impl Faults {
    pub fn add(&mut self, fault: String) {
        // Names come from rows that may have been altered, and end up on terminals.
        let fault = fault.replace(char::is_control, " ");
        if !self.are_enough() && !self.found.contains(&fault) {
            self.found.push(fault);
        }
    }

    pub fn add_stray_change(&mut self, revision: i64, name: &str) {
        self.add(format!(
            "a change of {name} was added: there is no revision {revision} that it belongs to"
        ));
    }

    pub fn are_enough(&self) -> bool {
        self.found.len() >= MAX_FAULTS
    }
}
