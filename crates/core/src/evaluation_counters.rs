//! Counts how often each outcome was answered. Floor 1.
//!
//! A flag's outcomes get their counters when the snapshot is built, so answering costs one
//! addition. Counters outlive the snapshots, so that they only rise. Nothing about a user is
//! counted except that there was one.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::flag::{FlagKey, Resolution};

/// One counter.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    #[inline]
    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of every outcome a flag has had; bounded by the number of flags.
#[derive(Debug, Default)]
pub struct EvaluationCounters(Mutex<BTreeMap<Row, Count>>);

/// Flag, strategy and rule.
pub type Row = (FlagKey, &'static str, &'static str);

impl EvaluationCounters {
    /// The counter of one outcome of a flag; the same one for as long as the process lives.
    pub fn count(&self, key: &FlagKey, outcome: Resolution) -> Count {
        let row = (key.clone(), outcome.strategy.as_str(), outcome.step.as_str());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(row).or_default().clone()
    }

    /// How often each outcome was answered: at most `most` rows, those after `last`, or the first
    /// ones.
    pub fn rows_after(&self, last: Option<&Row>, most: usize) -> Vec<(Row, u64)> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = last.map_or(Bound::Unbounded, Bound::Excluded);
        let after = rows.range::<Row, _>((begin, Bound::Unbounded));
        after.take(most).map(|(row, count)| (row.clone(), count.get())).collect()
    }
}
