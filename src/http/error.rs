//! The only table from errors to statuses and codes, in both shapes that errors have: problem
//! details (RFC 9457) and OFREP's. `openapi/summaries` says in the contract what each means.

use axum::http::{StatusCode, Uri};
use turnout_api::admin::commands::FlagChange;
use turnout_api::admin::history::Revision;
use turnout_api::ofrep::ErrorCode;
use turnout_api::problem::{Code, Problem};
use turnout_api::strict::BadBody;

use super::bad_request::BadRequest;
use crate::auth::{InvalidCredential, NotPermitted, ServerAction};
use crate::convergence::TooManyStreams;
use crate::feeds::{BadPublish, BadQuery, EventsFull};
use crate::ledger::Role;
use crate::quota::{Decision, WINDOW_MS};
use crate::reports::BadReport;

/// When to try again while the database of events is out of reach.
const EVENTS_RETRY_SECONDS: u64 = 2;

/// When to try again while nothing can be signed.
const ISSUER_RETRY_SECONDS: u64 = 5;

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    #[error(transparent)]
    BadQuestion(#[from] BadRequest),
    #[error(
        "a session token or a server key is needed here, and none was sent or it is not accepted"
    )]
    Unauthenticated,
    #[error("the token speaks for another user than the body's `targetingKey`; leave that out")]
    WrongSubject,
    #[error("a server key names no user; ask with POST and a `targetingKey`")]
    NoSubject,
    #[error("pages of this origin may not ask here; list it in TURNOUT_CORS_ORIGINS")]
    UnlistedOrigin,
    #[error("there is no flag of this name")]
    UnknownFlag,
    #[error("there is no such stream, or it has ended")]
    NoSuchStream,
    #[error("a server key is needed here; a session's user may only read")]
    ServerKeyNeeded,
    #[error("users report, with their session tokens; a server key may not")]
    UserNeeded,
    #[error("{0}")]
    BadReport(BadReport),
    #[error("this server key may not {}: see its line in TURNOUT_SERVER_KEYS_FILE", .0.as_str())]
    KeyMayNot(ServerAction),
    #[error("there is no such stream, or it is not yours to read")]
    StreamNotFound,
    #[error("{0}")]
    BadLimit(BadQuery),
    #[error("the cursor is not one of this stream; begin without one")]
    BadCursor,
    /// With the cursor of the start.
    #[error(
        "the cursor is of an earlier life of this stream, or ahead of its end; begin at `cursor`, the start"
    )]
    StreamReset(String),
    /// With the place before the oldest event.
    #[error(
        "events behind the cursor are no longer kept; go on from `cursor`, before the oldest that is"
    )]
    CursorExpired(String),
    #[error("{0}")]
    BadPublish(BadPublish),
    #[error(
        "event {0} has the id of an event with another type or other data; nothing of this body was taken"
    )]
    EventExists(usize),
    #[error("the stream has ended")]
    StreamEnded,
    #[error("{0}; nothing of this body was taken")]
    EventsFull(EventsFull),
    #[error("the disk of the events is full; nothing was removed, try again when there is room")]
    NoRoomToRemove,
    #[error("events are not available just now; try again in {EVENTS_RETRY_SECONDS} s")]
    EventsUnavailable,
    #[error(
        "events are not available just now; publish again in {EVENTS_RETRY_SECONDS} s, with the same ids"
    )]
    PublishUnavailable,
    #[error(
        "this user had {} answers in {} s, as many as there may be; try again in {} s",
        .0.policy.answers(), WINDOW_MS / 1_000, .0.free_in_seconds()
    )]
    QuotaExceeded(Decision),
    #[error("this user's strategy is not `realtime-v2` now; ask for it, and poll")]
    NotRealtime,
    #[error("this node has not heard of that revision of the flag yet; try again in 1 s")]
    Behind,
    #[error("there is no key of this id; turnout keys list shows them")]
    NoSuchKey,
    #[error("there are as many keys as may; an old one leaves 25 hours after it signed last")]
    TooManyKeys,
    #[error("nothing can be signed just now: turnout problems says what is wrong with the keys")]
    IssuerUnavailable,
    #[error("{}; ask without a stream, and try again in {retry_after_seconds} s", no_room(*bound))]
    TooManyStreams { bound: TooManyStreams, retry_after_seconds: u64 },
    /// A call without a body, which could say who asks.
    #[error(
        "a session token is needed here, as a GET names no user, and none was sent; or ask with POST and a body like {{\"targetingKey\": \"u-1\"}}"
    )]
    NoUser,
    #[error("there is nothing at this address; /openapi.json has every address there is")]
    NoSuchRoute,
    #[error(
        "this is the listener for clients, and the call is one for operators: ask the admin listener, on port 7071 unless TURNOUT_ADMIN_LISTEN says another"
    )]
    OfOperators,
    #[error(
        "this is the admin listener, and the call is one for clients: ask the public listener, on port {port}"
    )]
    OfClients { port: u16 },
    #[error(
        "there is nothing at this address: its path has `//` in it; write the base URL without a slash at its end"
    )]
    DoubleSlash,
    #[error(
        "a request says once which host it is for (the header Host); this one does not, or says it more than once"
    )]
    BadHost,
    #[error("this address does not take this method")]
    NoSuchMethod,
    #[error("this listener answers to 127.0.0.1 and localhost only")]
    WrongHost,
    #[error(
        "a token is needed here: Authorization: Bearer <token>; the server's own is in its data folder (admin.token)"
    )]
    NoToken,
    #[error(
        "this token may have been revoked, as a part of what was known does not read: it may stop and lower, and no more, until the server is started once with --accept-database; turnout problems says what does not read"
    )]
    TokenInDoubt,
    #[error("the role {role} may not do this; it takes the role {takes}")]
    NotPermitted { role: Role, takes: &'static str },
    #[error("this token reaches other flags only")]
    OtherFlags,
    #[error("there is no such token that is still good")]
    UnknownToken,
    #[error("{0}")]
    InvalidRequest(String),
    #[error("the system gives no randomness")]
    NoRandomness,
    #[error("as many calls that only look wait here as may; try again in 1 s")]
    Busy,
    /// A command that the coordinator did not execute.
    #[error("{detail}")]
    Order {
        row: (StatusCode, Code),
        says: &'static str,
        detail: String,
        since: Option<Vec<Revision>>,
        /// Whether it would have widened, and what it would have changed.
        would: Option<(bool, Vec<FlagChange>)>,
    },
}

