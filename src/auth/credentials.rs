//! All credentials, found by the hash of the secret.

use std::collections::{HashMap, HashSet};

use super::InvalidCredential;
use super::token_names::are_alike;
use crate::ledger::{
    ContentHash, Credential, CredentialId, CredentialRecord, CredentialsBasis, Doubted,
    EffectiveState, Role,
};
use crate::moment::{Deadline, Moment};

/// The credentials of one state. It holds hashes only, never a secret.
#[derive(Debug, Default)]
pub struct Credentials {
    /// In the order in which they were made.
    all: Vec<Credential>,
    /// Those that were not revoked.
    by_hash: HashMap<ContentHash, usize>,
    /// When a credential ends, for those that do, as the clock stood when that was learned.
    ends: HashMap<ContentHash, (i64, Deadline)>,
    /// How often a server's credential was taken back: its streams have to be looked at then.
    servers_lost: u64,
    /// Those that may have been revoked: what would say so does not read.
    doubt: Doubted<CredentialId>,
    basis: Option<CredentialsBasis>,
}

impl Credentials {
    /// The credentials of another state; `None` if they cannot differ.
    pub fn next(&self, state: &EffectiveState, now: Moment) -> Option<Credentials> {
        let basis = state.credentials_basis();
        if self.basis.as_ref() == Some(&basis) {
            return None;
        }
        let all = state.credentials().into_iter().map(|(id, record)| Credential { id, record });
        let doubt = state.doubt().credentials.clone();
        Some(Credentials { basis: Some(basis), doubt, ..self.replaced_by(all.collect(), now) })
    }

    fn replaced_by(&self, mut all: Vec<Credential>, now: Moment) -> Credentials {
        all.sort_by(|one, other| {
            (one.record.created_at_ms, &one.id).cmp(&(other.record.created_at_ms, &other.id))
        });
        // A secret that was revoked under one id is good under no other.
        let revoked: HashSet<ContentHash> =
            all.iter().filter(|one| is_revoked(one)).map(|one| one.record.hash).collect();
        let by_hash: HashMap<ContentHash, usize> = all
            .iter()
            .enumerate()
            .filter(|(_, credential)| !revoked.contains(&credential.record.hash))
            .map(|(index, credential)| (credential.record.hash, index))
            .collect();
        let servers =
            self.by_hash.iter().filter(|(_, index)| self.all[**index].record.role == Role::Server);
        let is_lost = |hash: &ContentHash| {
            !by_hash.get(hash).is_some_and(|index| all[*index].record.role == Role::Server)
        };
        let lost = servers.filter(|(hash, _)| is_lost(hash)).count();
        let servers_lost = self.servers_lost + u64::from(lost > 0);
        let ends = by_hash.iter().filter_map(|(hash, index)| {
            let at_ms = all[*index].record.expires_at_ms?;
            let learned = self.ends.get(hash).filter(|(known_ms, _)| *known_ms == at_ms).copied();
            Some((*hash, learned.unwrap_or_else(|| (at_ms, Deadline::at(at_ms, now)))))
        });
        let ends = ends.collect();
        Credentials { all, by_hash, ends, servers_lost, doubt: Doubted::None, basis: None }
    }

    /// The credential whose secret has this hash, if it is accepted. It ends as soon as either
    /// clock reaches its end.
    pub fn good(&self, hash: ContentHash, now: Moment) -> Result<&Credential, InvalidCredential> {
        let credential =
            self.by_hash.get(&hash).map(|index| &self.all[*index]).ok_or(InvalidCredential)?;
        let is_over = self.deadline(hash).is_some_and(|end| end.is_over(now));
        if credential.record.is_good(now.wall_ms) && !is_over {
            Ok(credential)
        } else {
            Err(InvalidCredential)
        }
    }

    /// When the credential whose secret has this hash ends, if it does.
    pub fn deadline(&self, hash: ContentHash) -> Option<Deadline> {
        self.ends.get(&hash).map(|(_, deadline)| *deadline)
    }

    /// Whether it may have been revoked: then it may do no more than narrow.
    pub fn is_in_doubt(&self, id: &CredentialId) -> bool {
        self.doubt.covers(id)
    }

    pub fn get(&self, id: &CredentialId) -> Option<&CredentialRecord> {
        self.all.iter().find(|credential| credential.id == *id).map(|credential| &credential.record)
    }

    /// All of them, in the order in which they were made.
    pub fn all(&self) -> &[Credential] {
        &self.all
    }

    /// Those that are accepted.
    pub fn living(&self, now_ms: i64) -> impl Iterator<Item = &Credential> {
        self.all.iter().filter(move |credential| credential.record.is_good(now_ms))
    }

