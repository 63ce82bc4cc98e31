//! What each kind of error means, in the words of the OpenAPI document: the same for every request
//! that gets it.

use crate::feeds::BadPublish;
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::reports::BadReport;

impl ApiError {
    /// What this kind of error means.
    pub fn summary(&self) -> &'static str {
        match self {
            ApiError::BadQuestion(
                BadRequest::NotJson { .. }
                | BadRequest::Empty { .. }
                | BadRequest::EmptyBody { .. }
                | BadRequest::Incomplete,
            ) => "the body is not JSON, or not whole",
            ApiError::BadQuestion(BadRequest::Shape(_)) => {
                "the body has another shape, or its targeting key too many bytes"
            }
            ApiError::BadQuestion(BadRequest::TooLarge(_)) => {
                "the body or its context is over a bound"
            }
            ApiError::BadQuestion(BadRequest::TooSlow(_) | BadRequest::Crowded) => {
                "the body did not arrive in time"
            }
            ApiError::Unauthenticated | ApiError::NoUser => {
                "a credential is needed and was not sent, or was not accepted"
            }
            ApiError::WrongSubject => "the token speaks for another user than the body",
            ApiError::NoSubject => "a server key names no user",
            ApiError::UnlistedOrigin => "pages of this origin may not ask",
            ApiError::UnknownFlag => "there is no flag of this name",
            ApiError::NoSuchStream => "the stream has ended, or there never was one of this name",
            ApiError::ServerKeyNeeded => "a server key is needed",
            ApiError::UserNeeded => "a server key was sent, and users alone report",
            ApiError::BadReport(BadReport::NotJson { .. }) => "the body is not JSON",
            ApiError::BadReport(_) => {
                "the body has another shape, or says what no tab can have done in its window"
            }
            ApiError::KeyMayNot(_) => "the server key may not do this",
            ApiError::StreamNotFound => {
                "there is no such stream, or it is not the caller's to read"
            }
            ApiError::BadLimit(_) => "`limit`, `tail`, `wait` or `cursor` is not as it has to be",
            ApiError::BadCursor => "the cursor is not one of this stream",
            ApiError::StreamReset(_) => {
                "the cursor is of an earlier life of the stream, or ahead of its end"
            }
            ApiError::CursorExpired(_) => "events behind the cursor are no longer kept",
            ApiError::BadPublish(bad) if bad.is_too_large() => {
                "the body or an event is over a bound"
            }
            ApiError::BadPublish(BadPublish::NotJson { .. }) => "the body is not JSON",
            ApiError::BadPublish(_) => "the body has another shape",
            ApiError::EventExists(_) => "an event of this id has another type or other data",
            ApiError::StreamEnded => "the stream has ended",
            ApiError::EventsFull(_) => "as many bytes of events are kept as may be",
            ApiError::NoRoomToRemove => "the disk of the events is full",
            ApiError::EventsUnavailable | ApiError::PublishUnavailable => {
                "the database of events is out of reach"
            }
            ApiError::QuotaExceeded(_) => "the user has had as many answers as there may be",
            ApiError::NotRealtime => "the user's strategy is not `realtime-v2` now",
            ApiError::Behind => "the node has not heard of that revision of the flag yet",
            ApiError::NoSuchKey => "there is no key of this id",
            ApiError::TooManyKeys => "there are as many keys as may",
            ApiError::IssuerUnavailable => "nothing can be signed just now",
            ApiError::TooManyStreams { .. } => "there are as many streams as there may be",
            ApiError::NoSuchRoute => "there is nothing at this address",
            ApiError::OfOperators => "the admin listener has this address",
            ApiError::OfClients { .. } => "the public listener has this address",
            ApiError::DoubleSlash => "the path has `//` in it",
            ApiError::BadHost => "the header Host is missing, unreadable or there twice",
            ApiError::NoSuchMethod => "this address does not take this method",
            ApiError::WrongHost => "another host was asked for than this machine",
            ApiError::NoToken | ApiError::TokenInDoubt => {
                "a token is needed and was not sent, or is not good"
            }
            ApiError::NotPermitted { .. } => "the token's role does not permit this",
            ApiError::OtherFlags => "the token reaches other flags only",
            ApiError::UnknownToken => "there is no such token that is still good",
            ApiError::InvalidRequest(_) => "the body, the query or a header is not as it has to be",
            ApiError::NoRandomness => "the system gives no randomness",
            ApiError::Busy => "as many calls that only look wait as may",
            ApiError::Order { says, .. } => says,
        }
    }
}
