//! What an entry is about, in a part of it that has a checksum of its own: one key a line.
//!
//! A flag stands there as it is, a credential by its id behind an `@`; `*` is every flag, `@*` every
//! credential. No flag has such a key, so the builds before, which named no credentials, pass those
//! lines over.

use super::layout::DOUBT;
use crate::flag::FlagKey;
use crate::ledger::{CredentialId, Doubt, Doubted};

const OF_CREDENTIAL: char = '@';
const EVERY: &str = "*";

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    pub flags: Doubted<FlagKey>,
    pub credentials: Doubted<CredentialId>,
    /// Whether it names nothing at all.
    pub is_silent: bool,
}

impl Keys {
    pub fn text(&self) -> String {
        let flags = match &self.flags {
            Doubted::None => Vec::new(),
            Doubted::These(flags) => flags.iter().map(ToString::to_string).collect(),
            Doubted::All => vec![EVERY.to_owned()],
        };
        let credentials = match &self.credentials {
            Doubted::None => Vec::new(),
            Doubted::These(ids) => ids.iter().map(|id| format!("{OF_CREDENTIAL}{id}")).collect(),
            Doubted::All => vec![format!("{OF_CREDENTIAL}{EVERY}")],
        };
        [flags, credentials].concat().join("\n")
    }

    /// `None` where they are no text. Of an entry that names nothing, and of a doubt about every
    /// flag, a build before may have meant credentials, which it did not name: then it is about any
    /// of them.
    pub fn parse(text: &[u8], kind: u16) -> Option<Keys> {
        let text = std::str::from_utf8(text).ok()?;
        let (mut flags, mut credentials) = (Vec::new(), Vec::new());
        let (mut every_flag, mut every_credential) = (false, text.is_empty());
        for key in text.split('\n') {
            match key.strip_prefix(OF_CREDENTIAL) {
                Some(EVERY) => every_credential = true,
                // An id that does not read may be any.
                Some(id) => match id.parse::<CredentialId>() {
                    Ok(id) => credentials.push(id),
                    Err(_) => every_credential = true,
                },
                None if key == EVERY => every_flag = true,
                // A key that a newer build permits is a flag that this one does not serve.
                None => flags.extend(key.parse::<FlagKey>().ok()),
            }
        }
        every_credential |= every_flag && kind == DOUBT;
        Some(Keys {
            flags: if every_flag { Doubted::All } else { flags.into_iter().collect() },
            credentials: if every_credential {
                Doubted::All
            } else {
                credentials.into_iter().collect()
            },
            is_silent: text.is_empty(),
        })
    }

    pub fn doubt(self) -> Doubt {
        Doubt { flags: self.flags, credentials: self.credentials }
    }
}
