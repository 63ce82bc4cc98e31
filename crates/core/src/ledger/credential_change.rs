//! The changes that make and revoke a credential.

use super::change::{Action, Change, Subject};
use super::credential::{Credential, CredentialRecord};
use super::record::Record;

impl Credential {
    /// The change that makes it.
    pub fn made(&self) -> Change {
        self.change(Action::Create, None, self.record.clone())
    }

    /// The change that revokes it over `before`, the present state of its record.
    pub fn revoked_over(&self, before: Option<&CredentialRecord>) -> Change {
        let after = match before {
            Some(before) if before.revoked_at_ms.is_some() => before.clone(),
            Some(before) => CredentialRecord {
                revoked_at_ms: self.record.revoked_at_ms,
                revoked_by: self.record.revoked_by.clone(),
                revoked_by_id: self.record.revoked_by_id.clone(),
                ..before.clone()
            },
            None => self.record.clone(),
        };
        self.change(Action::Revoke, before.cloned(), after)
    }

    fn change(
        &self,
        action: Action,
        before: Option<CredentialRecord>,
        after: CredentialRecord,
    ) -> Change {
        let (before, after) = (before.map(Record::Credential), Some(Record::Credential(after)));
        Change { subject: Subject::Credential(self.id.clone()), action, before, after }
    }
}
