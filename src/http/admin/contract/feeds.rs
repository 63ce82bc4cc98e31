//! The calls of feeds, for operators.

use turnout_api::feeds::{
    EventPage, PageEvent, PublishBody, PublishResult, StreamDeleted, StreamList,
};

use super::call::{flag_in_path, found, invalid_request, look, reading};
use crate::http::error::ApiError;
use crate::http::openapi::{Operation, Parameter, text};
use crate::http::public::feed_contract as public;

pub fn poll() -> Operation {
    let mut refusals = public::poll_refusals();
    refusals.extend([ApiError::UnknownFlag, ApiError::EventsUnavailable]);
    let mut operation = reading(
        "adminPoll",
        "The events of a stream behind a cursor, as its readers see them",
        found::<EventPage<PageEvent>>("A page of events."),
        refusals,
    );
    operation.parameters = public::poll_parameters();
    operation
}

pub fn publish() -> Operation {
    let mut refusals = public::publish_refusals();
    refusals.extend([ApiError::OtherFlags, ApiError::UnknownFlag, ApiError::EventsUnavailable]);
    let mut operation = look(
        "adminPublish",
        "Append events to a stream, whole or not at all",
        found::<PublishResult>("Durable, or known already."),
        refusals,
    );
    operation.parameters = vec![flag_in_path(), public::stream_in_path()];
    operation.taking::<PublishBody<'_>>()
}

pub fn delete_stream() -> Operation {
    let mut operation = look(
        "adminDeleteStream",
        "Remove a stream and its events",
        found::<StreamDeleted>("It is gone."),
        vec![
            ApiError::OtherFlags,
            ApiError::UnknownFlag,
            ApiError::NoRoomToRemove,
            ApiError::EventsUnavailable,
        ],
    );
    operation.parameters = vec![flag_in_path(), public::stream_in_path()];
    operation
}

pub fn list_streams() -> Operation {
    let mut operation = reading(
        "adminListStreams",
        "The streams of a flag",
        found::<StreamList>("Up to a hundred streams."),
        vec![ApiError::UnknownFlag, invalid_request(), ApiError::EventsUnavailable],
    );
    operation.parameters = vec![
        flag_in_path(),
        Parameter::in_query("after", "The last name of the page before.", text()),
    ];
    operation
}
