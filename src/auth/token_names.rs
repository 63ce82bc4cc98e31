//! Which token names could be mistaken for another: the history shows names, and people read them
//! at a glance.

/// The name by which the data folder's own credential stands in the history.
pub const LOCAL_ADMIN: &str = "local-admin";

/// Names for actors that are not credentials: those that Turnout itself acts as, now or in future,
/// and parts of it. `self` is the token that is shown.
const RESERVED: [&str; 29] = [
    LOCAL_ADMIN,
    "local",
    "admin.token",
    "self",
    "turnout",
    "system",
    "server",
    "service",
    "node",
    "coordinator",
    "unknown",
    "anonymous",
    "file",
    "folder",
    "journal",
    "database",
    "last-good",
    "recovery",
    "accept",
    "accept-database",
    "upgrade",
    "expire",
    "expiry",
    "api",
    "apply",
    "plan",
    "guard",
    "alert",
    "webhook",
];

/// The reserved name that this one reads as, if any: in whatever case, with whatever separators,
/// with look-alike letters, as a plural.
///
/// ```
/// use turnout::auth::token_names::reserved;
/// assert_eq!(reserved("Local_Admin"), Some("local-admin"));
/// assert_eq!(reserved("oncall"), None);
/// ```
pub fn reserved(name: &str) -> Option<&'static str> {
    let read = skeleton(name);
    RESERVED.into_iter().find(|own| skeleton(own) == read)
}

/// Whether two names are hard to distinguish: they differ only in case, or in the separators
/// between their parts.
pub fn are_alike(one: &str, other: &str) -> bool {
    let shown = |byte: u8| if is_separator(byte) { b'-' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.bytes().map(shown).eq(other.bytes().map(shown))
}

/// What a reader in a hurry sees of a name.
fn skeleton(name: &str) -> Vec<u8> {
    let shape = |byte: u8| match byte.to_ascii_lowercase() {
        b'0' => b'o',
        b'1' | b'i' => b'l',
        b'5' => b's',
        letter => letter,
    };
    let mut read: Vec<u8> = name.bytes().filter(|byte| !is_separator(*byte)).map(shape).collect();
    while read.len() > 1 && read.ends_with(b"s") {
        read.pop();
    }
    read
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'-' | b'_' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_read_as_turnouts_own_are_reserved() {
        for own in RESERVED {
            let ways: [String; 6] = [
                own.to_owned(),
                own.to_ascii_uppercase(),
                format!("{own}s"),
                format!("-{}_", own.replace('-', ".")),
                own.replace(['-', '.'], ""),
                own.replace('l', "1").replace('i', "l").replace('o', "0"),
            ];
            for name in ways {
                assert!(reserved(&name).is_some(), "{name}");
            }
        }
        for (name, own) in [
            ("local.admin", LOCAL_ADMIN),
            ("LOCALADMIN", LOCAL_ADMIN),
            ("loca1-adm1n", LOCAL_ADMIN),
            ("Sys-tem", "system"),
        ] {
            assert_eq!(reserved(name), Some(own), "{name}");
        }
        for name in [
            "oncall",
            "admin",
            "anna",
            "ops",
            "ci",
            "deploy-server",
            "shop",
            "s",
            "files-of-anna",
            "planner",
            "web-1",
        ] {
            assert_eq!(reserved(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_differ_in_case_or_separators_alone_are_alike() {
        for (one, other, alike) in [
            ("on-call", "on_call", true),
            ("on.call", "ON-CALL", true),
            ("on-call", "oncall", false),
            ("1-11", "11-1", false),
            ("web-1", "web-2", false),
            ("a", "a", true),
        ] {
            assert_eq!(are_alike(one, other), alike, "{one} {other}");
        }
    }
}
