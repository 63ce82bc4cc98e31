//! Decisions and what follows from them. Floor 1: no disk, no clock; modules above load and commit.
//!
//! A [`Catalog`] contains every subject at the newest known revision; [`EffectiveState`] lays the
//! pending entries over it and gives each flag's effective state. An operator's [`Command`] and a
//! reading of the folder become [`Change`]s here, and a set of changes becomes a [`Revision`],
//! chained to the one before.

mod actor;
mod attribution;
mod blob;
mod blob_references;
mod cached_content;
mod catalog;
mod change;
mod command;
mod command_path;
mod compared;
mod content_cache;
mod credential;
mod credential_change;
mod doubt;
mod effect;
mod effective;
mod entry;
mod expiry;
mod narrowest;
mod narrowing;
mod pending;
mod pending_format;
mod pending_set;
mod planned_change;
mod reconcile;
mod record;
mod revision;
mod revision_message;
mod rollback;
mod served;
mod superseded;
mod superseding;
mod timeline;
mod unknown;
mod unrecorded;

pub use actor::Actor;
pub use attribution::Attribution;
pub use blob::{Blobs, ContentHash};
pub use blob_references::blobs_named_in;
pub use catalog::{Catalog, Credentials};
pub use change::{Action, Change, Subject};
pub use command::{Command, CommandError, ExpiryRequest};
pub use command_path::CommandPath;
pub use compared::Compared;
pub use content_cache::ContentCache;
pub use credential::{
    BadCredentialId, Credential, CredentialId, CredentialRecord, MAX_NAME_BYTES, Role,
};
pub use doubt::{Doubt, Doubted};
pub use effect::effect_of;
pub use effective::{CredentialsBasis, EffectiveState};
pub use entry::{FlagEntry, SegmentEntry};
pub use expiry::{DueExpiries, expire};
pub use narrowing::is_narrowing;
pub use pending::{Overlay, PendingChange, PendingEntry};
pub use pending_set::PendingSet;
pub use planned_change::{Decision, PlannedChange};
pub use reconcile::{
    Reconciliation, reconcile, reconcile_again, reconcile_for_revision, still_narrowing,
};
pub use record::{Expiry, FlagRecord, Pin, Record, SegmentRecord, SplitOverride, UsersFile};
pub use revision::{ChangeSource, HashedChange, HashedRevision, Head, KnownHead, Revision};
pub use revision_message::{referenced_blobs, revision_message};
pub use rollback::{FlagAsOf, PastStep, UndoSearch};
pub use served::Served;
pub use superseded::Superseded;
pub use superseding::without_superseded;
pub use timeline::Timeline;
pub use unknown::Unknown;
