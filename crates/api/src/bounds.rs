//! How long a message and its parts may be.

/// The most bytes of a targeting key, or of another unit.
pub const MAX_UNIT_BYTES: usize = 256;
/// The most attributes of a context.
pub const MAX_ATTRIBUTES: usize = 256;
