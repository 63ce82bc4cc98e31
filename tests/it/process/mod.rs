//! The program as the system sees it: what it logs, which signals it handles, and that nothing
//! which hangs blocks it.

mod lifecycle;
mod log;
