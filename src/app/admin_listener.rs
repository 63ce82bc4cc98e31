//! The admin listener, on its port and on a socket of this machine.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use crate::auth::random_name;
use crate::data_dir::{DataDir, SocketName};
use crate::http::{self, AdminState, Limits, LocalServer, Server};
use crate::telemetry;

pub(super) fn serve_admin(listener: TcpListener, surface: AdminState) -> io::Result<Server> {
    listener.set_nonblocking(true)?;
    http::serve(
        tokio::net::TcpListener::from_std(listener)?,
        http::admin_routes(surface),
        admin_limits(),
    )
}

/// Without a credential the admin listener returns only short answers.
pub(super) fn admin_limits() -> Limits {
    let limits = Limits::default();
    Limits { unread_of_strangers: limits.unread, ..limits }
}

/// Serves the admin listener also on a named socket, and writes down its name. Where no socket is
/// possible, commands use the address.
pub(super) async fn serve_admin_socket(
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
