//! Every bound on the content of the flags folder, by name (law 10). What exceeds a bound is
//! refused with a finding that states the bound; what is live stays.

/// Flags in a folder.
pub const MAX_FLAGS: usize = 20_000;
/// Segments in a folder.
pub const MAX_SEGMENTS: usize = 10_000;
/// Bytes of a YAML file.
pub const MAX_YAML_BYTES: usize = 1024 * 1024;
/// Maps and lists inside each other.
pub const MAX_DEPTH: usize = 16;
/// Scalars, lists and maps of a YAML file, keys included.
pub const MAX_NODES: usize = 200_000;
/// Ids of a `users_file`.
pub const MAX_USERS_FILE_IDS: usize = 1_000_000;
/// Bytes of a `users_file`: its ids at their longest, each with its line end.
pub const MAX_USERS_FILE_BYTES: usize = MAX_USERS_FILE_IDS * (crate::flag::MAX_ID_BYTES + 2);
/// Entries of `deny`, of `allow`, and of `rules`.
pub const MAX_ENTRIES: usize = 1_000;
/// Declared attributes of a flag.
pub const MAX_DECLARED: usize = crate::flag::MAX_ATTRIBUTES;
/// Cases under `tests:`, and of a table.
pub const MAX_CASES: usize = 10_000;
/// Tables of tests in a folder: as many as flags.
pub const MAX_TABLES: usize = MAX_FLAGS;
/// Tables of tests of one flag that are run.
pub const MAX_TABLES_OF_FLAG: usize = 100;
/// The most checks of all tests of a flag: one for each case and each value the flag compares with.
/// About two seconds of one core.
pub const MAX_CHECKS: u64 = 100_000_000;
/// Checks that are run while a reading of the folder is taken in; longer test runs go on in the
/// background.
pub const CHECKS_AT_ONCE: u64 = 500_000;
/// Bytes of a description, an owner or a URL template.
pub const MAX_TEXT_BYTES: usize = 2_000;
/// Days of a duration.
pub const MAX_DURATION_DAYS: u64 = 30;
/// Waits of a `retry` list.
pub const MAX_RETRIES: usize = 32;
/// Findings listed for one file.
pub const MAX_FINDINGS: usize = 100;
