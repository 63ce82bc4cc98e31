//! A running service.

use std::net::SocketAddr;
use std::sync::Arc;

use super::folder::report_reload;
use crate::auth::KeyRefresher;
use crate::control::Coordinator;
use crate::data_dir::{Addresses, DataDir, SocketName};
use crate::feeds::Feeds;
use crate::flag_files::{Mode, Watch};
use crate::http::{LocalServer, Readings, Server};
use crate::thread_runtime::ThreadRuntime;
use crate::webhook::WebhookWorker;

/// A running service.
#[derive(Debug)]
pub struct App {
    pub(super) coordinator: Coordinator,
    pub(super) server: Server,
    pub(super) watch: Watch,
    pub(super) admin: Server,
    /// The admin listener on the socket that the data folder names, where a socket is possible.
    pub(super) admin_socket: Option<(LocalServer, SocketName)>,
    /// Runs commands, expiries and retries. No reads run on this thread and it serves no
    /// connection.
    pub(super) orders: ThreadRuntime,
    /// Serves the admin listener: reads requests, passes them on and writes responses.
    pub(super) admin_thread: ThreadRuntime,
    pub(super) readings: Arc<Readings>,
    pub(super) webhook: Option<(WebhookWorker, ThreadRuntime)>,
    /// Reads and writes the database of events, and nothing else.
    pub(super) feeds: (Feeds, ThreadRuntime),
    /// The data folder, and the addresses written there.
    pub(super) announced: (Arc<DataDir>, Addresses),
    pub(super) fresh: Vec<KeyRefresher>,
}

impl App {
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

    /// Reads the flags folder and the key files and key URLs now, and logs what came of that.
    pub fn reload(&self) {
        let pulse = self.watch.pulse();
        let reading = pulse.after_the_next();
        let told = report_reload(self.coordinator.clone(), pulse, reading);
        self.admin_thread.handle().spawn(told);
        self.watch.look_now();
        self.fresh.iter().for_each(KeyRefresher::look_now);
    }
}