impl ApiError {
    /// The error's status and its stable code.
    pub fn status_and_code(&self) -> (StatusCode, Code) {
        match self {
            ApiError::BadQuestion(
                BadRequest::NotJson { .. }
                | BadRequest::Empty { .. }
                | BadRequest::EmptyBody { .. }
                | BadRequest::Incomplete,
            ) => (StatusCode::BAD_REQUEST, Code::ParseError),
            ApiError::BadQuestion(BadRequest::Shape(_)) => {
                (StatusCode::BAD_REQUEST, Code::InvalidContext)
            }
            ApiError::BadQuestion(BadRequest::TooLarge(_)) => {
                (StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge)
            }
            ApiError::NoSubject => (StatusCode::BAD_REQUEST, Code::InvalidContext),
            ApiError::Unauthenticated | ApiError::NoUser => {
                (StatusCode::UNAUTHORIZED, Code::Unauthenticated)
            }
            ApiError::WrongSubject => (StatusCode::FORBIDDEN, Code::WrongSubject),
            ApiError::UnlistedOrigin => (StatusCode::FORBIDDEN, Code::OriginNotListed),
            ApiError::BadQuestion(BadRequest::TooSlow(_) | BadRequest::Crowded) => {
                (StatusCode::REQUEST_TIMEOUT, Code::Timeout)
            }
            ApiError::UnknownFlag => (StatusCode::NOT_FOUND, Code::FlagNotFound),
            ApiError::NoSuchStream => (StatusCode::NOT_FOUND, Code::NoSuchStream),
            ApiError::BadReport(BadReport::NotJson { .. }) => {
                (StatusCode::BAD_REQUEST, Code::ParseError)
            }
            ApiError::BadReport(_) => (StatusCode::BAD_REQUEST, Code::BadReport),
            ApiError::ServerKeyNeeded | ApiError::UserNeeded | ApiError::KeyMayNot(_) => {
                (StatusCode::FORBIDDEN, Code::NotPermitted)
            }
            ApiError::StreamNotFound => (StatusCode::NOT_FOUND, Code::StreamNotFound),
            ApiError::BadLimit(BadQuery::Cursor) | ApiError::BadCursor => {
                (StatusCode::BAD_REQUEST, Code::BadCursor)
            }
            ApiError::BadLimit(_) => (StatusCode::BAD_REQUEST, Code::BadLimit),
            ApiError::StreamReset(_) => (StatusCode::CONFLICT, Code::StreamReset),
            ApiError::CursorExpired(_) => (StatusCode::GONE, Code::CursorExpired),
            ApiError::BadPublish(bad) if bad.is_too_large() => {
                (StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge)
            }
            ApiError::BadPublish(BadPublish::NotJson { .. }) => {
                (StatusCode::BAD_REQUEST, Code::ParseError)
            }
            ApiError::BadPublish(_) => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
            ApiError::EventExists(_) => (StatusCode::CONFLICT, Code::EventExists),
            ApiError::StreamEnded => (StatusCode::CONFLICT, Code::StreamEnded),
            ApiError::EventsFull(_) | ApiError::NoRoomToRemove => {
                (StatusCode::INSUFFICIENT_STORAGE, Code::EventsFull)
            }
            ApiError::EventsUnavailable | ApiError::PublishUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::EventsUnavailable)
            }
            ApiError::QuotaExceeded(_) => (StatusCode::TOO_MANY_REQUESTS, Code::QuotaExceeded),
            ApiError::NotRealtime => (StatusCode::FORBIDDEN, Code::NotRealtime),
            ApiError::Behind => (StatusCode::CONFLICT, Code::Behind),
            ApiError::NoSuchKey => (StatusCode::NOT_FOUND, Code::NoSuchKey),
            ApiError::TooManyKeys => (StatusCode::CONFLICT, Code::TooManyKeys),
            ApiError::IssuerUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::IssuerUnavailable)
            }
            ApiError::TooManyStreams { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::TooManyStreams)
            }
            ApiError::NoSuchRoute
            | ApiError::DoubleSlash
            | ApiError::OfOperators
            | ApiError::OfClients { .. } => (StatusCode::NOT_FOUND, Code::NoSuchRoute),
            ApiError::BadHost => (StatusCode::BAD_REQUEST, Code::BadHost),
            ApiError::NoSuchMethod => (StatusCode::METHOD_NOT_ALLOWED, Code::NoSuchMethod),
            ApiError::WrongHost => (StatusCode::FORBIDDEN, Code::WrongHost),
            ApiError::NoToken | ApiError::TokenInDoubt => {
                (StatusCode::UNAUTHORIZED, Code::Unauthenticated)
            }
            ApiError::NotPermitted { .. } => (StatusCode::FORBIDDEN, Code::NotPermitted),
            ApiError::OtherFlags => (StatusCode::FORBIDDEN, Code::FlagNotPermitted),
            ApiError::UnknownToken => (StatusCode::NOT_FOUND, Code::NoSuchToken),
            ApiError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
            ApiError::NoRandomness => (StatusCode::SERVICE_UNAVAILABLE, Code::NoRandomness),
            ApiError::Busy => (StatusCode::SERVICE_UNAVAILABLE, Code::Busy),
            ApiError::Order { row, .. } => *row,
        }
    }

    /// OFREP's code for it.
    pub fn ofrep_code(&self) -> ErrorCode {
        match self.status_and_code().1 {
            Code::ParseError => ErrorCode::ParseError,
            Code::InvalidContext => ErrorCode::InvalidContext,
            Code::FlagNotFound => ErrorCode::FlagNotFound,
            _ => ErrorCode::General,
        }
    }

    /// The error as problem details.
    pub fn problem_details(&self) -> Problem {
        let (status, code) = self.status_and_code();
        Problem {
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            code,
            detail: self.to_string(),
        }
    }

    /// The error for an address with no route. A client that puts paths behind a base URL which
    /// ends in a slash asks for `//`.
    pub fn of_no_route(uri: &Uri) -> ApiError {
        if uri.path().contains("//") { ApiError::DoubleSlash } else { ApiError::NoSuchRoute }
    }

    /// Where to go on, if the error names a place.
    pub fn cursor(&self) -> Option<&str> {
        match self {
            ApiError::StreamReset(cursor) | ApiError::CursorExpired(cursor) => Some(cursor),
            _ => None,
        }
    }

    /// After how many seconds to come back, if the error says so.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            ApiError::TooManyStreams { retry_after_seconds, .. } => Some(*retry_after_seconds),
            ApiError::EventsUnavailable | ApiError::PublishUnavailable => {
                Some(EVENTS_RETRY_SECONDS)
            }
            ApiError::QuotaExceeded(decision) => Some(decision.free_in_seconds().into()),
            ApiError::IssuerUnavailable => Some(ISSUER_RETRY_SECONDS),
            ApiError::Busy | ApiError::Behind => Some(1),
            _ => None,
        }
    }
}

