//! A question for every flag at once.
//!
//! | file | what it decides |
//! |---|---|
//! | `outcomes` | which outcome each flag has, and the tag of all of them |
//! | `decide` | when a caller's flags are evaluated |
//! | `concurrency_limit` | how many callers at once |
//! | `windows` | how the body is written |

mod concurrency_limit;
mod decide;
mod outcomes;
mod windows;

pub use concurrency_limit::ConcurrencyLimit;
pub use outcomes::Every;
pub use windows::{Tagged, Windows};
