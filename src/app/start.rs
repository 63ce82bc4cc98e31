//! The start of the service, in order.
//!
//! Lock the data folder, bind, read the flags folder, make its content live, and only then accept
//! connections and watch the folder. So a taken port is reported at once, and the first answer is
//! already the right one. `addresses.json` exists only while both listeners accept.

use std::sync::Arc;

use tokio::sync::watch;

use super::admin_listener::{serve_admin, serve_admin_socket};
use super::blocking::blocking;
use super::client_mistakes::report_client_mistakes;
use super::credentials::open_authenticator;
use super::data::{announce, open_data};
use super::feeds::open_feeds;
use super::folder::{ingest_folder, read_first, report_silence};
use super::running::App;
use super::start_error::StartError;
use crate::auth::{AdminCredentials, Issuer};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{Coordinator, IssuerKeys, OpenOptions};
use crate::data_dir::Addresses;
use crate::definition::{Finding, FlagFiles};
use crate::fd_limit;
use crate::flag_files::Watch;
use crate::http::{self, AdminState, Limits, PublicState, Readings};
use crate::telemetry;
use crate::thread_runtime::{COMMAND_THREAD, ThreadRuntime};
use crate::webhook::WebhookWorker;

/// The step a start has reached, in words that follow "still starting: ".
pub type StartupPhase = watch::Sender<&'static str>;

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
            public_address: server.address(),
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
}
