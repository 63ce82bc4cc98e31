//! How a command ends.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Yes = 0,
    /// A negative result: errors found, or a result other than the one asked for.
    No = 1,
    Usage = 2,
    /// Refused: not permitted, changed meanwhile, or nothing that can be done.
    Refused = 3,
    /// Could not run: a port taken, a server unreachable.
    Failed = 4,
}
