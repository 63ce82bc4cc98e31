//! The flags folder: what a save does to a running service, and every way a folder changes.

mod internal_users;
mod locked;
mod reload;
mod reload_ways;
mod retired;
mod subfolders;
mod tables;
