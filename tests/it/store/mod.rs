//! The data folder: what is durable, what is served without it, and what it says about the server.

mod addresses;
mod first_start;
mod following;
mod history;
mod hung_commits;
mod hung_files;
mod late_commits;
mod long_lists;
mod long_reads;
mod operations;
mod pending;
mod read_only;
mod rows;
mod saving;
pub mod slow_disk;
mod slow_reads;
mod staging;
mod tampering;
mod two_writers;
mod written;
