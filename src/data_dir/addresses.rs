//! `addresses.json`: where a running server listens, for programs on the same machine. A port that
//! the system chose is found without reading a log.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DataDir, replace};
use crate::regular_file;

const NAME: &str = "addresses.json";
const MAX_BYTES: usize = 4096;

/// Both listeners of a server, as URLs that a program on this machine can connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    pub public: String,
    pub admin: String,
}

/// Why nothing was read from an `addresses.json` that exists.
#[derive(Debug, thiserror::Error)]
#[error("{} does not hold the addresses of a server", .0.display())]
pub struct AddressesError(PathBuf, #[source] serde_json::Error);

impl Addresses {
    pub fn of(public: SocketAddr, admin: SocketAddr) -> Addresses {
        Addresses { public: local_url(public), admin: local_url(admin) }
    }

    /// The addresses in this data folder; `None` when no server runs there, or when the folder may
    /// not be read.
    pub fn read(data: &Path) -> Result<Option<Addresses>, AddressesError> {
        let path = data.join(NAME);
        let Ok(Some(text)) = regular_file::read(&path, MAX_BYTES) else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|error| AddressesError(path, error))
    }
}

impl DataDir {
    fn addresses(&self) -> PathBuf {
        self.path.join(NAME)
    }

    /// Says where this server listens; whole or not at all.
    pub fn write_addresses(&self, addresses: &Addresses) -> io::Result<()> {
        replace(&self.addresses(), |file| {
            serde_json::to_writer(&mut *file, addresses)?;
            file.write_all(b"\n")
        })
    }

    /// Removes what an earlier server left: it listens no more.
    pub fn remove_stale_addresses(&self) -> io::Result<()> {
        match fs::remove_file(self.addresses()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what this server wrote, and leaves what another one wrote meanwhile.
    pub fn remove_own_addresses(&self, own: &Addresses) -> io::Result<()> {
        match Addresses::read(&self.path) {
            Ok(Some(found)) if found == *own => self.remove_stale_addresses(),
            _ => Ok(()),
        }
    }
}

/// A listener on every address of the machine is reached through its loopback address.
fn local_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_named_by_loopback() {
        let rows = [
            ("127.0.0.1:7070", "http://127.0.0.1:7070"),
            ("0.0.0.0:7070", "http://127.0.0.1:7070"),
            ("[::]:7070", "http://[::1]:7070"),
            ("[::1]:7070", "http://[::1]:7070"),
            ("192.0.2.7:80", "http://192.0.2.7:80"),
        ];
        for (bound, url) in rows {
            assert_eq!(bound.parse().map(local_url), Ok(url.to_owned()), "{bound}");
        }
    }
}
