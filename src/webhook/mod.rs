//! Sends every committed revision to a receiver, signed, at least once and in order. Floor 3.
//!
//! The webhook reads what is committed and delays nothing: a receiver that is slow, broken or gone
//! only falls behind itself. This module also decides which addresses it may reach, at start by the
//! form of the address, and at every connection by what its host name resolves to.
//!
//! | file | what it decides |
//! |---|---|
//! | `target` | which addresses may be configured |
//! | `address_policy` | which IP addresses are public |
//! | `resolver` | what a host name may resolve to |
//! | `deliver` | how one revision is sent, and what counts as received |
//! | `backoff` | when a delivery is tried again |
//! | `worker` | which revision is next |
//! | `deliveries` | what is counted |

mod address_policy;
mod backoff;
mod deliver;
mod deliveries;
mod resolver;
mod target;
mod worker;

pub use address_policy::is_public;
pub use backoff::{longest_wait, wait};
pub use deliver::{Failure, Sender};
pub use deliveries::{Deliveries, Outcome};
pub use resolver::{NotPublic, PublicOnly, System};
pub use target::{AddressPolicy, BadTarget, Target};
pub use worker::WebhookWorker;

use crate::auth::SigningKey;

/// Where to send revisions, and the key that signs them.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    pub target: Target,
    pub key: SigningKey,
}
