//! Wiring, and the order of start and stop. Floor 4.
//!
//! Start: lock the data folder, bind, read the flags folder, make its content live, and only then
//! accept connections and watch the folder. So a taken port is reported at once, and the first
//! answer is already the right one. `addresses.json` exists only while both listeners accept.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::auth::{
    AdminCredentials, Authenticator, Issuer, KeyRefresher, Report, ServerKeys, Sessions,
    random_name, random_number,
};
use crate::clock::Clock;
use crate::config::{AuthConfig, Config, SessionKeys};
use crate::control::{Coordinator, IssuerKeys, OpenOptions, Problem, ProblemKind, StartupError};
use crate::data_dir::{Addresses, DataDir, DataError, SocketName};
use crate::definition::{Finding, FlagFiles};
use crate::fd_limit;
use crate::feeds::{FeedProblem, FeedProblemKind, Feeds, FeedsOptions, Retention};
use crate::flag::FlagKey;
use crate::flag_files::{FlagsDir, Pulse};
use crate::flag_files::{Mode, Watch};
use crate::http::{self, AdminState, Limits, LocalServer, PublicState, Readings, Server};
use crate::telemetry;
use crate::thread_runtime::{COMMAND_THREAD, ThreadRuntime};
use crate::webhook::WebhookWorker;

/// How long to wait for a previous server that is ending to release the data folder.
const DATA_DIR_LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest wait for a thread with its own runtime to end.
const THREAD_STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest wait at the end for one file operation: the file of addresses, the flags folder.
const STOP_IO_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest wait for a listener to end. A listener has a limit of its own; this one counts when
/// the system holds up the listener's thread.
const LISTENER_STOP_TIMEOUT: Duration = Duration::from_secs(6);
/// The longest wait at the end for the last good state and the database.
const COORDINATOR_CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest wait at the end for events that are being published.
const FEEDS_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the flags folder may not answer at a start before the service starts without it.
const FOLDER_START_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the flags folder may not answer later before that is a problem, and how often the
/// service checks.
const FOLDER_HANG_TIMEOUT: Duration = Duration::from_secs(10);
const FOLDER_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How often mistakes of clients are reported.
const CLIENT_MISTAKES_INTERVAL: Duration = Duration::from_secs(1);

/// The step a start has reached, in words that follow "still starting: ".
pub type StartupPhase = watch::Sender<&'static str>;

/// A running service.
#[derive(Debug)]
pub struct App {
    coordinator: Coordinator,
    server: Server,
    watch: Watch,
    admin: Server,
    /// The admin listener on the socket that the data folder names, where a socket is possible.
    admin_socket: Option<(LocalServer, SocketName)>,
    /// Runs commands, expiries and retries. No reads run on this thread and it serves no
    /// connection.
    orders: ThreadRuntime,
    /// Serves the admin listener: reads requests, passes them on and writes responses.
    admin_thread: ThreadRuntime,
    readings: Arc<Readings>,
    webhook: Option<(WebhookWorker, ThreadRuntime)>,
    /// Reads and writes the database of events, and nothing else.
    feeds: (Feeds, ThreadRuntime),
    /// The data folder, and the addresses written there.
    announced: (Arc<DataDir>, Addresses),
    fresh: Vec<KeyRefresher>,
}

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

impl App {
    pub async fn start(config: Config) -> Result<App, StartError> {
        App::start_in_steps(config, StartupPhase::new("")).await
    }

    /// Starts the service and reports each step to `step`. Work that a disk or mount could block
    /// runs on other threads than this one.
    pub async fn start_in_steps(config: Config, step: StartupPhase) -> Result<App, StartError> {
        App::start_by(Clock::default(), config, step).await
    }

