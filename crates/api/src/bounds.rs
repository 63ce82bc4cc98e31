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
/// Events of one publish.
pub const MAX_EVENTS_OF_BODY: usize = 100;
/// Bytes of the body of a publish.
pub const MAX_PUBLISH_BYTES: usize = 256 * 1024;
/// Bytes of an event's `data`, as sent.
pub const MAX_DATA_BYTES: usize = 32 * 1024;
/// Targeting keys that may read a stream.
pub const MAX_READERS: usize = 100;
/// Events of a page of events, at most.
pub const MAX_PAGE_EVENTS: u32 = 1_000;
/// Characters of a cursor.
pub const MAX_CURSOR_BYTES: usize = 256;
/// Streams in one answer of a list.
pub const LIST_PAGE: u32 = 100;
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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use utoipa::ToSchema;

    use super::*;
    use crate::admin::commands::SetCommand;
    use crate::admin::hello::HelloRequest;
    use crate::admin::tokens::CreateToken;
    use crate::feeds::{EventPage, NewEvent, PageEvent, PublishBody, StreamList};
    use crate::reports::{FlagReport, Report};

    /// An attribute of a derive takes a number, not a constant.
    #[test]
    fn the_schemas_have_these_bounds() {
        fn check<T: ToSchema>(member: &str, keyword: &str, expected: impl Into<Value>) {
            let schema = serde_json::to_value(T::schema()).unwrap_or_default();
            let found = &schema["properties"][member][keyword];
            assert_eq!(*found, expected.into(), "{} {member} {keyword}", T::name());
        }
        check::<PublishBody<'_>>("events", "maxItems", MAX_EVENTS_OF_BODY);
        check::<EventPage<PageEvent>>("events", "maxItems", MAX_PAGE_EVENTS);
        check::<StreamList>("streams", "maxItems", LIST_PAGE);
        check::<HelloRequest>("nonce", "minLength", MIN_NONCE_BYTES);
        check::<HelloRequest>("nonce", "maxLength", MAX_NONCE_BYTES);
        check::<HelloRequest>("token", "pattern", format!("^[0-9a-f]{{{TOKEN_ID_DIGITS}}}$"));
        check::<CreateToken>("name", "maxLength", MAX_NAME_BYTES);
        check::<CreateToken>("expiresAfterMs", "maximum", MAX_EXPIRES_AFTER_MS);
        check::<SetCommand>("forMs", "maximum", MAX_HELD_MS);
        check::<Report>("windowMs", "maximum", MAX_REPORT_WINDOW_MS);
        check::<Report>("flags", "maxItems", MAX_REPORT_FLAGS);
        check::<FlagReport>("switches", "maxItems", MAX_REPORT_SWITCHES);
        check::<FlagReport>("dedupDrops", "maximum", MAX_REPORT_COPIES);
        for (bound, text) in [
            (MAX_DATA_BYTES, described::<NewEvent<'_>>("/properties/data/description")),
            (MAX_PUBLISH_BYTES, described::<PublishBody<'_>>("/description")),
        ] {
            assert!(text.contains(&format!(" {bound} bytes")), "{text}");
        }
    }

    fn described<T: ToSchema>(pointer: &str) -> String {
        let schema = serde_json::to_value(T::schema()).unwrap_or_default();
        schema.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
