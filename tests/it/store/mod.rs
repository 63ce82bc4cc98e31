//! The data folder: what is durable, what is served without it, and what it says of the server.

mod addresses;
mod history;
mod long_lists;
mod operations;
mod pending;
mod rows;
mod saving;
mod tampering;
