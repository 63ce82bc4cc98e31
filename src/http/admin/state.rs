//! What the handlers of the admin listener share.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::readings::Readings;
use super::scrapes::Scrapes;
use crate::auth::AdminCredentials;
use crate::control::{Coordinator, IssuerKeys};
use crate::flag_files::Mode;
use crate::http::openapi::ServedDocument;
use crate::http::requests::RequestCounts;
use crate::http::server::ListenerMemory;
use crate::http::state::PublicState;
use crate::webhook::Deliveries;

/// What the admin listener reports on, and acts on.
#[derive(Clone, Debug)]
pub struct AdminState {
    pub public: PublicState,
    pub coordinator: Coordinator,
    pub issuer_keys: IssuerKeys,
    /// The runtime of the write path: commands, expiries and what is read of the folder. Nothing
    /// that only reads runs there.
    pub orders: Handle,
    pub readings: Arc<Readings>,
    pub operators: AdminCredentials,
    pub watch: Mode,
    /// The results of webhook deliveries, if a webhook is configured.
    pub deliveries: Option<Arc<Deliveries>>,
    /// The flags folder, as it was configured.
    pub flags: String,
    /// The address the public listener listens on.
    pub public_address: SocketAddr,
    /// The address this listener listens on.
    pub address: SocketAddr,
    /// Whether only this machine can reach the listener.
    pub on_loopback: bool,
    /// What clients make the public listener hold.
    pub held: ListenerMemory,
    /// The counters of this listener's requests.
    pub requests: Arc<RequestCounts>,
    /// The OpenAPI document.
    pub contract: ServedDocument,
    pub scrapes: Arc<Scrapes>,
}

impl AdminState {
    /// Runs work on the thread of commands, to its end even if its caller hangs up; `None` if the
    /// service ends before that.
    pub async fn on_command_thread<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        match self.orders.spawn(work).await {
            Ok(done) => Some(done),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}