impl From<NotPermitted> for ApiError {
    fn from(not_permitted: NotPermitted) -> ApiError {
        match not_permitted {
            NotPermitted::Action(action) => ApiError::KeyMayNot(action),
            NotPermitted::Flag => ApiError::OtherFlags,
        }
    }
}

impl From<BadBody> for ApiError {
    fn from(bad: BadBody) -> ApiError {
        ApiError::InvalidRequest(bad.to_string())
    }
}

impl From<InvalidCredential> for ApiError {
    fn from(_: InvalidCredential) -> ApiError {
        ApiError::Unauthenticated
    }
}

/// Which bound leaves no room for a stream.
fn no_room(bound: TooManyStreams) -> &'static str {
    match bound {
        TooManyStreams::Streams => "there are as many streams as there may be",
        TooManyStreams::StreamsOfStrangers => {
            "there are as many streams as callers without a credential may have"
        }
        TooManyStreams::StreamsOfCaller => {
            "this caller has as many streams as one may have; a proxy's callers are told apart where TURNOUT_TRUSTED_PROXIES names it"
        }
        TooManyStreams::Bytes => "what is kept for streams takes as many bytes as it may",
        TooManyStreams::BytesOfStrangers => {
            "what is kept for streams of callers without a credential takes as many bytes as it may"
        }
        TooManyStreams::BytesOfCaller => {
            "what is kept for this caller's streams takes as many bytes as it may"
        }
    }
}

/// Whether the response ends the connection. The rest of such a request may still arrive, and is
/// not a new request; a request sent after it would be lost, so the response says so.
pub fn ends_the_connection(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE)
}