    /// Like `start_in_steps`, with the given clocks.
    pub async fn start_by(
        clock: Clock,
        config: Config,
        step: StartupPhase,
    ) -> Result<App, StartError> {
        step.send_replace("opening the data folder");
        let path = config.data.clone();
        let data = Arc::new(blocking(move || open_data(&path)).await?);
        let listen =
            |source| StartError::Listen { address: config.listen, flag: "--listen", source };
        let listener = http::bind(config.listen).map_err(listen)?;
        let listen_admin = |source| StartError::Listen {
            address: config.admin_listen,
            flag: "--admin-listen",
            source,
        };
        // The admin listener runs on its own runtime.
        let admin_listener = http::bind(config.admin_listen)
            .and_then(|bound| bound.into_std())
            .map_err(listen_admin)?;
        let files = fd_limit::raise();
        let limits = Limits {
            connections: config.limits.connections.min(files.connections()),
            ..config.limits
        };
        telemetry::capacity(limits.connections, files);

        let orders = ThreadRuntime::start(COMMAND_THREAD).map_err(StartError::Thread)?;
        let admin_thread = ThreadRuntime::start("admin").map_err(StartError::Thread)?;
        step.send_replace("reading the flags folder");
        let (folder, contents) = read_first(&config).await;
        step.send_replace("opening the database");
        let opening = OpenOptions {
            data: data.clone(),
            contents: contents.clone(),
            server_auth: config.server_auth,
            public_path: config.public_path,
            clock,
            accept_database: config.accept_database,
            may_be_new: config.may_be_new,
            observer: telemetry::news,
        };
        let coordinator = orders.run(Coordinator::open(opening)).await?;
        let (first, of_folder, flags) =
            (coordinator.clone(), contents.clone(), config.flags.clone());
        orders.run(async move { ingest_folder(&first, &flags, &of_folder).await }).await;

        step.send_replace("finding the place of the webhook");
        let (webhook, deliveries) = match config.webhook {
            Some(hook) => {
                // The webhook reads revisions of any size, so it has its own thread.
                let thread = ThreadRuntime::start("webhook").map_err(StartError::Thread)?;
                let (follower, deliveries) =
                    thread.run(WebhookWorker::start(coordinator.clone(), hook)).await;
                (Some((follower, thread)), Some(deliveries))
            }
            None => (None, None),
        };

        step.send_replace("opening the database of events");
        let feeds = open_feeds(&coordinator, config.events_max_bytes).await?;

        let operators =
            AdminCredentials::new(coordinator.local_admin().clone(), coordinator.credentials());
        step.send_replace("reading the keys of credentials");
        let (coordinator_of_keys, listed) =
            (coordinator.clone(), config.access.issuer_keys.clone());
        let issuer_keys = admin_thread
            .run(async move {
                IssuerKeys::open(coordinator_of_keys, Arc::new(Issuer::default()), listed).await
            })
            .await;
        let issuer = issuer_keys.issuer().clone();
        let (authenticator, fresh) =
            open_authenticator(&config.access, operators.clone(), issuer, &coordinator).await;
        step.send_replace("opening the listeners");
        let surface = PublicState::of(
            &coordinator,
            config.streams.within(limits.connections),
            authenticator,
            config.access.trusted_proxies.clone(),
            feeds.0.clone(),
        );
        let routes = http::routes(surface.clone(), &config.access.cors_origins);
        let server = http::serve(listener, routes, limits).map_err(listen)?;

        let flags = config.flags.display().to_string();
        // A newer reading replaces an older one that was not ingested yet: each reading holds the
        // whole folder.
        let (newest, contents_read) = watch::channel(Arc::new(contents.clone()));
        let report = move |findings: &[Finding], contents: &FlagFiles| {
            telemetry::problems(findings, contents, &config.flags);
        };
        orders.handle().spawn(coordinator.clone().follow_folder(contents_read, report));
        let deliver = move |contents| drop(newest.send_replace(Arc::new(contents)));
        let watch = Watch::start(folder, contents, deliver).map_err(StartError::Thread)?;
        admin_thread.handle().spawn(report_client_mistakes(coordinator.clone(), surface.clone()));
        admin_thread.handle().spawn(report_silence(
            coordinator.clone(),
            watch.pulse(),
            flags.clone(),
        ));
        let admin_address = admin_listener.local_addr().map_err(listen_admin)?;
        let readings = Arc::new(Readings::default());
        let admin = AdminState {
            public: surface,
            coordinator: coordinator.clone(),
            issuer_keys,
            orders: orders.handle().clone(),
            readings: readings.clone(),
            operators,
            watch: watch.mode(),
            deliveries,
            flags,
            address: admin_address,
            on_loopback: config.admin_listen.ip().is_loopback(),
            held: server.held().clone(),
            requests: http::request_counts(),
            contract: http::admin_contract(),
            scrapes: Arc::default(),
        };
        let of_socket = serve_admin_socket(data.clone(), admin.clone());
        let admin = admin_thread
            .run(async move { serve_admin(admin_listener, admin) })
            .await
            .map_err(StartError::Thread)?;
        let admin_socket = admin_thread.run(of_socket).await;
        let addresses = Addresses::of(server.address(), admin.address());
        let announced = announce(data, addresses, config.data).await;
        Ok(App {
            coordinator,
            server,
            watch,
            admin,
            admin_socket,
            orders,
            admin_thread,
            readings,
            webhook,
            feeds,
            announced,
            fresh,
        })
    }

