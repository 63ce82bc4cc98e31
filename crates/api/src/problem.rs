//! What an error says, and its code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::Cursor;
use crate::words::words;

words! {
    /// Stable; go by this.
    pub open enum Code {
        ParseError = "parse-error",
        InvalidContext = "invalid-context",
        TooLarge = "too-large",
        Timeout = "timeout",
        Unauthenticated = "unauthenticated",
        WrongSubject = "wrong-subject",
        OriginNotListed = "origin-not-listed",
        FlagNotFound = "flag-not-found",
        NoSuchStream = "no-such-stream",
        TooManyStreams = "too-many-streams",
        NoSuchRoute = "no-such-route",
        NoSuchMethod = "no-such-method",
        BadHost = "bad-host",
        WrongHost = "wrong-host",
        NotPermitted = "not-permitted",
        FlagNotPermitted = "flag-not-permitted",
        NoSuchToken = "no-such-token",
        InvalidRequest = "invalid-request",
        NoRandomness = "no-randomness",
        Busy = "busy",
        NoDefinition = "no-definition",
        SharesExceed100 = "shares-exceed-100",
        DisabledIsDefault = "disabled-is-default",
        NotStopped = "not-stopped",
        NothingToRollBack = "nothing-to-roll-back",
        NoDefinitionAtRevision = "no-definition-at-revision",
        NoSuchRevision = "no-such-revision",
        ReasonRequired = "reason-required",
        KeyReused = "key-reused",
        MayOnlyNarrow = "may-only-narrow",
        RevisionConflict = "revision-conflict",
        NameTaken = "name-taken",
        TooManyTokens = "too-many-tokens",
        DatabaseDown = "database-down",
        DiskFull = "disk-full",
        OutcomeUnknown = "outcome-unknown",
        StreamNotFound = "stream-not-found",
        BadLimit = "bad-limit",
        BadCursor = "bad-cursor",
        StreamReset = "stream-reset",
        CursorExpired = "cursor-expired",
        EventExists = "event-exists",
        StreamEnded = "stream-ended",
        EventsFull = "events-full",
        EventsUnavailable = "events-unavailable",
        BadReport = "bad-report",
        QuotaExceeded = "quota-exceeded",
        NoSuchKey = "no-such-key",
        TooManyKeys = "too-many-keys",
        NotRealtime = "not-realtime",
        Behind = "behind",
        IssuerUnavailable = "issuer-unavailable",
    }
}

/// Problem details (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    pub title: String,
    pub status: u16,
    pub code: Code,
    /// For people; never repeats what was sent.
    pub detail: String,
}

/// Problem details, with the cursor to go on from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CursorProblem {
    #[serde(flatten)]
    pub problem: Problem,
    #[schema(value_type = Cursor)]
    pub cursor: String,
}
