//! What is wrong at the moment, for whoever asks.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::definition::Finding;

/// The findings of the last reading.
#[derive(Debug, Default)]
pub struct Problems(ArcSwap<Vec<Finding>>);

impl Problems {
    pub fn current(&self) -> Arc<Vec<Finding>> {
        self.0.load_full()
    }

    pub fn count(&self) -> usize {
        self.0.load().len()
    }

    /// Puts new findings in place of the old, and says whether they differ.
    pub(super) fn replace(&self, findings: Vec<Finding>) -> bool {
        let differ = **self.0.load() != findings;
        if differ {
            self.0.store(Arc::new(findings));
        }
        differ
    }
}