    /// Those that are accepted and have a name that is hard to distinguish from this one.
    pub fn living_alike(&self, name: &str, now_ms: i64) -> impl Iterator<Item = &Credential> {
        self.living(now_ms).filter(move |credential| are_alike(&credential.record.name, name))
    }

    /// Those that are accepted and have this name, in any case.
    pub fn living_named(&self, name: &str, now_ms: i64) -> impl Iterator<Item = &Credential> {
        self.living(now_ms)
            .filter(move |credential| credential.record.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn servers_lost(&self) -> u64 {
        self.servers_lost
    }
}

fn is_revoked(credential: &Credential) -> bool {
    credential.record.revoked_at_ms.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each with its id, which is also its secret, less a final `x`.
    fn state(all: &[(&str, Role, Option<i64>)]) -> Vec<Credential> {
        let record = |id: &str, role, revoked_at_ms| CredentialRecord {
            name: "name".to_owned(),
            role,
            flags: None,
            hash: ContentHash::of(id.trim_end_matches('x').as_bytes()),
            created_at_ms: 1,
            created_by: "test".into(),
            expires_at_ms: Some(100),
            revoked_at_ms,
            revoked_by: None,
            revoked_by_id: None,
            unknown: Default::default(),
        };
        let credential = |(id, role, revoked): &(&str, Role, Option<i64>)| {
            Some(Credential { id: id.parse().ok()?, record: record(id, *role, *revoked) })
        };
        all.iter().filter_map(credential).collect()
    }

    /// Both clocks at the same time.
    fn at(ms: i64) -> Moment {
        Moment { wall_ms: ms, steady_ms: ms }
    }

    /// A clock that is set back prolongs no credential, also where other credentials come and go
    /// meanwhile.
    #[test]
    fn a_credential_ends_with_the_first_clock() {
        let learned = at(0);
        let one = Credentials::default().replaced_by(state(&[("a", Role::Admin, None)]), learned);
        let set_back = Moment { wall_ms: -1_000, steady_ms: 50 };
        let two =
            one.replaced_by(state(&[("a", Role::Admin, None), ("b", Role::Admin, None)]), set_back);
        let good = |secret: &str, wall_ms, steady_ms| {
            two.good(ContentHash::of(secret.as_bytes()), Moment { wall_ms, steady_ms }).is_ok()
        };
        for (secret, wall_ms, steady_ms, is_good) in [
            ("a", -951, 99, true),
            ("a", -950, 100, false),
            ("a", 100, 60, false),
            // Learned by the clock that was set back, this one counts from there on.
            ("b", -950, 100, true),
            ("b", 99, 1_149, true),
            ("b", 99, 1_150, false),
        ] {
            assert_eq!(
                good(secret, wall_ms, steady_ms),
                is_good,
                "{secret} at {wall_ms}, {steady_ms}"
            );
        }
    }

    #[test]
    fn a_credential_is_good_until_it_ends_and_never_again() {
        let now = Credentials::default()
            .replaced_by(state(&[("a", Role::Admin, None), ("b", Role::Admin, Some(5))]), at(0));
        for (secret, now_ms, good) in
            [("a", 0, true), ("a", 99, true), ("a", 100, false), ("b", 0, false), ("c", 0, false)]
        {
            assert_eq!(
                now.good(ContentHash::of(secret.as_bytes()), at(now_ms)).is_ok(),
                good,
                "{secret} at {now_ms}"
            );
        }
        // The same secret under another id.
        let twice = Credentials::default()
            .replaced_by(state(&[("b", Role::Admin, Some(5)), ("bx", Role::Admin, None)]), at(0));
        assert_eq!(twice.all().len(), 2);
        assert!(twice.good(ContentHash::of(b"b"), at(0)).is_err());
    }

    /// Streams are looked at when a server's credential is gone, and for no other reason.
    #[test]
    fn only_a_lost_server_credential_counts() {
        let (s, t, o) =
            (("s", Role::Server, None), ("t", Role::Server, None), ("o", Role::Operator, None));
        let mut now = Credentials::default().replaced_by(state(&[s]), at(0));
        for (step, all, lost) in [
            ("another server", &[s, t][..], false),
            ("an operator", &[s, t, o], false),
            ("an operator revoked", &[s, t, ("o", Role::Operator, Some(1))], false),
            ("a server revoked", &[s, ("t", Role::Server, Some(1))], true),
            ("a server out of the list", &[], true),
        ] {
            let next = now.replaced_by(state(all), at(0));
            assert_eq!(next.servers_lost > now.servers_lost, lost, "{step}");
            now = next;
        }
    }
}
