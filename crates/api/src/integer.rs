//! Whole numbers as the contracts document them: from 0, in 64 bits with a sign (OpenAPI's `int64`).

use serde::de::{Deserialize, Deserializer, Error};

/// A number up to 2^63 - 1, or nothing. A larger one is an error: the contract says `int64`, and
/// there is no revision with such a number.
pub fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<u64>::deserialize(from)?;
    match number.map(i64::try_from) {
        Some(Err(_)) => Err(D::Error::custom("a number of more than 63 bits")),
        _ => Ok(number),
    }
}
