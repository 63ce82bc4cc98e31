//! Combines several states of one subject when one of them is wrong: the result is never wider than
//! any of them, now and at every later moment. It is decided by shape: in doubt a flag is stopped,
//! a segment has no good form, and a credential is not accepted.

use super::attribution::Attribution;
use super::credential::{CredentialRecord, Role};
use super::entry::FlagEntry;
use super::record::{Expiry, FlagRecord, Pin, SegmentRecord, SplitOverride};
use super::timeline::Timeline;
use super::unknown::Unknown;
use crate::flag::{Definition, differences};

impl FlagEntry {
    /// This flag, no wider than the other: with the stop of either, the lower `realtime-v2` and the
    /// higher `disabled` at every moment, `enabled: false` of either, and the pin of either, which
    /// keeps files from opening more. Definitions that differ in more than that cannot be compared:
    /// then the flag is stopped, by `mark`.
    pub fn no_wider_than(self, other: &FlagEntry, mark: &Attribution) -> FlagEntry {
        if self.record == other.record {
            return self;
        }
        let timeline = match (self.in_words(), other.in_words()) {
            (Some(one), Some(two)) => Some(one.narrowest(two)),
            (one, two) => one.or(two),
        };
        let stop = self.record.stop.clone().or_else(|| other.record.stop.clone());
        let pinned = [&self, other].into_iter().find(|entry| entry.record.pin.is_some());
        let (mut entry, is_comparable) = match (self.in_force(), other.in_force()) {
            (Some(one), Some(two)) => match compare(one, two) {
                Comparison::Neither => (self.clone(), false),
                Comparison::First => (self.clone(), true),
                Comparison::Second => (other.clone(), true),
            },
            // An unreadable definition says nothing; a missing one says that nothing was known.
            _ => (self.clone(), other.record.blobs().next().is_some() || self.in_force().is_none()),
        };
        if let Some(pinned) = pinned.filter(|_| entry.record.pin.is_none()) {
            entry = entry.pinned_like(pinned);
        }
        if let Some(timeline) = timeline {
            entry = entry.with_timeline(timeline, [&self, other], mark);
        }
        entry.record.stop = stop.or_else(|| (!is_comparable).then(|| mark.clone()));
        FlagEntry { changed_at: self.changed_at, ..entry }
    }

    /// The same definition, held against the files to come as that other flag's pin holds it: by
    /// that pin itself where its definition is no wider.
    fn pinned_like(self, other: &FlagEntry) -> FlagEntry {
        let Some(pin) = other.record.pin.clone() else { return self };
        let is_off = |entry: &FlagEntry| entry.in_force().is_some_and(|known| !known.enabled);
        let own = self.record.definition.filter(|_| is_off(&self) && !is_off(other));
        let pinned = if own.is_some() { self.definition.clone() } else { other.pinned.clone() };
        let pin = Pin { definition: own.unwrap_or(pin.definition), ..pin };
        FlagEntry { record: FlagRecord { pin: Some(pin), ..self.record }, pinned, ..self }
    }

    /// `None` where the timeline is unknown: the definition cannot be read, and no override
    /// replaces its split.
    fn in_words(&self) -> Option<Timeline> {
        (self.record.split.is_some() || self.in_force().is_some()).then(|| self.timeline())
    }

    /// The same definition with this split: the form in `known` that has it, if there is one.
    fn with_timeline(
        self,
        timeline: Timeline,
        known: [&FlagEntry; 2],
        mark: &Attribution,
    ) -> FlagEntry {
        let holding =
            |split: Option<SplitOverride>| self.with(FlagRecord { split, ..self.record.clone() });
        let as_held = known.into_iter().map(|entry| holding(entry.record.split.clone()));
        if let Some(entry) = as_held.into_iter().find(|entry| entry.in_words() == Some(timeline)) {
            return entry;
        }
        let is_named = |entry: &&FlagEntry| {
            let ends = entry.record.split.as_ref().and_then(|held| held.ends.as_ref());
            ends.is_some_and(|end| end.named)
        };
        let named = known.iter().any(is_named);
        let ends = timeline.later.map(|(at_ms, split)| Expiry {
            at_ms,
            split: Some(split),
            named,
            unknown: Unknown::default(),
        });
        holding(Some(SplitOverride {
            split: timeline.now,
            mark: mark.clone(),
            ends,
            unknown: Unknown::default(),
        }))
    }
}

/// Which of two definitions is no wider than the other, whatever split is laid over both.
enum Comparison {
    First,
    Second,
    Neither,
}

fn compare(one: &Definition, two: &Definition) -> Comparison {
    let is_of_split = |what: &str| what == "enabled" || what.starts_with("rollout.");
    let is_of_people = |what: &str| what == "description" || what == "owner";
    if !differences(one, two)
        .iter()
        .all(|found| is_of_split(&found.what) || is_of_people(&found.what))
    {
        Comparison::Neither
    } else if one.enabled && !two.enabled {
        Comparison::Second
    } else {
        Comparison::First
    }
}

