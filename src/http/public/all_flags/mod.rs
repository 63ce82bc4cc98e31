//! A question for every flag at once.
//!
//! | file | what it decides |
//! |---|---|
//! | `outcomes` | which outcome each flag has, and the tag of all of them |
//! | `decide` | when a caller's flags are evaluated |
//! | `turns` | how many callers at once |
//! | `windows` | how the body is written |

mod decide;
mod outcomes;
mod turns;
mod windows;

pub use outcomes::Every;
pub use turns::Turns;
pub use windows::{Tagged, Windows};
