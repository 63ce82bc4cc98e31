//! The folder of flag files: reads all files, and reports every settled change of them. Floor 2.

mod debounce;
mod dir;
mod os_watcher;
mod watch;

pub use dir::{FlagsDir, Pulse};
pub use watch::{Mode, Watch};
