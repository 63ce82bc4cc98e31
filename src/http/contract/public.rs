//! What the public listener promises, call by call.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{ALWAYS, Answers, Operation, Takes, failures, problems, shape};
use crate::http::error::Refusal;
use crate::http::question::BadQuestion;
use crate::http::server::TooSlow;

pub const TITLE: &str = "Turnout";
pub const SAYS: &str = "Asks which transport a client uses for live updates of a feature: `polling`, `realtime-v2` or \
    `disabled`. Durations end in `Ms`. User ids never stand in a URL. Whatever the answer, a client that knows nothing else polls.";

pub fn strategy_of_one() -> Operation {
    let mut refusals = bad_questions();
    refusals.extend([Refusal::UnknownFlag, Refusal::NoSuchMethod]);
    let mut answers =
        vec![found("The strategy document.", "StrategyDocument", &[TAG, FLAG_REVISION]), not_modified(&[TAG, FLAG_REVISION])];
    answers.extend(problems(&refusals));
    Operation {
        id: "askOne",
        summary: "The strategy of one flag",
        says: "A question without a targeting key is answered too: the default, by `no-unit`, where a bucket was needed.",
        parameters: vec![flag_in_path("flag"), if_none_match()],
        takes: Takes::Body(shape("Question")),
        answers,
    }
}

pub fn strategy_of_mine() -> Operation {
    let refusals = [Refusal::Unauthenticated, Refusal::NoSubject, Refusal::UnknownFlag, Refusal::NoSuchMethod];
    let mut answers =
        vec![found("The strategy document.", "StrategyDocument", &[TAG, FLAG_REVISION]), not_modified(&[TAG, FLAG_REVISION])];
    answers.extend(problems(&refusals));
    Operation {
        id: "askMine",
        summary: "The strategy of one flag for the user of a session token",
        says: "Who asks is what the token says; there is no body.",
        parameters: vec![flag_in_path("flag"), if_none_match()],
        takes: Takes::Nothing,
        answers,
    }
}

pub fn strategy_of_all() -> Operation {
    let mut refusals = bad_questions();
    refusals.push(Refusal::NoSuchMethod);
    let mut answers = vec![found("The strategy documents of all flags.", "StrategyDocuments", &[TAG]), not_modified(&[TAG])];
    answers.extend(problems(&refusals));
    Operation {
        id: "askAll",
        summary: "The strategies of all flags",
        says: "One body and one tag for all flags.",
        parameters: vec![if_none_match()],
        takes: Takes::Body(shape("Question")),
        answers,
    }
}

pub fn ofrep_of_one() -> Operation {
    let mut refusals = bad_questions();
    refusals.extend([Refusal::UnknownFlag, Refusal::NoSuchMethod]);
    let mut answers = vec![found("The flag's value.", "OfrepSuccess", &[FLAG_REVISION])];
    answers.extend(failures(&refusals, true));
    // A known flag may fail for this context; it has the same status as a bad question.
    for bad in answers.iter_mut().filter(|answers| answers.status == 400) {
        bad.says = "The body cannot be read, or the flag cannot be evaluated for this context.".to_owned();
        bad.headers.push(FLAG_REVISION);
        bad.content = Some(("application/json", shape("OfrepFailure")));
    }
    Operation {
        id: "ofrepEvaluateOne",
        summary: "One flag, by the OpenFeature Remote Evaluation Protocol 0.3",
        says: "`disabled` is a value like any other. The protocol has no tag here.",
        parameters: vec![flag_in_path("key")],
        takes: Takes::Body(shape("OfrepRequest")),
        answers,
    }
}

pub fn ofrep_of_all() -> Operation {
    let mut refusals = bad_questions();
    refusals.push(Refusal::NoSuchMethod);
    // Before any flag is known there is nothing to tag.
    let tag = (TAG.0, false);
    let mut answers = vec![found("The values of all flags.", "OfrepBulk", &[tag]), not_modified(&[TAG])];
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
        takes: Takes::Body(shape("OfrepRequest")),
        answers,
    }
}

pub fn alive() -> Operation {
    probe("healthz", "It runs", vec![found("The process answers.", "Health", &[])])
}

pub fn ready() -> Operation {
    let cold =
        Answers { status: 503, ..found("No flag is known yet; every valid name is answered `polling`.", "Readiness", &[]) };
    probe("readyz", "It knows what to answer", vec![found("At least one flag is known.", "Readiness", &[]), cold])
}

pub fn openapi() -> Operation {
    let mut answers = vec![Answers {
        content: Some(("application/json", json!({ "type": "object" }))),
        ..found("The document.", "", &[TAG])
    }];
    answers.push(not_modified(&[TAG]));
    answers.extend(problems(&[Refusal::NoSuchMethod]));
    Operation {
        id: "openapi",
        summary: "This document",
        says: "Made from the table that the router is made from.",
        parameters: vec![if_none_match()],
        takes: Takes::Nothing,
        answers,
    }
}

fn probe(id: &'static str, summary: &'static str, mut answers: Vec<Answers>) -> Operation {
    answers.extend(problems(&[Refusal::NoSuchMethod]));
    Operation { id, summary, says: "Status and counts only.", parameters: Vec::new(), takes: Takes::Nothing, answers }
}

const TAG: (&str, bool) = ("ETag", true);
/// A flag of which nothing is known yet has not changed.
const FLAG_REVISION: (&str, bool) = ("Turnout-Flag-Revision", false);

/// Everything that can be wrong with a body.
fn bad_questions() -> Vec<Refusal> {
    vec![
        BadQuestion::Incomplete.into(),
        BadQuestion::Shape(String::new()).into(),
        BadQuestion::TooLarge(String::new()).into(),
        BadQuestion::TooSlow(TooSlow(Duration::ZERO)).into(),
        Refusal::Unauthenticated,
        Refusal::WrongSubject,
    ]
}

fn found(says: &str, name: &str, more_headers: &[(&'static str, bool)]) -> Answers {
    Answers {
        status: 200,
        says: says.to_owned(),
        headers: [&ALWAYS, more_headers].concat(),
        content: Some(("application/json", shape(name))),
    }
}

fn not_modified(more_headers: &[(&'static str, bool)]) -> Answers {
    Answers { status: 304, content: None, ..found("The asker holds this answer already.", "", more_headers) }
}

fn flag_in_path(name: &str) -> Json {
    json!({ "name": name, "in": "path", "required": true, "description": "The flag's key.", "schema": shape("FlagKey") })
}

fn if_none_match() -> Json {
    let says = "Tags of answers already held, weak or strong, alone or in a list.";
    json!({ "name": "If-None-Match", "in": "header", "required": false, "description": says, "schema": { "type": "string" } })
}

fn in_query(name: &str, says: &str) -> Json {
    json!({ "name": name, "in": "query", "required": false, "description": says, "schema": { "type": "string" } })
}
