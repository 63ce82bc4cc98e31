//! Finds a server that runs on this machine: by what the command line or the environment names,
//! else by `addresses.json` of its data folder, else at the default address.

use std::path::Path;

use super::http_client::CliError;
use crate::data_dir::Addresses;

/// Which listener is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Public,
    Admin,
}

/// The URL to ask. `said` is what the command line or the environment names; an empty text counts
/// as absent.
pub fn url(said: Option<&str>, data: &Path, listener: Listener) -> Result<String, CliError> {
    if let Some(said) = said.filter(|said| !said.is_empty()) {
        return Ok(said.to_owned());
    }
    let (option, default) = match listener {
        Listener::Public => ("--url", "http://127.0.0.1:7070"),
        Listener::Admin => ("--server", "http://127.0.0.1:7071"),
    };
    let hint = |error| {
        CliError::failed(format!("{error}; restart the server, or say with {option} where to ask"))
    };
    Ok(match (Addresses::read(data).map_err(hint)?, listener) {
        (None, _) => default.to_owned(),
        (Some(Addresses { public, .. }), Listener::Public) => public,
        (Some(Addresses { admin, .. }), Listener::Admin) => admin,
    })
}

/// Whether the server to ask is the one of this data folder: no other was named, or its own address
/// was.
pub fn is_of(data: &Path, server: &str, said: Option<&str>) -> bool {
    let own = || Addresses::read(data).ok().flatten().map(|addresses| addresses.admin);
    said.is_none_or(str::is_empty) || own().is_some_and(|own| own == server.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_address_is_used_where_none_is_named() {
        for (listener, default) in [
            (Listener::Public, "http://127.0.0.1:7070"),
            (Listener::Admin, "http://127.0.0.1:7071"),
        ] {
            for said in [None, Some("")] {
                assert_eq!(
                    url(said, Path::new("/nowhere"), listener).ok().as_deref(),
                    Some(default)
                );
            }
            assert_eq!(
                url(Some("http://h:1"), Path::new("/nowhere"), listener).ok().as_deref(),
                Some("http://h:1")
            );
        }
    }
}
