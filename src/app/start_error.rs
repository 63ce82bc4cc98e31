//! Why the service did not start, and what to do about it.

use std::io;
use std::net::SocketAddr;

use crate::control::StartupError;
use crate::data_dir::DataError;

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, flag: &'static str, source: io::Error },
    #[error("cannot start another thread")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Coordinator(#[from] StartupError),
}

impl StartError {
    /// What the operator can do about the error.
    pub fn hint(&self) -> String {
        match self {
            StartError::Listen { source, flag, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    format!("another program has this port; stop it, or choose another with {flag}")
                }
                io::ErrorKind::PermissionDenied => {
                    format!("ports below 1024 need rights; choose another with {flag}")
                }
                io::ErrorKind::AddrNotAvailable => {
                    format!("this machine has no such address; choose another with {flag}")
                }
                _ => format!("choose another address with {flag}"),
            },
            StartError::Thread(_) => "the system gives no more threads; raise its limit".to_owned(),
            StartError::Data(DataError::InUse(_)) => {
                "stop it, or choose another folder with --data".to_owned()
            }
            StartError::Data(_) => {
                "fix its permissions, or choose another folder with --data".to_owned()
            }
            StartError::Coordinator(StartupError::NothingToAccept(_)) => {
                "bring the database back first, or start without --accept-database".to_owned()
            }
            StartError::Coordinator(StartupError::NotAccepted(_)) => {
                "nothing of it is served; see to the cause, or start without --accept-database"
                    .to_owned()
            }
            StartError::Coordinator(StartupError::NewData(_)) => {
                "see whether the right volume is there, or start once with --new-data allow"
                    .to_owned()
            }
        }
    }
}
