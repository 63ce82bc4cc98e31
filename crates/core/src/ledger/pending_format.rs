//! The form of an entry in the journal: the flags that one request stops are a list, with its
//! actor, time and reason written once.
//!
//! An entry that stops one flag keeps the form of earlier builds. Those builds read a longer one as
//! far as they know it: they stop its flags.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::actor::{self, Actor};
use super::attribution::Attribution;
use super::blob::ContentHash;
use super::change::Action;
use super::credential::Credential;
use super::pending::{Overlay, PendingChange, PendingEntry};
use super::revision::ChangeSource;
use super::superseded::Superseded;
use super::unknown::Unknown;
use crate::flag::FlagKey;

/// The members of an entry, for writing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    id: &'a str,
    at_ms: i64,
    #[serde(flatten, with = "actor::actor")]
    actor: &'a Actor,
    origin: ChangeSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<ContentHash>,
    narrowed: Vec<&'a PendingChange>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stopped: Vec<&'a FlagKey>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    revoked: &'a [Credential],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    superseded: &'a [Superseded],
    #[serde(flatten)]
    unknown: &'a Unknown,
}

/// The members of an entry, for reading.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    id: String,
    at_ms: i64,
    #[serde(flatten, with = "actor::actor")]
    actor: Actor,
    origin: ChangeSource,
    #[serde(default)]
    reason: Option<String>,
    /// The request that the caller's idempotency key stands for.
    #[serde(default)]
    request: Option<ContentHash>,
    narrowed: Vec<PendingChange>,
    /// Flags that it stops with its own actor, time and reason.
    #[serde(default)]
    stopped: Vec<FlagKey>,
    #[serde(default)]
    revoked: Vec<Credential>,
    #[serde(default)]
    superseded: Vec<Superseded>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl PendingEntry {
    /// The mark of a stop that says no more than the entry does.
    fn own_mark(&self) -> Attribution {
        Attribution {
            by: self.actor.clone(),
            at_ms: self.at_ms,
            reason: self.reason.clone(),
            unknown: Unknown::default(),
        }
    }
}

impl Serialize for PendingEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = self.own_mark();
        let is_plain = |narrowed: &&PendingChange| {
            let says_no_more = matches!(&narrowed.op, Overlay::Stop(mark) if **mark == own);
            says_no_more && narrowed.action == Action::Stop && narrowed.unknown.is_empty()
        };
        let (stopped, rest): (Vec<&PendingChange>, Vec<&PendingChange>) =
            self.narrowed.iter().partition(is_plain);
        let (stopped, narrowed) = match stopped.len() {
            0 | 1 => (Vec::new(), self.narrowed.iter().collect()),
            _ => (stopped.into_iter().map(|narrowed| &narrowed.flag).collect(), rest),
        };
        let PendingEntry {
            id,
            at_ms,
            actor,
            origin,
            reason,
            request,
            revoked,
            superseded,
            unknown,
            ..
        } = self;
        let (at_ms, origin, reason, request) = (*at_ms, *origin, reason.as_deref(), *request);
        Written {
            id,
            at_ms,
            actor,
            origin,
            reason,
            request,
            narrowed,
            stopped,
            revoked,
            superseded,
            unknown,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PendingEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PendingEntry, D::Error> {
        let Read {
            id,
            at_ms,
            actor,
            origin,
            reason,
            request,
            narrowed,
            stopped,
            revoked,
            superseded,
            unknown,
        } = Read::deserialize(deserializer)?;
        let mut pending = PendingEntry {
            id,
            at_ms,
            actor,
            origin,
            reason,
            request,
            narrowed,
            revoked,
            superseded,
            unknown,
        };
        let mark = Arc::new(pending.own_mark());
        let stop = |flag| PendingChange {
            flag,
            action: Action::Stop,
            op: Overlay::Stop(Arc::clone(&mark)),
            unknown: Unknown::default(),
        };
        pending.narrowed.extend(stopped.into_iter().map(stop));
        Ok(pending)
    }
}
