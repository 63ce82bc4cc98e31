//! What both listeners promise of sessions and tokens of our own, call by call.

use std::time::Duration;

use turnout_api::realtime::RealtimeMessage;
use turnout_api::sessions::{
    Jwks, NewSession, NewToken, RevokeSessions, Session, SessionsRevoked, StreamToken,
};

use super::contract::{
    LIMITED, TAG, flag_in_path, found, if_none_match, in_query, not_modified, over_the_limit,
    stream,
};
use super::feed_contract::{FEED, stream_in_path};
use crate::auth::ServerAction;
use crate::convergence::TooManyStreams;
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::openapi::{Operation, Parameter, RequestBody, problems};
use crate::http::server::TooSlow;
use crate::quota::Policy;

pub fn create_session() -> Operation {
    let mut refusals = vec![
        ApiError::Unauthenticated,
        ApiError::ServerKeyNeeded,
        ApiError::KeyMayNot(ServerAction::Sessions),
        ApiError::OtherFlags,
        ApiError::NoSuchMethod,
    ];
    refusals.extend(session_refusals());
    let mut answers = vec![found::<Session>("The session.", &[])];
    answers.extend(problems(&refusals));
    Operation {
        id: "createSession",
        summary: "A session for a user",
        says: "For servers whose users have cookies that say nothing here. It is accepted wherever a session token is. A key that is limited to \
            flags makes none, as a session counts for every flag.",
        parameters: Vec::new(),
        takes: RequestBody::needed::<NewSession>(),
        answers,
    }
}

/// Why no session is made.
pub fn session_refusals() -> Vec<ApiError> {
    vec![
        BadRequest::Incomplete.into(),
        BadRequest::TooLarge(String::new()).into(),
        BadRequest::TooSlow(TooSlow(Duration::ZERO)).into(),
        ApiError::InvalidRequest(String::new()),
        ApiError::IssuerUnavailable,
    ]
}

pub fn revoke_sessions() -> Operation {
    let refusals = [
        ApiError::Unauthenticated,
        ApiError::ServerKeyNeeded,
        ApiError::KeyMayNot(ServerAction::Sessions),
        ApiError::OtherFlags,
        BadRequest::Incomplete.into(),
        BadRequest::TooLarge(String::new()).into(),
        BadRequest::TooSlow(TooSlow(Duration::ZERO)).into(),
        ApiError::InvalidRequest(String::new()),
        ApiError::NoSuchMethod,
    ];
    let counts = found::<SessionsRevoked>(
        "It counts, and is not durable: it is written as soon as the disk takes it.",
        &[],
    )
    .status(202);
    let mut answers = vec![found::<SessionsRevoked>("Durable.", &[]), counts];
    answers.extend(problems(&refusals));
    Operation {
        id: "revokeSessions",
        summary: "Refuse whatever was issued to a user until now",
        says: "For server keys. It counts for every session token of the user whose `iat` is not after this moment, or that has none, \
            on every call at once; open streams and held polls end within a second. It is kept for 25 hours, needs no database, and survives a restart.",
        parameters: Vec::new(),
        takes: RequestBody::needed::<RevokeSessions>(),
        answers,
    }
}

pub fn token() -> Operation {
    let refusals = [
        BadRequest::Incomplete.into(),
        BadRequest::TooLarge(String::new()).into(),
        BadRequest::TooSlow(TooSlow(Duration::ZERO)).into(),
        ApiError::InvalidRequest(String::new()),
        ApiError::Unauthenticated,
        ApiError::NoSubject,
        ApiError::NotRealtime,
        ApiError::UnknownFlag,
        ApiError::StreamNotFound,
        ApiError::Behind,
        over_the_limit(Policy::Token),
        ApiError::EventsUnavailable,
        ApiError::IssuerUnavailable,
        ApiError::NoSuchMethod,
    ];
    let mut headers = LIMITED.to_vec();
    headers.push(("Turnout-Time", true));
    let mut answers = vec![found::<StreamToken>("The token.", &headers)];
    answers.extend(problems(&refusals));
    for answer in answers.iter_mut().filter(|answer| !matches!(answer.status, 200 | 405)) {
        answer.headers.extend(LIMITED);
    }
    Operation {
        id: "token",
        summary: "A token for streams, for a session",
        says: "While the user's strategy is `realtime-v2`. The token opens these streams and nothing else. It ends with the session at the latest.",
        parameters: vec![Parameter::header(
            "Turnout-Flag-Revision",
            "The highest that the client has heard of: a node that is behind catches up first.",
        )],
        takes: RequestBody::needed::<NewToken>(),
        answers,
    }
}

pub fn realtime() -> Operation {
    let refusals = [
        ApiError::Unauthenticated,
        ApiError::NotRealtime,
        ApiError::UnknownFlag,
        ApiError::StreamNotFound,
        ApiError::BadCursor,
        ApiError::StreamReset(String::new()),
        ApiError::CursorExpired(String::new()),
        over_the_limit(Policy::Realtime),
        ApiError::EventsUnavailable,
        ApiError::TooManyStreams { bound: TooManyStreams::Streams, retry_after_seconds: 0 },
        ApiError::NoSuchMethod,
    ];
    let mut answers = vec![stream::<RealtimeMessage>("The stream.")];
    answers.extend(problems(&refusals));
    for answer in answers.iter_mut().filter(|answer| answer.status != 405) {
        answer.headers.extend(LIMITED);
        if answer.status != 200 {
            answer.headers.extend(FEED);
        }
    }
    Operation {
        id: "realtime",
        summary: "The events of a stream as they come",
        says: "With a token of `POST /v1/token`. The first message is `strategy`; `up-to-date` says that it is live. An `events` message is \
            taken whole, and its `id` is the cursor to go on from. Once the strategy is another the stream says so and ends.",
        parameters: vec![
            flag_in_path("flag"),
            stream_in_path(),
            in_query("cursor", "Where to go on; without one, the start."),
            Parameter::header(
                "Last-Event-ID",
                "In the place of `cursor`: the `id` of the last message.",
            ),
        ],
        takes: RequestBody::Nothing,
        answers,
    }
}

pub fn jwks() -> Operation {
    let mut answers = vec![found::<Jwks>("The keys (RFC 7517 §5).", &[TAG])];
    answers.push(not_modified(&[TAG]));
    answers.extend(problems(&[ApiError::NoSuchMethod]));
    Operation {
        id: "jwks",
        summary: "The public keys of our own tokens",
        says: "May be kept for ten minutes: a new key is published for twenty before it signs.",
        parameters: vec![if_none_match()],
        takes: RequestBody::Nothing,
        answers,
    }
}
