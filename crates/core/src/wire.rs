//! How values of the core stand in messages. Floor 1.

use turnout_api::admin::flags;
use turnout_api::admin::history::{self, ActionName, SubjectKind};
use turnout_api::admin::tokens;

use crate::flag::Split;
use crate::ledger::{Action, ChangeSource, Role, Subject};

impl From<Split> for flags::Split {
    fn from(split: Split) -> flags::Split {
        flags::Split {
            realtime: split.realtime().to_string(),
            disabled: split.disabled().to_string(),
        }
    }
}

impl From<Role> for tokens::Role {
    fn from(role: Role) -> tokens::Role {
        match role {
            Role::Viewer => tokens::Role::Viewer,
            Role::Stopper => tokens::Role::Stopper,
            Role::Operator => tokens::Role::Operator,
            Role::Admin => tokens::Role::Admin,
            Role::Server => tokens::Role::Server,
        }
    }
}

impl From<tokens::Role> for Role {
    fn from(role: tokens::Role) -> Role {
        match role {
            tokens::Role::Viewer => Role::Viewer,
            tokens::Role::Stopper => Role::Stopper,
            tokens::Role::Operator => Role::Operator,
            tokens::Role::Admin => Role::Admin,
            tokens::Role::Server => Role::Server,
        }
    }
}

impl From<ChangeSource> for history::ChangeSource {
    fn from(source: ChangeSource) -> history::ChangeSource {
        match source {
            ChangeSource::File => history::ChangeSource::File,
            ChangeSource::Api => history::ChangeSource::Api,
            ChangeSource::Expire => history::ChangeSource::Expire,
            ChangeSource::Accept => history::ChangeSource::Accept,
            ChangeSource::Upgrade => history::ChangeSource::Upgrade,
        }
    }
}

impl From<Action> for ActionName {
    fn from(action: Action) -> ActionName {
        match action {
            Action::Define => ActionName::Define,
            Action::Set => ActionName::Set,
            Action::Unset => ActionName::Unset,
            Action::Stop => ActionName::Stop,
            Action::Resume => ActionName::Resume,
            Action::Rollback { .. } => ActionName::Rollback,
            Action::Expire => ActionName::Expire,
            Action::Remove => ActionName::Remove,
            Action::Create => ActionName::Create,
            Action::Revoke => ActionName::Revoke,
        }
    }
}

impl From<&Subject> for SubjectKind {
    fn from(subject: &Subject) -> SubjectKind {
        match subject {
            Subject::Flag(_) => SubjectKind::Flag,
            Subject::Segment(_) => SubjectKind::Segment,
            Subject::Credential(_) => SubjectKind::Credential,
        }
    }
}

#[allow(clippy::unwrap_used)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_messages_as_in_what_is_stored() {
        for role in Role::ALL {
            assert_eq!(tokens::Role::from(role).as_str(), role.as_str());
            assert_eq!(Role::from(tokens::Role::from(role)), role);
        }
        for source in history::ChangeSource::ALL {
            let stored = ChangeSource::parse(source.as_str()).unwrap();
            assert_eq!(history::ChangeSource::from(stored), source);
        }
        for kind in SubjectKind::ALL {
            let subject = Subject::parse(kind.as_str(), "events").unwrap();
            assert_eq!(SubjectKind::from(&subject), kind);
        }
        for action in [Action::Define, Action::Set, Action::Rollback { to: 1 }, Action::Revoke] {
            assert_eq!(ActionName::from(action).as_str(), action.as_str());
        }
    }
}
