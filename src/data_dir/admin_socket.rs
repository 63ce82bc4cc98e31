//! `admin.socket`: the name of the socket by which programs of the same user on this machine reach
//! the running server.
//!
//! The socket has a name and no file (an abstract socket of Linux): a folder with a socket in it
//! cannot be copied by every tool or lie on every volume, and its path may be too long for one.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{DataDir, replace};

const FILE: &str = "admin.socket";
/// What the names of these sockets begin with; random hex digits follow.
const PREFIX: &str = "turnout-admin-";

/// The name of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketName(String);

/// The socket that a data folder names, and the user whose server it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSocket {
    pub name: SocketName,
    pub owner: u32,
}

impl SocketName {
    /// `random` is hex digits, enough of them that no other program has the name.
    pub fn new(random: &str) -> SocketName {
        SocketName(format!("{PREFIX}{random}"))
    }

    fn parse(text: &str) -> Option<SocketName> {
        let random = text.strip_prefix('@')?.strip_prefix(PREFIX)?;
        (random.len() >= 32 && random.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .then(|| SocketName::new(random))
    }

    /// As a path that the system takes for a name and not for a file.
    pub fn as_path(&self) -> PathBuf {
        format!("\0{}", self.0).into()
    }
}

impl NamedSocket {
    /// The socket that this data folder names. `None` where there is none, or where another user
    /// than the folder's owner, or than `user`, wrote the name.
    pub fn read(data: &Path, user: u32) -> Option<NamedSocket> {
        let path = data.join(FILE);
        let (of_folder, of_file) =
            (fs::metadata(data).ok()?.uid(), fs::symlink_metadata(&path).ok()?);
        let owner = of_file.uid();
        let is_trusted = of_file.is_file() && (owner == of_folder || owner == user);
        let name = SocketName::parse(fs::read_to_string(path).ok().filter(|_| is_trusted)?.trim())?;
        Some(NamedSocket { name, owner })
    }
}

impl DataDir {
    /// Names the socket of this server; whole or not at all.
    pub fn write_admin_socket(&self, name: &SocketName) -> io::Result<()> {
        replace(&self.path.join(FILE), |file| writeln!(file, "@{}", name.0))
    }

    /// Removes the name of the socket of an earlier server, or of this one.
    pub fn remove_admin_socket(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes the name of this server's socket, and leaves that of another server.
    pub fn remove_own_admin_socket(&self, own: &SocketName) -> io::Result<()> {
        let found = fs::read_to_string(self.path.join(FILE)).unwrap_or_default();
        if SocketName::parse(found.trim()).as_ref() == Some(own) {
            self.remove_admin_socket()
        } else {
            Ok(())
        }
    }
}
