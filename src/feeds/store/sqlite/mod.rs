//! SQLite: a file of its own, WAL, every commit synced, one connection that writes and one that
//! reads.

mod changes;
mod connection;
mod copies;
mod database;
mod heads;
mod queries;
mod removal;
mod rows;
mod schema;
mod totals;

pub use changes::Transaction;
pub use copies::check_copy;
pub use database::Sqlite;
pub use schema::is_there;
