//! Wiring, and the order of start and stop. Floor 4.
//!
//! Start: bind, read the folder, make what it says live, and only then accept and watch: a taken port is said at once, and the first
//! answer is already the right one.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::control::{Change, Corridor};
use crate::definition::Contents;
use crate::folder::Folder;
use crate::http::{self, Limits, Server, Surface};
use crate::open_files;
use crate::telemetry;
use crate::watch::Watch;

/// A running service.
#[derive(Debug)]
pub struct App {
    corridor: Arc<Corridor>,
    server: Server,
    watch: Watch,
}

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start the thread that watches the flags folder")]
    Watch(#[source] io::Error),
}

impl StartError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            StartError::Listen { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program has this port; stop it, or choose another with --listen 127.0.0.1:0"
                }
                io::ErrorKind::PermissionDenied => "ports below 1024 need rights; choose another with --listen",
                io::ErrorKind::AddrNotAvailable => "this machine has no such address; choose another with --listen",
                _ => "choose another address with --listen",
            },
            StartError::Watch(_) => "the system gives no more threads; raise its limit",
        }
    }
}

impl App {
    pub async fn start(config: Config) -> Result<App, StartError> {
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = http::bind(config.listen).map_err(listen)?;
        let files = open_files::raise();
        let limits = Limits { connections: config.limits.connections.min(files.connections()), ..config.limits };
        telemetry::capacity(limits.connections, files);

        let corridor = Arc::new(Corridor::new(config.server_auth));
        let mut folder = Folder::new(&config.flags, config.internal_user_ids);
        let contents = folder.read();
        take_in(&corridor, &config.flags, contents.clone());
        let server = http::serve(listener, http::routes(Surface::of(&corridor)), limits).map_err(listen)?;

        let watched = corridor.clone();
        let deliver = move |contents| take_in(&watched, &config.flags, contents);
        let watch = Watch::start(folder, contents, deliver).map_err(StartError::Watch)?;
        Ok(App { corridor, server, watch })
    }

    /// Where clients ask.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many connections clients have open.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    pub fn corridor(&self) -> &Arc<Corridor> {
        &self.corridor
    }

    /// Lets requests under way end; returns after 5 s at the latest.
    pub async fn stop(self) {
        drop(self.watch);
        self.server.stop().await;
    }
}

/// Makes a reading of the folder live and says what came of it.
fn take_in(corridor: &Corridor, flags: &Path, contents: Contents) {
    let applied = corridor.apply(Change::Folder(contents.clone()));
    telemetry::applied(&applied);
    if applied.problems_changed {
        telemetry::problems(&corridor.problems().current(), &contents, flags);
    }
}
