//! The folder of flag files: reads all files, and reports every settled change of them. Floor 2.

mod debounce;
mod dir;
mod fingerprint;
mod os_watcher;
mod pulse;
mod read_file;
mod watch;

pub use dir::FlagsDir;
pub use pulse::Pulse;
pub use watch::{Mode, Watch};
