//! Decides what is served after a start, however little is left in the data folder.
//!
//! | file | what it decides |
//! |---|---|
//! | `decide` | what a start does with what it finds: pure |
//! | `found` | what a start can find, and what it can decide |
//! | `look` | what is in the folder |
//! | `forecast` | what a start would do, for a person who restores a backup |
//! | `troubles` | what is wrong with the files, and what to do |
//! | `accept` | how a database that a person accepts is prepared for use |
//! | `carried` | what is written to it before: pure |

mod accept;
mod carried;
mod decide;
mod forecast;
mod found;
mod look;
mod troubles;

pub(super) use accept::LocalState;
pub(super) use decide::decide;
pub use forecast::{Forecast, forecast};
pub(super) use found::{Base, Copies, CopyState, Decision, Foreign, Journal as JournalWitness};
pub(super) use look::{DatabaseFound, FilesFound, look_at_database, why_held};