impl SegmentRecord {
    /// This segment if the other is the same. A member of a segment may be let in by one flag and
    /// kept out by another, so of two different segments neither is narrower, and flags that name
    /// it answer `polling`.
    pub fn no_wider_than(self, other: &SegmentRecord) -> SegmentRecord {
        if self == *other { self } else { SegmentRecord::default() }
    }
}

impl CredentialRecord {
    /// This credential, no stronger than the other; `None` if they cannot be compared, or have
    /// nothing in common.
    pub fn no_stronger_than(self, other: &CredentialRecord) -> Option<CredentialRecord> {
        if self.hash != other.hash || self.unknown != other.unknown {
            return None;
        }
        let flags = match (self.flags, &other.flags) {
            (Some(mine), Some(others)) => {
                Some(mine.into_iter().filter(|flag| others.contains(flag)).collect())
            }
            (mine, others) => mine.or_else(|| others.clone()),
        };
        let expires_at_ms = match (self.expires_at_ms, other.expires_at_ms) {
            (Some(mine), Some(others)) => Some(mine.min(others)),
            (mine, others) => mine.or(others),
        };
        let revoked = if self.revoked_at_ms.is_some() {
            (self.revoked_at_ms, self.revoked_by, self.revoked_by_id)
        } else {
            (other.revoked_at_ms, other.revoked_by.clone(), other.revoked_by_id.clone())
        };
        let role = weaker(self.role, other.role)?;
        let (revoked_at_ms, revoked_by, revoked_by_id) = revoked;
        Some(CredentialRecord {
            role,
            flags,
            expires_at_ms,
            revoked_at_ms,
            revoked_by,
            revoked_by_id,
            ..self
        })
    }

    /// Whether both are the same, apart from a revocation that only one of them has.
    pub fn is_same_apart_from_revocation(&self, other: &CredentialRecord) -> bool {
        let unrevoked = |record: &CredentialRecord| CredentialRecord {
            revoked_at_ms: None,
            revoked_by: None,
            revoked_by_id: None,
            ..record.clone()
        };
        self == other || unrevoked(self) == unrevoked(other)
    }
}

