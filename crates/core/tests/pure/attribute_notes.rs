//! What is said of an attribute that came as another type than its flag declares.

use std::borrow::Cow;

use turnout_core::definition::{DefinitionSet, FlagFiles, attribute_notes};
use turnout_core::flag::Value;

const FLAG: &str = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n\
    attributes: {platform: [ios, web], plan: text, seats: number, app_version: version, beta: boolean}\n";

/// Every declared type with a value of every type, and what is said of it.
#[test]
fn a_note_names_the_declared_type_and_the_one_that_was_sent() {
    let mut set = DefinitionSet::default();
    assert_eq!(set.update(&FlagFiles::of([("chat.yaml", FLAG)])), []);
    let (definition, _) = set.flags().next().unwrap().1.unwrap();
    let text = |text: &'static str| Value::Text(Cow::from(text));
    let (number, truth, other) = (Value::Number(5.0), Value::Bool(true), Value::Other);
    // (the attribute, its type in words, how it is written, a good value)
    for (name, declared, write, good) in [
        ("platform", "one of a list of words", "platform=ios", text("ios")),
        ("plan", "a text", "plan=TEXT", text("pro")),
        ("seats", "a number", "seats:=5", number.clone()),
        ("app_version", "a version, as a text", "app_version=2.10", text("2.9")),
        ("beta", "true or false", "beta:=true", truth.clone()),
        ("email", "a text", "email=TEXT", text("jane@example.com")),
        ("email_verified", "true or false", "email_verified:=true", truth.clone()),
    ] {
        for (value, sent) in [
            (text("5"), "a text"),
            (number.clone(), "a number"),
            (truth.clone(), "true or false"),
            (other.clone(), "a list or an object"),
        ] {
            let notes = attribute_notes(&definition, &[(name.into(), value.clone())]);
            let is_declared = std::mem::discriminant(&value) == std::mem::discriminant(&good);
            match notes.as_slice() {
                // A text may still be none of the words, or no version.
                _ if is_declared => assert!(!format!("{notes:?}").contains("sent as"), "{notes:?}"),
                [note] => assert_eq!(
                    *note,
                    format!(
                        "`{name}` is declared {declared}, and was sent as {sent}; write it like {write}"
                    )
                ),
                _ => panic!("{name} {value:?}: {notes:?}"),
            }
        }
        for fine in [good, Value::Null] {
            assert_eq!(attribute_notes(&definition, &[(name.into(), fine)]), [""; 0], "{name}");
        }
    }
    // (a value, what is said of it)
    for (name, value, says) in [
        (
            "platform",
            "android",
            "none of its words, so it differs from all of them; they are `ios` and `web`",
        ),
        ("platform", "iOs", "did you mean `ios`?"),
        ("app_version", "latest", "this text is none; write it like 2.10"),
        (
            "plaform",
            "ios",
            "not declared by this flag, so nothing depends on it; did you mean `platform`?",
        ),
    ] {
        let notes = attribute_notes(&definition, &[(name.into(), text(value))]);
        assert!(notes.len() == 1 && notes[0].contains(says), "{name}={value}: {notes:?}");
    }
}
