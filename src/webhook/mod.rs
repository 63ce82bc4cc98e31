//! Tells a receiver of every committed revision, signed, at least once and in order. Floor 3.
//!
//! It reads what is committed and holds up nothing: a receiver that is slow, broken or gone only
//! makes itself fall behind. Where it may reach is decided here too, at start by what its address
//! looks like, and at every connection by where its name leads.
//!
//! | file | what it decides |
//! |---|---|
//! | `target` | which addresses may be configured |
//! | `public` | which IP addresses belong to everybody |
//! | `names` | what a name may lead to |
//! | `post` | how one revision is sent, and what counts as received |
//! | `pace` | when it is tried again |
//! | `follow` | which revision is next |
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

/// Whom to tell, and how they know us.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    pub target: Target,
    pub key: SigningKey,
}
