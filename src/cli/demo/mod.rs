//! `turnout demo`: a server of its own, a publisher, and a page on this machine with twenty real
//! clients. It ends with the first signal, and leaves nothing behind.
//!
//! The page's clients need more connections than a browser allows an origin, so that the server is
//! reached at several ports (`ports.rs`).

mod application;
mod folder;
mod hints;
mod page;
mod ports;
mod settings;
mod site;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::output::{print_note, talks_to_a_terminal};
use super::signals::Signals;
use super::{Exit, print, print_error};
use crate::app::App;
use crate::display_text;
use crate::telemetry::{self, LogSettings};
use application::Application;
use folder::DemoFolder;
use hints::Hints;
use site::Site;

/// How long writing the last log lines may take.
const LAST_LINES: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(
    after_help = "It serves on ports of this machine that are free, in a folder that it removes at its end."
)]
pub struct Demo {
    /// The port of the page; any free one, unless said
    #[arg(long, value_name = "PORT", default_value = "0")]
    port: u16,
}

/// Why there is no demo, or why it left something behind.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("the demo cannot start: {0}")]
    Start(String),
    #[error("the demo's page cannot have port {0}: {1}; say another with --port, or none")]
    Port(u16, std::io::ErrorKind),
    #[error("the demo's folder could not be removed: {0}")]
    Left(std::io::Error),
}

impl Demo {
    pub fn run(&self) -> Exit {
        match self.try_run() {
            Ok(()) => Exit::Yes,
            Err(error) => {
                print_error(&error.to_string());
                Exit::Failed
            }
        }
    }

    fn try_run(&self) -> Result<(), DemoError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(start)?;
        let folder = DemoFolder::make().map_err(DemoError::Start)?;
        let logging =
            LogSettings { filter: "warn".parse().unwrap_or_default(), ..LogSettings::default() };
        telemetry::start(&logging).map_err(start)?;
        let served = runtime.block_on(serve(&folder, self.port));
        runtime.shutdown_background();
        telemetry::flush(LAST_LINES);
        let path = display_text::path(folder.path());
        let removed = folder.remove().map_err(DemoError::Left);
        served.and(removed)?;
        // A terminal shows the ^C at the beginning of the line.
        let line = if talks_to_a_terminal() { "\n" } else { "" };
        print_note(&format!(
            "{line}The demo has ended; {path} is removed, with its flags and data."
        ));
        Ok(())
    }
}

fn start(error: impl std::fmt::Display) -> DemoError {
    DemoError::Start(error.to_string())
}

/// Serves until the first signal: a terminal that closes ends it too.
async fn serve(folder: &DemoFolder, port: u16) -> Result<(), DemoError> {
    let mut signals = Signals::listen().map_err(start)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.map_err(|error| DemoError::Port(port, error.kind()))?;
    let address = listener.local_addr().map_err(start)?;
    let config = settings::config(folder, &format!("http://{address}")).map_err(start)?;
    let app =
        App::start(config).await.map_err(|error| start(format!("{error}; {}", error.hint())))?;

    // They end when they are dropped.
    let mut tasks = JoinSet::new();
    let origins = ports::open(app.address(), &mut tasks).await.map_err(start)?;
    let application = Application::of(&format!("http://{}", app.address()), folder.server_key());
    let application = Arc::new(application.map_err(|error| start(error.message))?);
    let publisher = application.clone();
    tasks.spawn(async move { publisher.publish_for_ever().await });
    let hints = Hints::of(folder);
    let site = Site { address, origins, commands: hints.commands(), application };
    tasks.spawn(page::serve(listener, Arc::new(site)));

    print(&hints.text(&format!("http://{address}")));
    let _ = signals.next().await;
    tasks.shutdown().await;
    app.stop().await;
    Ok(())
}
