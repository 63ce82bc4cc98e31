//! How long a message and its parts may be.

/// The most bytes of a targeting key, or of another unit.
pub const MAX_UNIT_BYTES: usize = 256;
/// The most attributes of a context.
pub const MAX_ATTRIBUTES: usize = 256;
/// The longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 500;
/// The longest idempotency key, in bytes.
pub const MAX_KEY_BYTES: usize = 128;
/// The longest a split may be held before its end.
pub const MAX_HELD_MS: i64 = 366 * 86_400_000;
/// The longest name of a credential.
pub const MAX_NAME_BYTES: usize = 64;
/// How long a credential lives, unless said.
pub const EXPIRES_AFTER_MS: i64 = 90 * 86_400_000;
/// The longest a credential may live.
pub const MAX_EXPIRES_AFTER_MS: i64 = 3_660 * 86_400_000;
/// How many bytes of randomness a server's proof is asked with.
pub const MIN_NONCE_BYTES: usize = 32;
pub const MAX_NONCE_BYTES: usize = 128;
/// How many hex digits of a token's hash name it.
pub const TOKEN_ID_DIGITS: usize = 16;
/// How many revisions a page has, unless said, and at most.
pub const PAGE: u32 = 20;
pub const MAX_PAGE: u32 = 200;
/// How often a client reports.
pub const REPORT_EVERY_MS: u64 = 60_000;
/// The longest window of a report: the timers of a hidden page run once a minute.
pub const MAX_REPORT_WINDOW_MS: u64 = 2 * REPORT_EVERY_MS;
/// The most bytes of a report.
pub const MAX_REPORT_BYTES: usize = 16 * 1024;
/// The most flags of a report.
pub const MAX_REPORT_FLAGS: usize = 32;
/// The most switches of a flag in a report.
pub const MAX_REPORT_SWITCHES: usize = 32;
/// The most copies of events that a report may say were dropped.
pub const MAX_REPORT_COPIES: u64 = 10_000;
/// How often a tab does anything at most in any 60 s: the answers a user has from feeds.
pub const MAX_A_MINUTE: u64 = 60;
/// How many realtime streams a user has open at most.
pub const MAX_OPEN_STREAMS: u64 = 8;

/// How long a stream may take to say that it is live, in milliseconds.
pub const CONNECT_MS: u64 = 10_000;
/// How long a client that gave realtime up polls before it tries again, in milliseconds.
pub const FALLBACK_MS: u64 = 300_000;
