//! What the public listener promises, call by call.

use std::time::Duration;

use turnout_api::ofrep::{Bulk, Event, Failure, Request, Success};
use turnout_api::probes::{Health, Readiness};
use turnout_api::question::Question;
use turnout_api::reports::Report;
use turnout_api::strategy::{StrategyDocument, StrategyDocuments};
use turnout_api::watch::{Acknowledgement, WatchEvent};
use utoipa::ToSchema;

use crate::auth::ServerAction;
use crate::convergence::TooManyStreams;
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::openapi::{
    ALWAYS, MessageSchema, Operation, Parameter, RequestBody, ResponseSpec, any_object, failures,
    key, problems, text,
};
use crate::http::server::TooSlow;
use crate::quota::{Decision, Policy};
use crate::reports::BadReport;

pub const TITLE: &str = "Turnout";
pub const SAYS: &str = "Asks which transport a client uses for live updates of a feature: `polling`, `realtime-v2` or \
    `disabled`. Durations end in `Ms`. User ids never stand in a URL. Whatever the answer, a client that knows nothing else polls.";

pub fn strategy_of_one() -> Operation {
    let mut refusals = bad_questions();
    refusals.extend([ApiError::UnknownFlag, ApiError::NoSuchMethod]);
    let mut answers = vec![
        found::<StrategyDocument>("The strategy document.", &[TAG, FLAG_REVISION, ERROR_ATTRIBUTE]),
        not_modified(&[TAG, FLAG_REVISION, ERROR_ATTRIBUTE]),
    ];
    answers.extend(problems(&refusals));
    Operation {
        id: "askOne",
        summary: "The strategy of one flag",
        says: "A question without a targeting key is answered too: the default, by `no-unit`, where a bucket was needed.",
        parameters: vec![flag_in_path("flag"), if_none_match()],
        takes: RequestBody::needed::<Question>(),
        answers,
    }
}

pub fn strategy_of_mine() -> Operation {
    let refusals = [
        ApiError::Unauthenticated,
        ApiError::NoSubject,
        ApiError::UnknownFlag,
        ApiError::NoSuchMethod,
    ];
    let mut answers = vec![
        found::<StrategyDocument>("The strategy document.", &[TAG, FLAG_REVISION, ERROR_ATTRIBUTE]),
        not_modified(&[TAG, FLAG_REVISION, ERROR_ATTRIBUTE]),
    ];
    answers.extend(problems(&refusals));
    Operation {
        id: "askMine",
        summary: "The strategy of one flag for the user of a session token",
        says: "Who asks is what the token says; there is no body.",
        parameters: vec![flag_in_path("flag"), if_none_match()],
        takes: RequestBody::Nothing,
        answers,
    }
}

pub fn strategy_of_all() -> Operation {
    let mut refusals = bad_questions();
    refusals.push(ApiError::NoSuchMethod);
    let mut answers = vec![
        found::<StrategyDocuments>("The strategy documents of all flags.", &[TAG]),
        not_modified(&[TAG]),
    ];
    answers.extend(problems(&refusals));
    Operation {
        id: "askAll",
        summary: "The strategies of all flags",
        says: "One body and one tag for all flags.",
        parameters: vec![if_none_match()],
        takes: RequestBody::needed::<Question>(),
        answers,
    }
}

pub fn watch_one() -> Operation {
    let mut refusals = bad_questions();
    refusals.extend([ApiError::UnknownFlag, ApiError::NoSuchMethod]);
    watch(
        "watchOne",
        "The strategy of one flag, now and whenever it is another",
        vec![flag_in_path("flag")],
        refusals,
    )
    .taking::<Question>()
}

pub fn watch_mine() -> Operation {
    let refusals = vec![
        ApiError::Unauthenticated,
        ApiError::NoSubject,
        ApiError::UnknownFlag,
        ApiError::NoSuchMethod,
    ];
    watch(
        "watchMine",
        "The same for the user of a session token",
        vec![flag_in_path("flag")],
        refusals,
    )
}

pub fn watch_all() -> Operation {
    let mut refusals = bad_questions();
    refusals.push(ApiError::NoSuchMethod);
    watch(
        "watchAll",
        "The strategies of all flags, now and whenever one is another",
        Vec::new(),
        refusals,
    )
    .taking::<Question>()
}

pub fn watch_all_mine() -> Operation {
    let refusals = vec![ApiError::Unauthenticated, ApiError::NoSubject, ApiError::NoSuchMethod];
    watch("watchAllMine", "The same for the user of a session token", Vec::new(), refusals)
}

