//! Wiring, and the order of start and stop. Floor 4.
//!
//! Start: bind, read the folder, make what it says live, and only then accept and watch: a taken port is said at once, and the first
//! answer is already the right one.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::config::{Access, Config, SessionKeys};
use crate::control::{Change, Corridor};
use crate::definition::Contents;
use crate::folder::Folder;
use crate::http::{self, AdminSurface, Limits, Server, Surface};
use crate::open_files;
use crate::telemetry;
use crate::token::{Fresh, Gate, ServerKeys, Sessions};
use crate::watch::{Mode, Watch};

/// A running service.
#[derive(Debug)]
pub struct App {
    corridor: Arc<Corridor>,
    server: Server,
    watch: Watch,
    admin: Admin,
    _fresh: Vec<Fresh>,
}

/// The admin listener, on a thread and runtime of its own: it answers however busy the public one is.
#[derive(Debug)]
struct Admin {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, flag: &'static str, source: io::Error },
    #[error("cannot start another thread")]
    Thread(#[source] io::Error),
}

impl StartError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            StartError::Listen { source, flag, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => format!("another program has this port; stop it, or choose another with {flag}"),
                io::ErrorKind::PermissionDenied => format!("ports below 1024 need rights; choose another with {flag}"),
                io::ErrorKind::AddrNotAvailable => format!("this machine has no such address; choose another with {flag}"),
                _ => format!("choose another address with {flag}"),
            },
            StartError::Thread(_) => "the system gives no more threads; raise its limit".to_owned(),
        }
    }
}

impl App {
    pub async fn start(config: Config) -> Result<App, StartError> {
        let listen = |source| StartError::Listen { address: config.listen, flag: "--listen", source };
        let listener = http::bind(config.listen).map_err(listen)?;
        let listen_admin = |source| StartError::Listen { address: config.admin_listen, flag: "--admin-listen", source };
        let admin_listener = TcpListener::bind(config.admin_listen).map_err(listen_admin)?;
        let files = open_files::raise();
        let limits = Limits { connections: config.limits.connections.min(files.connections()), ..config.limits };
        telemetry::capacity(limits.connections, files);

        let corridor = Arc::new(Corridor::new(config.server_auth));
        let mut folder = Folder::new(&config.flags, config.internal_user_ids);
        let contents = folder.read();
        take_in(&corridor, &config.flags, contents.clone());
        let (gate, fresh) = open_gate(&config.access).await;
        let surface = Surface::of(&corridor).behind(gate);
        let routes = http::for_pages_of(&config.access.cors_origins, http::routes(surface.clone()), surface.clone());
        let server = http::serve(listener, routes, limits).map_err(listen)?;

        let watched = corridor.clone();
        let flags = config.flags.display().to_string();
        let deliver = move |contents| take_in(&watched, &config.flags, contents);
        let watch = Watch::start(folder, contents, deliver).map_err(StartError::Thread)?;
        let admin = Admin::start(admin_listener, AdminSurface { public: surface, watch: watch.mode(), flags })?;
        Ok(App { corridor, server, watch, admin, _fresh: fresh })
    }

    /// Where clients ask.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where operators look.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// How many connections clients have open.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    pub fn corridor(&self) -> &Arc<Corridor> {
        &self.corridor
    }

    /// How changes of the flags folder are noticed.
    pub fn watch_mode(&self) -> Mode {
        self.watch.mode()
    }

    /// Lets requests under way end; returns after 5 s at the latest.
    pub async fn stop(self) {
        drop(self.watch);
        self.server.stop().await;
        // It answers until the last client was served. Its thread ends by itself; nothing is lost if it is slow.
        let _ = self.admin.stop.send(());
        let _ = tokio::task::spawn_blocking(|| self.admin.thread.join()).await;
    }
}

impl Admin {
    fn start(listener: TcpListener, surface: AdminSurface) -> Result<Admin, StartError> {
        let address = listener.local_addr().map_err(StartError::Thread)?;
        listener.set_nonblocking(true).map_err(StartError::Thread)?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let server = http::serve(listener, http::admin_routes(surface), Limits::default())?;
            let _ = stopped.await;
            server.stop().await;
            io::Result::Ok(())
        };
        let run = move || {
            if let Err(error) = runtime.block_on(serve) {
                telemetry::say(&format!("the admin listener ended: {error}"));
            }
        };
        let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(run).map_err(StartError::Thread)?;
        Ok(Admin { address, stop, thread })
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
