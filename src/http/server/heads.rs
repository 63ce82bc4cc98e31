//! Request heads that are long and not whole yet. A short head costs no more than its connection.
//! Long heads together may take a bounded number of bytes; over the bound, the connection whose
//! head has been arriving for longest is closed.

use std::sync::Arc;

use super::activity::{Activity, Phase};
use super::budget::{Budget, Holder, Holding};
use super::limits::{LONG_HEAD_BYTES, MAX_HEAD_BYTES};
use super::signal::ConnectionSignal;

/// A connection whose head is arriving.
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

/// Counts a head that is long and not whole yet, until it is whole.
pub fn count(heads: &Arc<Heads>, activity: &Arc<Activity>, counted: &mut Option<Holding<Head>>) {
    let is_long = activity.phase() == Phase::Head && activity.came() > LONG_HEAD_BYTES;
    if !is_long {
        *counted = None;
    } else if counted.is_none() {
        *counted = Some(heads.hold(Arc::new(Head(activity.clone())), MAX_HEAD_BYTES, true));
    }
}