/// A call whose response is a stream.
fn watch(
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Parameter>,
    mut refusals: Vec<ApiError>,
) -> Operation {
    refusals.extend([TOO_MANY, ApiError::NoRandomness]);
    let mut answers = vec![stream::<WatchEvent>("The state, now and whenever it is another.")];
    answers.extend(problems(&refusals));
    Operation {
        id,
        summary,
        says: "Server-sent events, without an end. The id of an event is a position; the first one carries an `ackId`. A client posts to \
            `/v1/watch/ack` after each, up to 500 ms later by chance.",
        parameters,
        takes: RequestBody::Nothing,
        answers,
    }
}

pub fn acknowledge() -> Operation {
    let mut refusals = bad_questions();
    refusals.retain(|refusal| !matches!(refusal.status_and_code().0.as_u16(), 401 | 403));
    refusals.extend([ApiError::NoSuchStream, ApiError::NoSuchMethod]);
    let mut answers = vec![answered("Taken note of.", &[]).status(204)];
    answers.extend(problems(&refusals));
    Operation {
        id: "acknowledge",
        summary: "Which position the client of a stream holds",
        says: "The name of a stream is all it takes; it is known to its client alone.",
        parameters: Vec::new(),
        takes: RequestBody::needed::<Acknowledgement>(),
        answers,
    }
}

pub fn report() -> Operation {
    let mut refusals = bad_questions();
    refusals.retain(|refusal| {
        let is_of_questions = matches!(
            refusal,
            ApiError::WrongSubject
                | ApiError::KeyMayNot(_)
                | ApiError::OtherFlags
                | ApiError::BadQuestion(BadRequest::Shape(_))
        );
        !is_of_questions
    });
    refusals.extend([
        ApiError::UserNeeded,
        ApiError::BadReport(BadReport::Window),
        over_the_limit(Policy::Reports),
        ApiError::NoSuchMethod,
    ]);
    let mut answers = vec![answered("Taken.", &LIMITED).status(204)];
    let mut refused = problems(&refusals);
    for answer in refused.iter_mut().filter(|answer| ![401, 403, 405].contains(&answer.status)) {
        answer.headers.extend(LIMITED);
    }
    answers.extend(refused);
    Operation {
        id: "report",
        summary: "How following went in one tab, since its last report",
        says: "For verified users, counted by flag and by the strategy that the server knows the user has. A flag that is not known is \
            passed over, and so is what is over the allowance of the user. Members that are not known are ignored.",
        parameters: Vec::new(),
        takes: RequestBody::needed::<Report>(),
        answers,
    }
}

pub fn changes() -> Operation {
    let mut answers = vec![stream::<Event>("That something changed, once at first.")];
    answers.extend(failures(&[TOO_MANY, ApiError::NoRandomness, ApiError::NoSuchMethod], false));
    Operation {
        id: "ofrepEvents",
        summary: "When to ask again, by the OpenFeature Remote Evaluation Protocol 0.3",
        says: "Server-sent events, without an end. They say nothing of users or values, and take no credential.",
        parameters: Vec::new(),
        takes: RequestBody::Nothing,
        answers,
    }
}

const TOO_MANY: ApiError =
    ApiError::TooManyStreams { bound: TooManyStreams::Streams, retry_after_seconds: 0 };

/// A response that is a stream of these events.
pub(super) fn stream<E: ToSchema>(says: &str) -> ResponseSpec {
    let MessageSchema { schema, parts } = MessageSchema::of::<E>();
    let data = text().content_media_type("application/json").content_schema(Some(schema));
    let event =
        any_object().description(Some("An event.")).property("id", text()).property("data", data);
    let stream = text().content_media_type("text/event-stream").content_schema(Some(event));
    let message = MessageSchema { schema: stream.into(), parts };
    answered(says, &[]).with_content("text/event-stream", message)
}

pub fn ofrep_of_one() -> Operation {
    let mut refusals = bad_questions();
    refusals.extend([ApiError::UnknownFlag, ApiError::NoSuchMethod]);
    let mut answers = vec![found::<Success>("The flag's value.", &[FLAG_REVISION])];
    answers.extend(failures(&refusals, true));
    // A known flag may fail for this context; that has the same status as a bad question.
    for bad in answers.iter_mut().filter(|answers| answers.status == 400) {
        bad.says =
            "The body cannot be read, or the flag cannot be evaluated for this context.".to_owned();
        bad.headers.extend([FLAG_REVISION, ERROR_ATTRIBUTE]);
        bad.content = Some(("application/json", MessageSchema::of::<Failure>()));
    }
    Operation {
        id: "ofrepEvaluateOne",
        summary: "One flag, by the OpenFeature Remote Evaluation Protocol 0.3",
        says: "`disabled` is a value like any other. The protocol has no tag here.",
        parameters: vec![flag_in_path("key")],
        takes: RequestBody::needed::<Request>(),
        answers,
    }
}

