//! Heads that do not end: long ones, that is. A short one costs no more than its connection; the
//! long ones together may take so many bytes, and over it the one is hung up on that has been
//! coming for longest.

use std::sync::Arc;

use super::activity::{Activity, Phase};
use super::budget::{Budget, Holder, Holding};
use super::connection::ConnectionSignal;
use super::limits::{LONG_HEAD_BYTES, MAX_HEAD_BYTES};

/// A connection whose head is coming.
pub struct Head(Arc<Activity>);

pub type Heads = Budget<Head>;

impl Holder for Head {
    fn waits_since(&self) -> Option<u64> {
        Some(self.0.since())
    }

    fn cut(&self) -> bool {
        self.0.signal(ConnectionSignal::Cut)
    }
}

/// Counts a head that is long and not whole yet, as long as it is.
pub fn count(heads: &Arc<Heads>, activity: &Arc<Activity>, counted: &mut Option<Holding<Head>>) {
    match activity.phase() == Phase::Head && activity.came() > LONG_HEAD_BYTES {
        true if counted.is_none() => {
            *counted = Some(heads.hold(Arc::new(Head(activity.clone())), MAX_HEAD_BYTES, true))
        }
        true => {}
        false => *counted = None,
    }
}