    /// The address of the public listener.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The address of the admin listener.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// How many client connections are open.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    pub fn feeds(&self) -> &Feeds {
        &self.feeds.0
    }

    pub fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// The values that operators read, such as metrics and status.
    pub fn readings(&self) -> &Arc<Readings> {
        &self.readings
    }

    /// How the service notices changes of the flags folder.
    pub fn watch_mode(&self) -> Mode {
        self.watch.mode()
    }

    /// Ends at once, like a kill: nothing more is written.
    pub async fn abandon(self) {
        let App {
            coordinator,
            server,
            watch,
            admin,
            orders,
            admin_thread,
            readings,
            webhook,
            feeds,
            ..
        } = self;
        drop((coordinator, watch));
        readings.close();
        orders.close().await;
        admin_thread.close().await;
        if let Some((follower, thread)) = webhook {
            drop(follower);
            thread.close().await;
        }
        feeds.1.close().await;
        drop((server, admin));
    }

    /// Reads the flags folder and the key files and key URLs now, and logs what came of the keys.
    pub fn reload(&self) {
        self.watch.look_now();
        self.fresh.iter().for_each(KeyRefresher::look_now);
    }

    /// Lets running requests finish, for at most 5 s. Parts that hang are left behind, each after a
    /// limit of its own; the whole stop takes at most 18 s.
    pub async fn stop(self) {
        let App {
            coordinator,
            server,
            watch,
            admin,
            admin_socket,
            orders,
            admin_thread,
            readings,
            webhook,
            feeds: (feeds, feeds_thread),
            announced,
            ..
        } = self;
        let (data, addresses) = announced;
        let (socket, name) = admin_socket.unzip();
        let forget = move || {
            (
                data.remove_own_addresses(&addresses),
                name.map(|name| data.remove_own_admin_socket(&name)),
            )
        };
        let _ = timeout(STOP_IO_TIMEOUT, blocking(forget)).await;
        let _ = timeout(2 * STOP_IO_TIMEOUT, blocking(move || drop(watch))).await;
        let _ = timeout(LISTENER_STOP_TIMEOUT, server.stop()).await;
        // The socket answers until the last client was served.
        let stop_socket = async move {
            if let Some(socket) = socket {
                socket.stop().await;
            }
        };
        let stop_admin = async move { tokio::join!(admin.stop(), stop_socket) };
        let _ = timeout(LISTENER_STOP_TIMEOUT, admin_thread.run(stop_admin)).await;
        readings.close();
        let _ = timeout(FEEDS_CLOSE_TIMEOUT, feeds.close()).await;
        // Changes that were not delivered yet are delivered after the next start.
        let (follower, webhook) = webhook.unzip();
        drop(follower);
        let _ = timeout(
            COORDINATOR_CLOSE_TIMEOUT,
            orders.run(async move { coordinator.close().await }),
        )
        .await;
        let threads = [Some(orders), Some(admin_thread), webhook, Some(feeds_thread)]
            .into_iter()
            .flatten()
            .map(ThreadRuntime::close);
        let closing: Vec<_> = threads.map(tokio::spawn).collect();
        let closed = async {
            for thread in closing {
                let _ = thread.await;
            }
        };
        let _ = timeout(THREAD_STOP_TIMEOUT, closed).await;
    }
}

/// Runs work that may wait for a disk or mount on a thread where nothing else waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Nothing aborts the task, so it panicked: the panic goes on here.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn open_data(path: &Path) -> Result<DataDir, DataError> {
    // The previous server may be ending.
    let end = Instant::now() + DATA_DIR_LOCK_TIMEOUT;
    let data = loop {
        match DataDir::open(path) {
            Err(DataError::InUse(_)) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(20));
            }
            opened => break opened?,
        }
    };
    if let Err(error) = data.remove_stale_addresses() {
        telemetry::stale_addresses(path, &error);
    }
    Ok(data)
}

