//! Wiring, and the order of start and stop. Floor 4.
//!
//! Start: bind, read the folder, make what it says live, and only then accept and watch: a taken port is said at once, and the first
//! answer is already the right one.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Access, Config, SessionKeys};
use crate::control::{Change, Corridor};
use crate::definition::Contents;
use crate::folder::Folder;
use crate::http::{self, Server, Surface};
use crate::telemetry;
use crate::token::{Fresh, Gate, ServerKeys, Sessions};
use crate::watch::Watch;

/// A running service.
#[derive(Debug)]
pub struct App {
    corridor: Arc<Corridor>,
    server: Server,
    watch: Watch,
    _fresh: Vec<Fresh>,
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
        let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(listen)?;

        let corridor = Arc::new(Corridor::new(config.server_auth));
        let mut folder = Folder::new(&config.flags, config.internal_user_ids);
        let contents = folder.read();
        take_in(&corridor, &config.flags, contents.clone());
        let (gate, fresh) = open_gate(&config.access).await;
        let routes = http::routes(Surface::of(&corridor).behind(gate));
        let routes = http::for_pages_of(&config.access.cors_origins, routes, Surface::of(&corridor));
        let server = http::serve(listener, routes).map_err(listen)?;

        let watched = corridor.clone();
        let deliver = move |contents| take_in(&watched, &config.flags, contents);
        let watch = Watch::start(folder, contents, deliver).map_err(StartError::Watch)?;
        Ok(App { corridor, server, watch, _fresh: fresh })
    }

    /// Where clients ask.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
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

/// Reads what credentials are checked with, and keeps it fresh. Without good keys the gate opens for none of their credentials.
async fn open_gate(access: &Access) -> (Gate, Vec<Fresh>) {
    let mut gate = Gate { unverified: access.unverified, ..Gate::default() };
    let mut fresh = Vec::new();
    if let Some(SessionKeys { source, pins }) = &access.session_keys {
        let sessions = Arc::new(Sessions::new(pins.clone()));
        fresh.push(Fresh::sessions(sessions.clone(), source, |report| telemetry::keys(&report)).await);
        gate.sessions = Some(sessions);
    }
    if let Some(source) = &access.server_keys {
        let keys = Arc::new(ServerKeys::default());
        fresh.push(Fresh::server_keys(keys.clone(), source, |report| telemetry::keys(&report)).await);
        gate.server_keys = Some(keys);
    }
    (gate, fresh)
}

/// Makes a reading of the folder live and says what came of it.
fn take_in(corridor: &Corridor, flags: &Path, contents: Contents) {
    let applied = corridor.apply(Change::Folder(contents.clone()));
    telemetry::applied(&applied);
    if applied.problems_changed {
        telemetry::problems(&corridor.problems().current(), &contents, flags);
    }
}
