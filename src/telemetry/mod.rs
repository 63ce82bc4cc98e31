//! All output of the service, in one place. Floor 3. User ids never appear in a line.
//!
//! A `tracing` event becomes a line, and a separate thread writes it: code that decides, stops or
//! answers never waits for stderr.
//!
//! | file | what it decides |
//! |---|---|
//! | `lines` | the wording of every line |
//! | `target` | which parts of the service log |
//! | `filter` | which events become lines (`TURNOUT_LOG`) |
//! | `layer`, `record` | the format of a line (`TURNOUT_LOG_FORMAT`) |
//! | `colour` | what is red and yellow on a terminal |
//! | `queue` | how many lines may wait, and what happens to the others |
//! | `writer` | when they are written |
//! | `metrics` | the registry: every metric by name |

mod colour;
mod filter;
mod layer;
mod lines;
pub mod metrics;
mod queue;
mod record;
pub mod target;
mod writer;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::error;
use tracing_subscriber::layer::SubscriberExt;

pub use colour::{RED, YELLOW, no_colour, painted};
pub use filter::{BadLogFilter, LogFilter};
pub use lines::*;
pub use record::LogFormat;

use crate::display_text;
use layer::LogLayer;
use queue::LogQueue;

/// The queue of this process's lines, once logging has started.
static LOG: OnceLock<Log> = OnceLock::new();

/// What is logged, and in which format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    pub filter: LogFilter,
    pub format: LogFormat,
}

#[derive(Debug)]
struct Log {
    queue: Arc<LogQueue>,
    format: LogFormat,
}

/// Turns this process's events into lines from here on. Only the first call counts.
pub fn start(settings: &LogSettings) -> io::Result<()> {
    let queue = Arc::new(LogQueue::default());
    let log = Log { queue: queue.clone(), format: settings.format };
    if LOG.set(log).is_err() {
        return Ok(());
    }
    writer::start(queue.clone(), settings.format)?;
    let subscriber =
        tracing_subscriber::registry().with(settings.filter.targets()).with(LogLayer {
            queue,
            format: settings.format,
            is_coloured: colour::is_wanted(settings.format),
        });
    // Fails only where another subscriber is set, and no other code sets one.
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(say_panic));
    Ok(())
}

/// Waits until all lines are written, at most `limit`.
pub fn flush(limit: Duration) {
    if let Some(Log { queue, .. }) = LOG.get() {
        queue.flush(limit);
    }
}

/// How many lines were dropped.
pub fn log_lines_dropped() -> u64 {
    LOG.get().map_or(0, |log| log.queue.dropped())
}

/// Writes a drawing to the log if the log is text; returns whether it is.
fn draw(picture: impl FnOnce() -> String) -> bool {
    let log = LOG.get().filter(|log| log.format == LogFormat::Text);
    if let Some(Log { queue, .. }) = log {
        queue.push(display_text::styled(&picture()) + "\n\n");
    }
    log.is_some()
}

/// Writes lines as they are to the log if the log is text; returns whether it is.
fn plain(lines: &str) -> bool {
    let log = LOG.get().filter(|log| log.format == LogFormat::Text);
    if let Some(Log { queue, .. }) = log {
        queue.push(display_text::lines(lines).into_owned() + "\n");
    }
    log.is_some()
}

/// Logs where a panic happened. A panic's message may quote a user's input, so only a text that is
/// part of the program is repeated.
fn say_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(|place| format!(" at {}:{}", place.file(), place.line()))
        .unwrap_or_default();
    let thread = std::thread::current();
    let why = panic
        .payload()
        .downcast_ref::<&'static str>()
        .map(|why| format!(": {why}"))
        .unwrap_or_default();
    error!(
        target: target::APP,
        "panic{place} in thread {}{why}; please report it as a bug of turnout {}",
        thread.name().unwrap_or("without a name"),
        env!("CARGO_PKG_VERSION"),
    );
}
