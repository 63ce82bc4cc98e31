//! `turnout serve`: starts the service and stops it on the first signal.

use std::error::Error;

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, complain, next_steps};
use crate::app::App;
use crate::config::{Config, Settings};
use crate::open_files;
use crate::telemetry::say;

pub fn run(settings: &Settings) -> Exit {
    let config = match settings.check() {
        Ok(config) => config,
        Err(faults) => {
            faults.0.iter().for_each(|fault| complain(fault));
            return Exit::Usage;
        }
    };
    // While this is the only thread.
    open_files::raise().make_room_for(config.limits.connections);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return Exit::Failed;
        }
    };
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Exit {
    let (flags, access) = (config.flags.clone(), config.access.clone());
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        complain("cannot listen for signals");
        return Exit::Failed;
    };
    let app = match App::start(config).await {
        Ok(app) => app,
        Err(error) => {
            let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            complain(&format!("{error}{cause}; {}", error.hint()));
            return Exit::Failed;
        }
    };
    say(&format!("serving {} on http://{}", flags.display(), app.address()));
    say(&format!("metrics and problems on http://{}", app.admin_address()));
    next_steps::print(&app, &flags, &access);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    say("stopping: finishing what was asked");
    app.stop().await;
    say("stopped");
    Exit::Yes
}