/// Reads the flags folder for the first time. After `FOLDER_START_TIMEOUT` the service starts
/// without the folder: its files go live when it answers, and the last known state is served until
/// then.
async fn read_first(config: &Config) -> (FlagsDir, FlagFiles) {
    let anew = || FlagsDir::new(&config.flags, config.internal_user_ids.clone());
    let mut folder = anew();
    let pulse = folder.pulse();
    let mut reading = tokio::task::spawn_blocking(move || {
        let contents = folder.read();
        (folder, contents)
    });
    let mut seen = pulse.of_reading();
    loop {
        match timeout(FOLDER_START_TIMEOUT, &mut reading).await {
            Ok(Ok(read)) => return read,
            Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Err(_) if pulse.of_reading() != seen => seen = pulse.of_reading(),
            Err(_) => {
                let why = format!("{} does not answer", config.flags.display());
                let internal_user_ids = config.internal_user_ids.clone();
                return (
                    anew(),
                    FlagFiles { unreadable: Some(why), internal_user_ids, ..FlagFiles::default() },
                );
            }
        }
    }
}

/// Reports a problem while the disk or mount of the flags folder hangs.
async fn report_silence(coordinator: Coordinator, pulse: Pulse, flags: String) {
    let (mut seen, mut since) = (None, tokio::time::Instant::now());
    loop {
        tokio::time::sleep(FOLDER_CHECK_INTERVAL).await;
        let now = pulse.of_reading();
        if now.is_none() || now != seen {
            (seen, since) = (now, tokio::time::Instant::now());
        }
        let trouble = || {
            Problem {
            kind: ProblemKind::FlagsFolder,
            subject: None,
            message: format!("the flags folder {flags} does not answer: a reading of it hangs"),
            hint: "see to the disk or mount it lies on; what is live stays live, and operators' changes work".to_owned(),
        }
        };
        let hangs = since.elapsed() >= FOLDER_HANG_TIMEOUT && now.is_some();
        coordinator.report(ProblemKind::FlagsFolder, hangs.then(trouble).into_iter().collect());
    }
}

/// Reports what clients do wrong.
async fn report_client_mistakes(coordinator: Coordinator, public: PublicState) {
    loop {
        tokio::time::sleep(CLIENT_MISTAKES_INTERVAL).await;
        public.client_mistakes.report(&coordinator, coordinator.clock().now().steady_ms);
    }
}

/// Writes both addresses where programs on this machine find them. A full disk does not keep the
/// service from serving.
async fn announce(
    data: Arc<DataDir>,
    addresses: Addresses,
    path: PathBuf,
) -> (Arc<DataDir>, Addresses) {
    let (folder, said) = (data.clone(), addresses.clone());
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || folder.write_addresses(&said)).await
    {
        telemetry::addresses_not_written(&path, &error);
    }
    (data, addresses)
}

fn serve_admin(listener: TcpListener, surface: AdminState) -> io::Result<Server> {
    listener.set_nonblocking(true)?;
    http::serve(
        tokio::net::TcpListener::from_std(listener)?,
        http::admin_routes(surface),
        admin_limits(),
    )
}

/// Without a credential the admin listener returns only short answers.
fn admin_limits() -> Limits {
    let limits = Limits::default();
    Limits { unread_of_strangers: limits.unread, ..limits }
}

/// Serves the admin listener also on a named socket, and writes down its name. Where no socket is
/// possible, commands use the address.
async fn serve_admin_socket(
    data: Arc<DataDir>,
    surface: AdminState,
) -> Option<(LocalServer, SocketName)> {
    let served = match random_name() {
        None => Err(io::Error::other("the system gives no randomness")),
        Some(random) => {
            let name = SocketName::new(&random);
            let server =
                http::serve_local(&name.as_path(), http::admin_routes(surface), Limits::default());
            server.map(|server| (server, name))
        }
    };
    let (folder, name) = (data.clone(), served.as_ref().ok().map(|(_, name)| name.clone()));
    let write = move || {
        name.map_or_else(|| folder.remove_admin_socket(), |name| folder.write_admin_socket(&name))
    };
    let written = tokio::task::spawn_blocking(write)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    let fault = served.as_ref().err().or(written.as_ref().err());
    fault.inspect(|error| telemetry::no_admin_socket(data.path(), error));
    served.ok()
}

