//! Everything the service says, in one place. Floor 3. User ids never stand in a line.
//!
//! An event of `tracing` becomes a line, and a thread of its own writes it: nothing that decides,
//! stops or answers waits for stderr.
//!
//! | file | what it decides |
//! |---|---|
//! | `lines` | the words of every line |
//! | `target` | which parts of the service speak |
//! | `filter` | which events become lines (`TURNOUT_LOG`) |
//! | `layer`, `record` | what a line looks like (`TURNOUT_LOG_FORMAT`) |
//! | `queue` | how many lines may wait, and what becomes of the others |
//! | `writer` | when they are written |
//! | `metrics` | the registry: every metric by name |

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

pub use filter::{BadLogFilter, LogFilter};
pub use lines::*;
pub use record::LogFormat;

use crate::display_text;
use layer::LogLayer;
use queue::LogQueue;

/// Where the lines of this process wait, once it logs.
static LOG: OnceLock<Log> = OnceLock::new();

/// What is said, and how.
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

/// Makes lines of this process's events from here on. Once; the first settings count.
pub fn start(settings: &LogSettings) -> io::Result<()> {
    let queue = Arc::new(LogQueue::default());
    let log = Log { queue: queue.clone(), format: settings.format };
    if LOG.set(log).is_err() {
        return Ok(());
    }
    writer::start(queue.clone(), settings.format)?;
    let subscriber = tracing_subscriber::registry()
        .with(settings.filter.targets())
        .with(LogLayer { queue, format: settings.format });
    // Fails only where another subscriber is set, and the one place that sets one is this.
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(say_panic));
    Ok(())
}

/// Waits until what was said is written, `limit` at most.
pub fn flush(limit: Duration) {
    if let Some(Log { queue, .. }) = LOG.get() {
        queue.flush(limit);
    }
}

/// How many lines reached no reader.
pub fn log_lines_dropped() -> u64 {
    LOG.get().map_or(0, |log| log.queue.dropped())
}

/// Puts a picture into the log, if that is text; says whether it is.
fn draw(picture: impl FnOnce() -> String) -> bool {
    let log = LOG.get().filter(|log| log.format == LogFormat::Text);
    if let Some(Log { queue, .. }) = log {
        queue.push(display_text::styled(&picture()) + "\n\n");
    }
    log.is_some()
}

/// Where it happened. What a panic says may quote a user's input, so only a text that is part of
/// the program is repeated.
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
