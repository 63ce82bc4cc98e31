//! How many of what, in words.

pub use crate::count::count;
