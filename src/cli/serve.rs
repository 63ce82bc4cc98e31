//! `turnout serve`: starts the service, reloads it when the terminal closes or a person asks for
//! it, and stops it on the first signal.

use std::error::Error;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use super::signals::{Sign, Signals};
use super::{Exit, print_error, startup_hints};
use crate::app::{App, StartError, StartupPhase};
use crate::config::{Config, ServeArgs, unknown_names};
use crate::display_text;
use crate::fd_limit;
use crate::telemetry::{self, say, target};

/// How long writing the last log lines may take.
const LAST_LINES: Duration = Duration::from_millis(500);
/// How often a long start reports where it is.
const STILL_STARTING: Duration = Duration::from_secs(5);
/// How long a start under way may go on once it is to end.
const START_ENDS_WITHIN: Duration = Duration::from_millis(800);
/// The longest that a stop takes, whatever hangs.
const STOP_AT_MOST: Duration = Duration::from_secs(20);

type Starting = JoinHandle<Result<App, StartError>>;

/// `known` are the names of all settings in the environment.
pub fn run(settings: &ServeArgs, known: &[String]) -> Exit {
    let (config, logging) =
        match settings.check().and_then(|config| Ok((config, settings.logging.check()?))) {
            Ok(settings) => settings,
            Err(errors) => {
                errors.0.iter().for_each(|error| print_error(&display_text::line(error)));
                return Exit::Usage;
            }
        };
    // While this is the only thread.
    fd_limit::raise().make_room_for(config.limits.connections);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&format!("cannot start: {error}"));
            return Exit::Failed;
        }
    };
    if let Err(error) = telemetry::start(&logging) {
        print_error(&format!("cannot start a thread for the log: {error}"));
        return Exit::Failed;
    }
    if let Some(line) = unknown_names(telemetry::environment(), known) {
        warn!(target: target::APP, "{line}");
    }
    let exit = runtime.block_on(serve(config));
    // What still hangs ends with the process.
    runtime.shutdown_background();
    telemetry::flush(LAST_LINES);
    exit
}

async fn serve(config: Config) -> Exit {
    let (flags, access) = (config.flags.clone(), config.access.clone());
    let data = config.data.clone();
    let Ok(mut signals) = Signals::listen() else {
        error!(target: target::APP, "cannot listen for signals");
        return Exit::Failed;
    };
    let (step, at) = watch::channel("");
    let app = match start(config, step, &at, &mut signals).await {
        Ok(app) => app,
        Err(exit) => return exit,
    };
    say(&format!("serving {} on http://{}", display_text::path(&flags), app.address()));
    say(&format!("operators on http://{}: status, stop, problems, metrics", app.admin_address()));
    startup_hints::print(&app, &flags, &data, &access);
    while signals.next().await == Sign::Reload {
        say("reloading: the flags folder and the keys of credentials");
        app.reload();
    }
    say("stopping: finishing what was asked");
    stop(app, &mut signals).await
}

/// A service that serves, or how it ends without one.
async fn start(
    config: Config,
    step: StartupPhase,
    at: &watch::Receiver<&'static str>,
    signals: &mut Signals,
) -> Result<App, Exit> {
    let mut starting = tokio::spawn(App::start_in_steps(config, step));
    loop {
        tokio::select! {
            started = &mut starting => return serving(started),
            sign = signals.next() => match sign {
                // Everything is read anew in a moment.
                Sign::Reload => {}
                Sign::Stop => return Err(give_up(starting, signals).await),
            },
            () = sleep(STILL_STARTING) => warn!(target: target::APP, "still starting: {}", *at.borrow()),
        }
    }
}

fn serving(started: Result<Result<App, StartError>, tokio::task::JoinError>) -> Result<App, Exit> {
    match started {
        Ok(Ok(app)) => Ok(app),
        Ok(Err(error)) => {
            let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            error!(target: target::APP, "{error}{cause}; {}", error.hint());
            Err(Exit::Failed)
        }
        // The task panicked, and the panic was reported.
        Err(_) => Err(Exit::Failed),
    }
}

/// Ends a start that is under way. No request is being answered yet, so there is nothing to finish.
async fn give_up(mut starting: Starting, signals: &mut Signals) -> Exit {
    say("stopping before the start is complete");
    match timeout(START_ENDS_WITHIN, &mut starting).await {
        Ok(started) => match serving(started) {
            Ok(app) => stop(app, signals).await,
            Err(exit) => exit,
        },
        Err(_) => {
            starting.abort();
            say("stopped");
            Exit::Yes
        }
    }
}

/// Stops in order; at a second signal at once; and after a limit whatever hangs.
async fn stop(app: App, signals: &mut Signals) -> Exit {
    let again = async { while signals.next().await == Sign::Reload {} };
    tokio::select! {
        () = app.stop() => {
            say("stopped");
            Exit::Yes
        }
        () = again => {
            warn!(target: target::APP, "stopped at once, by a second signal: requests under way were cut off");
            Exit::Failed
        }
        () = sleep(STOP_AT_MOST) => {
            error!(target: target::APP, "stopped after {} s, though something still hangs", STOP_AT_MOST.as_secs());
            Exit::Failed
        }
    }
}
