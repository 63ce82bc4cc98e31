//! `turnout serve`: starts the service and stops it on the first signal.

use std::error::Error;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, warn};

use super::{Exit, complain, next_steps};
use crate::app::App;
use crate::config::{Config, Settings, unknown_names};
use crate::display_text;
use crate::open_files;
use crate::telemetry::{self, say, target};

/// How long the last lines may take to be written.
const LAST_LINES: Duration = Duration::from_millis(500);

/// `known` are the names of all settings in the environment.
pub fn run(settings: &Settings, known: &[String]) -> Exit {
    let (config, logging) = match settings.check().and_then(|config| Ok((config, settings.logging.check()?))) {
        Ok(settings) => settings,
        Err(faults) => {
            faults.0.iter().for_each(|fault| complain(&display_text::line(fault)));
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
    if let Err(error) = telemetry::start(&logging) {
        complain(&format!("cannot start a thread for the log: {error}"));
        return Exit::Failed;
    }
    if let Some(line) = unknown_names(telemetry::environment(), known) {
        warn!(target: target::APP, "{line}");
    }
    let exit = runtime.block_on(serve(config));
    telemetry::flush(LAST_LINES);
    exit
}

async fn serve(config: Config) -> Exit {
    let (flags, access) = (config.flags.clone(), config.access.clone());
    // Listened to and never heard: by itself the system would kill whoever writes more than it may (`ulimit -f`, LimitFSIZE). So the
    // writing fails like on a full disk.
    let file_too_large = signal(SignalKind::from_raw(open_files::TOO_LARGE));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(_file_too_large)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), file_too_large)
    else {
        error!(target: target::APP, "cannot listen for signals");
        return Exit::Failed;
    };
    let app = match App::start(config).await {
        Ok(app) => app,
        Err(error) => {
            let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            error!(target: target::APP, "{error}{cause}; {}", error.hint());
            return Exit::Failed;
        }
    };
    say(&format!("serving {} on http://{}", display_text::path(&flags), app.address()));
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