/// Reads the session keys and server keys, and keeps them fresh. Without good keys the
/// authenticator accepts none of the credentials they would check.
async fn open_authenticator(
    access: &AuthConfig,
    operators: AdminCredentials,
    issuer: Arc<Issuer>,
    coordinator: &Coordinator,
) -> (Authenticator, Vec<KeyRefresher>) {
    let mut authenticator = Authenticator {
        unverified: access.unverified,
        operators: Some(operators),
        issuer: Some(issuer),
        revoked: coordinator.revoked_sessions().clone(),
        ..Authenticator::default()
    };
    let mut fresh = Vec::new();
    if let Some(SessionKeys { source, pins }) = &access.session_keys {
        let sessions = Arc::new(Sessions::new(pins.clone()));
        fresh.push(
            KeyRefresher::sessions(
                sessions.clone(),
                source,
                note_keys(coordinator, ProblemKind::SessionKeys),
            )
            .await,
        );
        authenticator.sessions = Some(sessions);
    }
    if let Some(source) = &access.server_keys {
        let keys = Arc::new(ServerKeys::default());
        fresh.push(
            KeyRefresher::server_keys(
                keys.clone(),
                source,
                note_keys(coordinator, ProblemKind::ServerKeys),
            )
            .await,
        );
        authenticator.server_keys = Some(keys);
    }
    (authenticator, fresh)
}

/// A key source that cannot be read or used is a problem until it can be; accepted keys are a line
/// in the log.
fn note_keys(
    coordinator: &Coordinator,
    kind: ProblemKind,
) -> impl Fn(Report) + Send + 'static + use<> {
    let coordinator = coordinator.clone();
    move |report| {
        let fault = report.fault();
        if fault.is_none() || report.was_asked_for {
            telemetry::keys(&report);
        }
        let trouble = |(message, hint): (String, &str)| Problem {
            kind,
            subject: Some(report.setting.to_owned()),
            message,
            hint: hint.to_owned(),
        };
        coordinator.report(kind, fault.map(trouble).into_iter().collect());
    }
}

/// Opens the database of events, apart from everything else: whatever is wrong with it is a problem
/// and keeps nothing from starting.
async fn open_feeds(
    coordinator: &Coordinator,
    max_bytes: u64,
) -> Result<(Feeds, ThreadRuntime), StartError> {
    let thread = ThreadRuntime::start("events").map_err(StartError::Thread)?;
    let live = coordinator.live().clone();
    let retention = move |flag: &FlagKey| {
        let snapshot = live.current();
        let polling = &snapshot.flag(flag.as_str())?.flag()?.definition.transports.polling;
        Some(Retention {
            retain_ms: polling.retain.as_millis() as u64,
            keep: u64::from(polling.keep),
        })
    };
    let reporting = coordinator.clone();
    let options = FeedsOptions {
        path: coordinator.data().events(),
        max_bytes,
        clock: coordinator.clock().clone(),
        retention: Box::new(retention),
        random: random_number,
        report: Box::new(move |problems| report_feeds(&reporting, problems)),
        renewed: Box::new(telemetry::streams_renewed),
    };
    let feeds = Feeds::start(options, thread.handle().clone()).await;
    Ok((feeds, thread))
}

fn report_feeds(coordinator: &Coordinator, problems: Vec<FeedProblem>) {
    for (kind, of) in [
        (ProblemKind::EventsUnavailable, FeedProblemKind::EventsUnavailable),
        (ProblemKind::EventsFull, FeedProblemKind::EventsFull),
        (ProblemKind::RetentionShortened, FeedProblemKind::RetentionShortened),
    ] {
        let problem = |problem: &FeedProblem| Problem {
            kind,
            subject: problem.flag.clone(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        };
        let found = problems.iter().filter(|problem| problem.kind == of).map(problem).collect();
        coordinator.report(kind, found);
    }
}

/// Makes a reading of the folder live and logs the result.
async fn ingest_folder(coordinator: &Coordinator, flags: &Path, contents: &FlagFiles) {
    let taken_in = coordinator.ingest(contents).await;
    if taken_in.findings_changed {
        telemetry::problems(&coordinator.problems().current(), contents, flags);
    }
}