pub fn ofrep_of_all() -> Operation {
    let mut refusals = bad_questions();
    refusals.push(ApiError::NoSuchMethod);
    // Before any flag is known there is nothing to tag.
    let tag = (TAG.0, false);
    let mut answers = vec![found::<Bulk>("The values of all flags.", &[tag]), not_modified(&[TAG])];
    answers.extend(failures(&refusals, false));
    Operation {
        id: "ofrepEvaluateAll",
        summary: "All flags, by the OpenFeature Remote Evaluation Protocol 0.3",
        says: "Told of another configuration by `flagConfigEtag`, it answers with what it has and never with 304.",
        parameters: vec![
            if_none_match(),
            in_query("flagConfigEtag", "The tag of the configuration that an event told of."),
            in_query("flagConfigLastModified", "The time of it; not needed here."),
        ],
        takes: RequestBody::needed::<Request>(),
        answers,
    }
}

pub fn alive() -> Operation {
    probe("healthz", "It runs", vec![found::<Health>("The process answers.", &[])])
}

pub fn ready() -> Operation {
    let cold =
        found::<Readiness>("No flag is known yet; every valid name is answered `polling`.", &[])
            .status(503);
    probe(
        "readyz",
        "It knows what to answer",
        vec![found::<Readiness>("At least one flag is known.", &[]), cold],
    )
}

pub fn openapi() -> Operation {
    let document = MessageSchema::inline(any_object());
    let mut answers = vec![
        answered("The document.", &[TAG]).with_content("application/json", document),
        not_modified(&[TAG]),
    ];
    answers.extend(problems(&[ApiError::NoSuchMethod]));
    Operation {
        id: "openapi",
        summary: "This document",
        says: "Made from the table that the router is made from.",
        parameters: vec![if_none_match()],
        takes: RequestBody::Nothing,
        answers,
    }
}

fn probe(id: &'static str, summary: &'static str, mut answers: Vec<ResponseSpec>) -> Operation {
    answers.extend(problems(&[ApiError::NoSuchMethod]));
    Operation {
        id,
        summary,
        says: "Status and counts only.",
        parameters: Vec::new(),
        takes: RequestBody::Nothing,
        answers,
    }
}

/// The fields of every answer of a limited call for a user.
pub(super) const LIMITED: [(&str, bool); 2] = [("RateLimit-Policy", false), ("RateLimit", false)];

/// The refusal of a user who has had as many answers as there may be.
pub(super) fn over_the_limit(policy: Policy) -> ApiError {
    ApiError::QuotaExceeded(Decision { policy, is_allowed: false, left: 0, free_in_ms: 1 })
}

pub(super) const TAG: (&str, bool) = ("ETag", true);
/// Where the rule is `error` for an attribute of another type than declared.
const ERROR_ATTRIBUTE: (&str, bool) = ("Turnout-Error-Attribute", false);
/// A flag of which nothing is known yet has not changed.
const FLAG_REVISION: (&str, bool) = ("Turnout-Flag-Revision", false);

/// Every error a body can have.
fn bad_questions() -> Vec<ApiError> {
    vec![
        BadRequest::Incomplete.into(),
        BadRequest::Shape(String::new()).into(),
        BadRequest::TooLarge(String::new()).into(),
        BadRequest::TooSlow(TooSlow(Duration::ZERO)).into(),
        ApiError::Unauthenticated,
        ApiError::WrongSubject,
        ApiError::KeyMayNot(ServerAction::Ask),
        ApiError::OtherFlags,
    ]
}

pub(super) fn found<T: ToSchema>(
    says: &str,
    more_headers: &[(&'static str, bool)],
) -> ResponseSpec {
    answered(says, more_headers).with_content("application/json", MessageSchema::of::<T>())
}

/// A response without a body.
pub(super) fn answered(says: &str, more_headers: &[(&'static str, bool)]) -> ResponseSpec {
    ResponseSpec {
        status: 200,
        says: says.to_owned(),
        headers: [&ALWAYS, more_headers].concat(),
        content: None,
    }
}

pub(super) fn not_modified(more_headers: &[(&'static str, bool)]) -> ResponseSpec {
    answered("The asker holds this answer already.", more_headers).status(304)
}

pub(super) fn flag_in_path(name: &str) -> Parameter {
    Parameter::in_path(name, "The flag's key.", key())
}

pub(super) fn if_none_match() -> Parameter {
    let says = "Tags of answers already held, weak or strong, alone or in a list.";
    Parameter::header("If-None-Match", says)
}

pub(super) fn in_query(name: &str, says: &'static str) -> Parameter {
    Parameter::in_query(name, says, text())
}
