//! How many of what, in words: the one place that knows one from many. Floor 0.

use std::fmt::Display;

/// `1 flag`, `2 flags`.
///
/// ```
/// use turnout_core::count::count;
/// assert_eq!(count(1_usize, "client"), "1 client");
/// assert_eq!(count(0_u64, "client"), "0 clients");
/// ```
pub fn count<Number: Display + PartialEq + From<u8>>(number: Number, what: &str) -> String {
    let ending = if number == Number::from(1) { "" } else { "s" };
    format!("{number} {what}{ending}")
}
