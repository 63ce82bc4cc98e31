//! What a client does when its document changed (docs/HTTP.md): leaving realtime is never delayed;
//! entering it, and the first poll after leaving it, are spread over a while, so that not all
//! clients come at once.

use serde_json::Value as Json;

use crate::cli::remote::text_of;

/// The advice in words, from the document before, if there was any, and the current one.
pub fn advice(before: Option<&Json>, now: &Json) -> String {
    let was = before.map(|before| text_of(&before["strategy"]));
    let enters = || format!("enter realtime within {} ms by chance", now["enterSpreadMs"]);
    let polls = |within: &Json| format!("first poll within {within} ms");
    match (was.as_deref(), &*text_of(&now["strategy"])) {
        (Some(was), is) if was == is => goes_on(before, now),
        (Some("realtime-v2"), "disabled") => "leave realtime at once; no live updates".to_owned(),
        (Some(_), "disabled") => "stop polling; no live updates".to_owned(),
        (None, "disabled") => "no live updates".to_owned(),
        (Some("disabled") | None, "realtime-v2") => enters(),
        (Some(_), "realtime-v2") => format!("poll on; {}", enters()),
        (Some("realtime-v2"), _) => {
            format!("leave realtime at once; {}", polls(&now["enterSpreadMs"]))
        }
        // In every other case a client polls; clients that got the change together must not all
        // come together.
        (Some(_), _) => polls(&now["enterSpreadMs"]),
        (None, _) => polls(&now["polling"]["startMs"]),
    }
}

fn goes_on(before: Option<&Json>, now: &Json) -> String {
    let terms = |document: &Json| {
        ["polling", "realtime", "validForMs", "staleIfErrorMs", "enterSpreadMs"]
            .map(|term| document[term].clone())
    };
    if before.is_some_and(|before| terms(before) != terms(now)) {
        "go on, by the new terms".to_owned()
    } else {
        "go on as before".to_owned()
    }
}
