//! What must not leak or break: secrets, ids, and arbitrary bytes wherever bytes come in.

mod bytes;
mod environment;
mod own_server;
mod secrets;
mod sentinels;
