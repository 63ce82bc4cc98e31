//! The embedded database: WAL, every commit synced, one writer.

mod batch;
mod blobs;
mod chain;
mod changes;
mod check;
mod connection;
mod copy;
mod database;
mod file_check;
mod files;
mod following;
mod history;
mod old_tokens;
mod open;
mod reader;
mod rows;
mod schema;
mod staging;
mod subjects;
mod verify;
mod writer;

pub use copy::copy;
pub use database::Sqlite;
pub use file_check::on_disk;
pub use files::{Files, are_any, move_aside, put_in_place, remove, set_aside};
pub use staging::{Progress, STEP_BYTES, Staging};
