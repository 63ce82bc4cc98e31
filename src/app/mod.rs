//! Wiring, and the order of start and stop. Floor 4.
//!
//! | file | what it does |
//! |---|---|
//! | `start` | opens every part, in order |
//! | `stop` | ends every part, in order and in time |
//! | `running` | the service between the two |
//! | `data`, `folder`, `credentials`, `feeds`, `admin_listener`, `client_mistakes` | one part each |

mod admin_listener;
mod blocking;
mod client_mistakes;
mod credentials;
mod data;
mod feeds;
mod folder;
mod running;
mod start;
mod start_error;
mod stop;

pub use running::App;
pub use start::StartupPhase;
pub use start_error::StartError;
