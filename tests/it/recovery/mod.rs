//! What is served after a start, whatever is left in the data folder, and what happens to a folder
//! under a running server.

mod accepting;
mod carried;
mod doubted_tokens;
mod files_in_place;
mod foreign;
mod journal_ranges;
mod left;
mod links;
mod restoring;
mod starts;
mod witnesses;