/// `None` for a server's key and a person's role.
fn weaker(one: Role, two: Role) -> Option<Role> {
    const FROM_WEAKEST: [Role; 4] = [Role::Viewer, Role::Stopper, Role::Operator, Role::Admin];
    let weakest = FROM_WEAKEST.into_iter().find(|role| *role == one || *role == two);
    let is_comparable = one == two || one != Role::Server && two != Role::Server;
    if is_comparable { weakest.or(Some(one)) } else { None }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ledger::{ContentCache, ContentHash};

    fn yaml(more: &str) -> String {
        format!("version: 1\nflag: f\ndefault: polling\nwhen_stopped: polling\n{more}\n")
    }

    const OPEN: &str = "enabled: true\nrollout: { realtime-v2: 100%, disabled: 0% }";
    const LOW: &str = "enabled: true\nrollout: { realtime-v2: 1%, disabled: 20% }";
    const OFF: &str = "enabled: false\nrollout: { realtime-v2: 100%, disabled: 0% }";
    const RULED: &str = "enabled: true\nallow: [{ users: [u], strategy: realtime-v2 }]";

    /// A flag with a definition and an operator's overrides: `25%`, `25% until 9 then 50%`, `stop`.
    fn flag(definition: &str, laid: &str) -> FlagEntry {
        let mark = Attribution::of_turnout(1, "r");
        let (mut content, text) = (ContentCache::default(), yaml(definition));
        let id = ContentHash::of(text.as_bytes());
        content.blobs.insert(id, text.into());
        let split = |share: &str| {
            serde_json::from_str(&format!(r#"{{"realtime-v2":"{share}","disabled":"0%"}}"#))
                .unwrap()
        };
        let held = match laid.split(' ').collect::<Vec<_>>()[..] {
            [share, "until", at, "then", later] => {
                let end = Expiry {
                    at_ms: at.parse().unwrap(),
                    split: Some(split(later)),
                    named: true,
                    unknown: Unknown::default(),
                };
                Some(SplitOverride {
                    split: split(share),
                    mark: mark.clone(),
                    ends: Some(end),
                    unknown: Unknown::default(),
                })
            }
            [share] if share.ends_with('%') => Some(SplitOverride {
                split: split(share),
                mark: mark.clone(),
                ends: None,
                unknown: Unknown::default(),
            }),
            _ => None,
        };
        let stop = (laid == "stop").then_some(mark);
        let record =
            FlagRecord { definition: Some(id), split: held, stop, ..FlagRecord::default() };
        content.read_flag(&"f".parse().unwrap(), &record).unwrap();
        content.entry(record)
    }

    /// The flag as text, at three moments.
    fn shown(entry: &FlagEntry) -> String {
        if entry.record.stop.is_some() {
            return "stop".to_owned();
        }
        let enabled = entry.in_force().is_some_and(|definition| definition.enabled);
        let at = |at_ms| {
            let split = entry.timeline().at(at_ms);
            format!("{}/{}", split.realtime(), split.disabled())
        };
        format!("{}{} {}", if enabled { "" } else { "off " }, at(0), at(10))
    }

    #[test]
    fn no_witness_of_a_flag_is_narrower_than_what_stands() {
        let mark = Attribution::of_turnout(5, "differ");
        for (one, two, stands) in [
            ((OPEN, ""), (OPEN, ""), "100%/0% 100%/0%"),
            ((OPEN, ""), (LOW, ""), "1%/20% 1%/20%"),
            ((OPEN, "25%"), (OPEN, "10%"), "10%/0% 10%/0%"),
            ((OPEN, "25%"), (LOW, ""), "1%/20% 1%/20%"),
            ((OPEN, ""), (OFF, ""), "off 100%/0% 100%/0%"),
            ((LOW, ""), (OFF, ""), "off 1%/20% 1%/20%"),
            ((OPEN, ""), (OPEN, "stop"), "stop"),
            ((OPEN, ""), (RULED, ""), "stop"),
            ((OPEN, "10% until 9 then 50%"), (OPEN, "30%"), "10%/0% 30%/0%"),
            ((OPEN, "30% until 9 then 5%"), (OPEN, "10%"), "10%/0% 5%/0%"),
            ((OPEN, "30% until 9 then 5%"), (LOW, ""), "1%/20% 1%/20%"),
        ] {
            let (one, two) = (flag(one.0, one.1), flag(two.0, two.1));
            for (one, two) in [(&one, &two), (&two, &one)] {
                let met = one.clone().no_wider_than(two, &mark);
                assert_eq!(shown(&met), stands, "{one:?} and {two:?}");
            }
        }
        // An unreadable definition says nothing, but its overrides count; a missing definition says
        // that nothing was known.
        let unread = FlagEntry { definition: None, ..flag(OPEN, "10%") };
        assert_eq!(shown(&flag(LOW, "").no_wider_than(&unread, &mark)), "1%/20% 1%/20%");
        assert_eq!(shown(&flag(OPEN, "").no_wider_than(&unread, &mark)), "10%/0% 10%/0%");
        assert_eq!(shown(&flag(OPEN, "").no_wider_than(&FlagEntry::default(), &mark)), "stop");
    }

    fn credential(
        role: Role,
        flags: Option<&[&str]>,
        expires_at_ms: Option<i64>,
        revoked_at_ms: Option<i64>,
    ) -> CredentialRecord {
        CredentialRecord {
            name: "n".to_owned(),
            role,
            flags: flags.map(|flags| flags.iter().map(|flag| (*flag).to_owned()).collect()),
            hash: ContentHash::of(b"secret"),
            created_at_ms: 0,
            created_by: "a".into(),
            expires_at_ms,
            revoked_at_ms,
            revoked_by: None,
            revoked_by_id: None,
            unknown: Unknown::default(),
        }
    }

    #[test]
    fn a_credential_is_never_stronger_than_any_of_its_witnesses() {
        use Role::{Admin, Operator, Server, Stopper, Viewer};
        let strong = || credential(Admin, None, None, None);
        for (one, two, stands) in [
            (strong(), strong(), Some(strong())),
            (
                strong(),
                credential(Stopper, None, Some(9), None),
                Some(credential(Stopper, None, Some(9), None)),
            ),
            (
                credential(Operator, Some(&["a"]), Some(5), None),
                strong(),
                Some(credential(Operator, Some(&["a"]), Some(5), None)),
            ),
            (
                credential(Viewer, Some(&["a", "b"]), Some(5), None),
                credential(Viewer, Some(&["b", "c"]), Some(3), None),
                Some(credential(Viewer, Some(&["b"]), Some(3), None)),
            ),
            (
                strong(),
                credential(Admin, None, None, Some(4)),
                Some(credential(Admin, None, None, Some(4))),
            ),
            (strong(), credential(Server, None, None, None), None),
            (
                credential(Server, None, None, None),
                credential(Server, None, None, None),
                Some(credential(Server, None, None, None)),
            ),
            (strong(), CredentialRecord { hash: ContentHash::of(b"other"), ..strong() }, None),
        ] {
            for (one, two) in [(&one, &two), (&two, &one)] {
                assert_eq!(one.clone().no_stronger_than(two), stands, "{one:?} and {two:?}");
            }
        }
    }
}
