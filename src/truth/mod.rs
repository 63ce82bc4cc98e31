//! What was decided, and what follows from it. Floor 1: no disk, no clock; who loads and commits it stands above.
//!
//! A [`Book`] holds every subject at the newest revision known; [`Truth`] lays the pending entries over it and tells how each flag stands.
//! An operator's [`Wish`] and a reading of the folder become [`Change`]s here, and a set of changes becomes a [`Revision`], chained to the
//! one before.

mod action;
mod actor;
mod book;
mod content;
mod credential;
mod decision;
mod doubt;
mod expiry;
mod files;
mod forms;
mod named_texts;
mod narrowest;
mod narrowing;
mod pending;
mod pending_form;
mod pending_set;
mod record;
mod revision;
mod rollback;
mod standing;
mod superseding;
mod timeline;
mod told;
mod unknown;
mod wish;

pub use action::{Action, Change, Subject};
pub use actor::Actor;
pub use book::{Book, Credentials, FlagEntry, SegmentEntry};
pub use content::{ContentId, Texts};
pub use credential::{BadCredentialId, Credential, CredentialId, CredentialRecord, MAX_NAME_BYTES, Role};
pub use decision::Decision;
pub use doubt::Doubt;
pub use expiry::{Expiry, expire};
pub use files::{Reconciliation, reconcile, reconcile_for_revision, reconcile_only, still_narrowing};
pub use forms::Forms;
pub use named_texts::texts_named_in;
pub use narrowing::is_narrowing;
pub use pending::{Narrowed, Op, Pending};
pub use pending_set::PendingSet;
pub use record::{End, FlagRecord, Held, Mark, Pin, Record, SegmentRecord, UsersFile};
pub use revision::{HashedChange, HashedRevision, Head, KnownHead, Origin, Revision};
pub use rollback::{Step as PastStep, Then, Undoing};
pub use standing::{CredentialsBasis, Truth};
pub use superseding::{Superseded, without_superseded};
pub use timeline::Timeline;
pub use told::{rollout_in_words, texts_to_tell, told};
pub use unknown::Unknown;
pub use wish::{Decided, Ends, Part, Refused, Wish};
