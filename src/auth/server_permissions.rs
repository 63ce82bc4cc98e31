//! What a server key may do: everything, or what its line in the file ends in.

use crate::flag::FlagKey;

/// Says that a word is a flag's key, also where the flag has the name of an action.
const FLAG_PREFIX: &str = "flag:";

/// What servers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerAction {
    /// Ask for strategies, and read feeds.
    Ask,
    /// Publish to streams, and remove them.
    Publish,
    /// Make and revoke sessions.
    Sessions,
}

/// What one key may do. The default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerPermissions {
    /// Empty is every action.
    actions: Vec<ServerAction>,
    /// Empty is every flag.
    flags: Vec<FlagKey>,
}

/// Why a key may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPermitted {
    Action(ServerAction),
    /// The key reaches other flags only.
    Flag,
}

impl ServerAction {
    pub const ALL: [ServerAction; 3] =
        [ServerAction::Ask, ServerAction::Publish, ServerAction::Sessions];

    pub fn as_str(self) -> &'static str {
        match self {
            ServerAction::Ask => "ask",
            ServerAction::Publish => "publish",
            ServerAction::Sessions => "sessions",
        }
    }
}

impl ServerPermissions {
    /// Reads the words a line ends in: actions, and the keys of flags. `None` if a word is neither.
    pub fn read<'w>(words: impl Iterator<Item = &'w str>) -> Option<ServerPermissions> {
        let mut permissions = ServerPermissions::default();
        for word in words {
            if let Some(flag) = word.strip_prefix(FLAG_PREFIX) {
                permissions.flags.push(flag.parse().ok()?);
                continue;
            }
            match ServerAction::ALL.into_iter().find(|action| action.as_str() == word) {
                Some(action) => permissions.actions.push(action),
                // Who writes the key itself here, or another hash, must not be taken to mean a flag.
                None if looks_like_a_secret(word) => return None,
                None => permissions.flags.push(word.parse().ok()?),
            }
        }
        Some(permissions)
    }

    /// Whether the key may do this to one flag, or, with `None`, to all of them.
    pub fn check(&self, action: ServerAction, flag: Option<&str>) -> Result<(), NotPermitted> {
        if !self.actions.is_empty() && !self.actions.contains(&action) {
            return Err(NotPermitted::Action(action));
        }
        let reaches = |flag: &str| self.flags.iter().any(|known| known.as_str() == flag);
        if self.flags.is_empty() || flag.is_some_and(reaches) {
            Ok(())
        } else {
            Err(NotPermitted::Flag)
        }
    }
}

fn looks_like_a_secret(word: &str) -> bool {
    const HEX_DIGITS: usize = 32;
    word.len() >= HEX_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_do_what_its_line_ends_in() {
        use ServerAction::{Ask, Publish, Sessions};
        const FLAG: Result<(), NotPermitted> = Err(NotPermitted::Flag);
        for (words, action, flag, expected) in [
            ("", Ask, Some("chat"), Ok(())),
            ("", Sessions, None, Ok(())),
            ("ask", Ask, None, Ok(())),
            ("ask", Publish, Some("chat"), Err(NotPermitted::Action(Publish))),
            ("ask publish", Publish, Some("chat"), Ok(())),
            ("chat", Publish, Some("chat"), Ok(())),
            ("chat", Ask, Some("mail"), FLAG),
            ("chat", Ask, None, FLAG),
            ("publish chat mail", Publish, Some("mail"), Ok(())),
            ("publish chat", Ask, Some("chat"), Err(NotPermitted::Action(Ask))),
            ("flag:chat", Ask, Some("chat"), Ok(())),
            ("flag:publish", Ask, Some("publish"), Ok(())),
            ("flag:publish", Publish, Some("chat"), FLAG),
            ("publish flag:ask", Publish, Some("ask"), Ok(())),
            ("publish flag:ask", Ask, Some("ask"), Err(NotPermitted::Action(Ask))),
            ("ask", Ask, Some("ask"), Ok(())),
            ("flag:sessions flag:ask mail", Sessions, Some("mail"), Ok(())),
        ] {
            let read = ServerPermissions::read(words.split_ascii_whitespace());
            assert_eq!(read.map(|read| read.check(action, flag)), Some(expected), "{words}");
        }
        for bad in ["Ask", "flag:", "flag:Ask", "flag:flag:ask", "flag", "flags:ask", "ask:chat"] {
            // `flag` is the key of a flag as any other.
            let read = ServerPermissions::read([bad].into_iter());
            assert_eq!(read.is_some(), bad == "flag", "{bad}");
        }
        let key = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(ServerPermissions::read([key].into_iter()), None, "a key is no flag");
    }
}
