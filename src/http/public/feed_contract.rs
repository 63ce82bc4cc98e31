//! What both listeners promise of feeds, call by call.

use std::time::Duration;

use turnout_api::feeds::{
    EventPage, PageEvent, PublishBody, PublishResult, StreamDeleted, StreamList,
};
use turnout_api::schema;

use super::contract::{
    LIMITED, TAG, flag_in_path, found, if_none_match, in_query, not_modified, over_the_limit,
};
use crate::auth::ServerAction;
use crate::feeds::limits::{MAX_PAGE_EVENTS, MAX_TAIL, MAX_WAIT_MS};
use crate::feeds::{BadPublish, BadQuery, EventsFull};
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::openapi::{
    Operation, Parameter, RequestBody, ResponseSpec, integer_from, problems,
};
use crate::http::server::TooSlow;
use crate::quota::Policy;

pub const FEED: [(&str, bool); 3] =
    [("Turnout-Flag-Revision", false), ("Turnout-Time", true), ("Vary", true)];

pub fn poll() -> Operation {
    let mut headers = FEED.to_vec();
    headers.push(TAG);
    headers.extend(LIMITED);
    let mut refusals = of_feeds();
    refusals.extend(poll_refusals());
    refusals.push(over_the_limit(Policy::Feed));
    let mut answers =
        vec![found::<EventPage<PageEvent>>("A page of events.", &headers), not_modified(&headers)];
    let mut refused = of_a_feed(&refusals);
    for answer in refused.iter_mut().filter(|answer| ![401, 405].contains(&answer.status)) {
        answer.headers.extend(LIMITED);
    }
    answers.extend(refused);
    Operation {
        id: "poll",
        summary: "The events of a stream behind a cursor",
        says: "For a verified user who is a reader of the stream, and for server keys. Events come in the order of their commits, \
            without gaps. `hasMore` says whether there are further ones.",
        parameters: [poll_parameters(), vec![if_none_match()]].concat(),
        takes: RequestBody::Nothing,
        answers,
    }
}

/// Where a poll begins, and how much it asks for.
pub fn poll_parameters() -> Vec<Parameter> {
    let number = |name: &str, least: u32, most: u32, says: &'static str| {
        Parameter::in_query(name, says, integer_from(least).maximum(Some(most)))
    };
    vec![
        flag_in_path("flag"),
        stream_in_path(),
        in_query(
            "cursor",
            "Where to go on: a cursor of this stream, or `now` for its end; without one, the start.",
        ),
        number("limit", 1, MAX_PAGE_EVENTS, "How many events at most; 50 unless said."),
        number(
            "tail",
            1,
            MAX_TAIL,
            "In the place of `cursor`: begin so many events before the end.",
        ),
        number(
            "wait",
            0,
            MAX_WAIT_MS,
            "For so many milliseconds the answer may wait for an event.",
        ),
    ]
}

/// Why a poll gets no page.
pub fn poll_refusals() -> Vec<ApiError> {
    vec![
        ApiError::StreamNotFound,
        ApiError::BadLimit(BadQuery::Limit),
        ApiError::BadCursor,
        ApiError::StreamReset(String::new()),
        ApiError::CursorExpired(String::new()),
    ]
}

/// Why a publish is not taken.
pub fn publish_refusals() -> Vec<ApiError> {
    vec![
        ApiError::StreamNotFound,
        BadRequest::Incomplete.into(),
        BadRequest::TooLarge(String::new()).into(),
        BadRequest::TooSlow(TooSlow(Duration::ZERO)).into(),
        ApiError::BadPublish(BadPublish::Id(1)),
        ApiError::EventExists(1),
        ApiError::StreamEnded,
        ApiError::EventsFull(EventsFull::Disk),
    ]
}

pub fn publish() -> Operation {
    let mut refusals = of_feeds();
    refusals.push(ApiError::ServerKeyNeeded);
    refusals.extend(publish_refusals());
    let mut answers = vec![found::<PublishResult>("Durable, or known already.", &FEED)];
    answers.extend(of_a_feed(&refusals));
    Operation {
        id: "publish",
        summary: "Append events to a stream, whole or not at all",
        says: "For server keys. A stream is made by its first publish. An event whose `id` is known, with equal `type` and `data`, is a \
            duplicate: a publish may be sent again.",
        parameters: vec![flag_in_path("flag"), stream_in_path()],
        takes: RequestBody::needed::<PublishBody<'_>>(),
        answers,
    }
}

pub fn delete_stream() -> Operation {
    let mut refusals = of_feeds();
    refusals.extend([ApiError::ServerKeyNeeded, ApiError::NoRoomToRemove]);
    let mut answers = vec![found::<StreamDeleted>("It is gone.", &FEED)];
    answers.extend(of_a_feed(&refusals));
    Operation {
        id: "deleteStream",
        summary: "Remove a stream and its events",
        says: "For server keys. One that is made anew has another epoch: its readers begin at its start.",
        parameters: vec![flag_in_path("flag"), stream_in_path()],
        takes: RequestBody::Nothing,
        answers,
    }
}

pub fn list_streams() -> Operation {
    let mut refusals = of_feeds();
    refusals.extend([ApiError::ServerKeyNeeded, ApiError::InvalidRequest(String::new())]);
    let mut answers = vec![found::<StreamList>("Up to a hundred streams.", &FEED)];
    answers.extend(of_a_feed(&refusals));
    Operation {
        id: "listStreams",
        summary: "The streams of a flag",
        says: "For server keys; in the order of their names.",
        parameters: vec![
            flag_in_path("flag"),
            in_query("after", "The last name of the page before."),
        ],
        takes: RequestBody::Nothing,
        answers,
    }
}

/// Every error that each call of feeds can have.
fn of_feeds() -> Vec<ApiError> {
    vec![
        ApiError::Unauthenticated,
        ApiError::KeyMayNot(ServerAction::Publish),
        ApiError::OtherFlags,
        ApiError::UnknownFlag,
        ApiError::EventsUnavailable,
        ApiError::NoSuchMethod,
    ]
}

/// The refusals of feeds, with the headers of their answers. A method that is not taken is refused
/// before anything is known of the feed.
fn of_a_feed(refusals: &[ApiError]) -> Vec<ResponseSpec> {
    let mut answers = problems(refusals);
    for answer in answers.iter_mut().filter(|answer| answer.status != 405) {
        answer.headers.extend(FEED);
    }
    answers
}

pub fn stream_in_path() -> Parameter {
    Parameter::in_path("stream", "The stream's name; it names no user.", schema::stream())
}
