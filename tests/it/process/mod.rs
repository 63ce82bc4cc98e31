//! The program as the system has it: what it says, which signals it hears, and that nothing which
//! hangs holds it up.

mod lifecycle;
mod log;
