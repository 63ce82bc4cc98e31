//! The JSON Schemas of flag and segment files agree with the reader, as far as a schema can.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value as Json, json};
use turnout_core::definition::{
    Code, DefinitionSet, Finding, FlagFiles, flag_schema, segment_schema,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn validator(schema: &Json) -> Validator {
    jsonschema::draft7::meta::validate(schema).unwrap();
    jsonschema::draft7::new(schema).unwrap()
}

/// The reader's findings for a flag called `f` that may name the segment `s`.
fn read_flag(flag: &Json) -> Vec<Finding> {
    let segment = "version: 1\nsegment: s\nusers: [u-1]\n";
    DefinitionSet::default().update(&FlagFiles::of([
        ("f.yaml", flag.to_string().as_str()),
        ("segments/s.yaml", segment),
    ]))
}

fn read_segment(segment: &Json) -> Vec<Finding> {
    DefinitionSet::default().update(&FlagFiles::of([
        ("segments/s.yaml", segment.to_string().as_str()),
        ("ids.txt", "u-1\n"),
    ]))
}

/// Every key, once.
fn whole_flag() -> Json {
    json!({
        "version": 1, "flag": "f", "description": "text", "owner": "us", "salt": "f", "enabled": true, "when_stopped": "polling",
        "default": "polling", "bucket_by": "team",
        "attributes": { "team": "text", "os": ["ios", "web"], "seats": "number", "app": "version", "paid": "boolean" },
        "deny": [{ "users": ["u-1"], "emails": ["a@b.c"], "domains": ["b.c"], "strategy": "disabled" }, { "segment": "s", "when": { "paid": true } }],
        "allow": [
            { "when": { "team": "red" }, "segment": ["s"], "strategy": "realtime-v2" },
            { "users": ["u-1"], "emails": ["a@b.c"], "domains": ["b.c"], "strategy": "polling" },
        ],
        "rules": [{
            "name": "r",
            "when": {
                "os": ["ios"], "seats": { "at_least": 5, "below": 9.5 }, "app": { "not": { "below": "2.10" } }, "paid": true,
                "team": { "starts_with": "r", "ends_with": "d" }, "email": "a@b.c", "segment": ["s"],
                "not": { "segment": "s", "not": { "seats": [1, 2] } },
            },
            "strategy": "polling",
        }],
        "rollout": { "realtime-v2": "12.5%", "disabled": "0%" },
        "transports": {
            "polling": {
                "url": "/x", "start": "4s", "min": "3s", "max": "15s", "factor": 1.5, "dedupe": "500ms", "limit": 50,
                "wait": "0s", "retain": "7d", "keep": 10000,
            },
            "realtime-v2": { "kind": "sse", "url": "/x", "token_ttl": "10m", "retry": ["2s", "1h"] },
        },
        "client": { "valid_for": "60s", "stale_if_error": "1d", "enter_spread": "5s" },
        "tests": [{
            "user": "u-2", "bucket": 0, "segments": [], "with": { "team": "blue", "paid": false, "seats": null, "app": "1" },
            "identity": "verified", "expect": "realtime-v2", "by": "rollout",
        }],
    })
}

fn whole_segment() -> Json {
    json!({
        "version": 1, "segment": "s", "description": "text", "owner": "us", "users": ["u-1"], "users_file": "ids.txt",
        "emails": ["a@b.c"], "domains": ["b.c"],
    })
}

/// The positions in a document, deepest last.
fn places(json: &Json, at: &str, into: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    into.push(at.to_owned());
    match json {
        Json::Object(members) => members
            .iter()
            .for_each(|(key, value)| places(value, &format!("{at}/{}", escaped(key)), into)),
        Json::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| places(item, &format!("{at}/{index}"), into)),
        _ => {}
    }
}

/// Puts odd values in every position: the schema must accept what the reader accepts, and in each
/// position both refuse something.
fn compare(whole: &Json, schema: &Json, read: impl Fn(&Json) -> Vec<Finding>) {
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-7),
        json!(2.5),
        json!(100_000),
        json!(4_000_000_000_u32),
        json!(""),
        json!(" "),
        json!("true"),
        json!("x"),
        json!("X y"),
        json!("polling"),
        json!("realtime-v2"),
        json!("disabled"),
        json!("10%"),
        json!("100.000%"),
        json!("0.5%"),
        json!("00%"),
        json!("101%"),
        json!("5"),
        json!("05s"),
        json!("3 s"),
        json!("2.10"),
        json!("s"),
        json!("f"),
        json!("team"),
        json!("a@b"),
        json!("two words@b"),
        json!("@b"),
        json!("websocket"),
        json!("server"),
        json!("x".repeat(256)),
        json!("x".repeat(3_000)),
        json!("text"),
        json!("é".repeat(100)),
        json!("ids.txt"),
        json!([]),
        json!([[]]),
        json!(["x"]),
        json!([5]),
        json!([null]),
        json!(["s", "s"]),
        json!({}),
        json!({ "x": 1 }),
        json!({ "not": 5 }),
        json!({ "not": {} }),
        json!({ "below": "1" }),
        json!({ "seats": 5 }),
        json!({ "segment": [] }),
    ];
    let validator = validator(schema);
    assert_eq!(read(whole), []);
    assert!(
        validator.is_valid(whole),
        "{:?}",
        validator.iter_errors(whole).map(|e| e.to_string()).collect::<Vec<_>>()
    );
    let mut all = Vec::new();
    places(whole, "", &mut all);
    for place in &all {
        let mut refused_by_both = 0;
        for odd in &odd {
            let mut changed = whole.clone();
            *changed.pointer_mut(place).unwrap() = odd.clone();
            let findings = read(&changed);
            // These depend on more than the shape.
            let accepted = findings
                .iter()
                .all(|finding| matches!(finding.code, Code::FailedTest | Code::UnknownSegment));
            let valid = validator.is_valid(&changed);
            assert!(
                valid || !accepted,
                "{place} = {odd}: the reader accepts what the schema refuses"
            );
            refused_by_both += usize::from(!valid && !accepted);
        }
        assert!(refused_by_both > 0, "{place}: the schema takes anything");
    }
}

#[test]
fn the_schema_never_refuses_what_the_reader_accepts() {
    compare(&whole_flag(), &flag_schema(), read_flag);
    compare(&whole_segment(), &segment_schema(), read_segment);
}

/// A share and a duration have units, so that an editor marks a bare number as the reader does.
#[test]
fn a_bare_number_is_refused_where_a_unit_is_needed() {
    let validator = validator(&flag_schema());
    for place in [
        "/rollout/realtime-v2",
        "/rollout/disabled",
        "/client/valid_for",
        "/transports/polling/start",
        "/transports/realtime-v2/token_ttl",
    ] {
        for number in [json!(5), json!(0.25), json!(60), json!(0)] {
            let mut changed = whole_flag();
            *changed.pointer_mut(place).unwrap() = number.clone();
            assert!(!validator.is_valid(&changed), "{place} = {number}: the schema takes it");
            assert!(!read_flag(&changed).is_empty(), "{place} = {number}: the reader takes it");
        }
    }
}

/// The documents above contain every key of the schema, so that each is compared.
#[test]
fn every_key_is_compared() {
    fn uncovered(schema: &Json, samples: &[&Json], at: &str, missing: &mut Vec<String>) {
        let Some(properties) = schema["properties"].as_object() else { return };
        for (key, property) in
            properties.iter().filter(|(_, property)| property["not"] != json!({}))
        {
            let found: Vec<&Json> = samples.iter().filter_map(|sample| sample.get(key)).collect();
            if found.is_empty() {
                missing.push(format!("{at}/{key}"));
            }
            let items: Vec<&Json> =
                found.iter().filter_map(|found| found.as_array()).flatten().collect();
            uncovered(property, &found, &format!("{at}/{key}"), missing);
            uncovered(&property["items"], &items, &format!("{at}/{key}"), missing);
        }
    }
    let mut missing = Vec::new();
    uncovered(&flag_schema(), &[&whole_flag()], "flag", &mut missing);
    uncovered(&segment_schema(), &[&whole_segment()], "segment", &mut missing);
    assert_eq!(missing, Vec::<String>::new(), "add them to `whole_flag` or `whole_segment`");
}

#[test]
fn the_schema_and_the_reader_refuse_wrong_files() {
    let with = |place: &str, value: Json| {
        let mut flag = whole_flag();
        let (parent, key) = place.rsplit_once('/').unwrap();
        flag.pointer_mut(parent).unwrap()[key] = value;
        flag
    };
    let validator = validator(&flag_schema());
    for (place, value) in [
        ("/enabld", json!(true)),
        ("/plan", json!({})),
        ("/enabled", json!("yes")),
        ("/version", json!(2)),
        ("/default", json!("realtime-v2")),
        ("/when_stopped", json!("off")),
        ("/flag", json!("Build Events")),
        ("/rollout", json!({})),
        ("/rollout/polling", json!("10%")),
        ("/rollout/realtime-v2", json!("10")),
        ("/rollout/realtime-v2", json!("10.0001%")),
        ("/rollout/realtime-v2", json!("100.5%")),
        ("/attributes/segment", json!("text")),
        ("/attributes/team", json!("string")),
        ("/attributes/os", json!([])),
        ("/allow", json!([{ "users": ["u-1"] }])),
        ("/allow", json!([{ "strategy": "polling" }])),
        ("/deny", json!([{ "users": ["u-1"], "strategy": "realtime-v2" }])),
        ("/rules", json!([{ "name": "r", "when": {}, "strategy": "polling" }])),
        ("/rules", json!([{ "name": "r", "when": { "team": {} }, "strategy": "polling" }])),
        (
            "/rules",
            json!([{ "name": "r", "when": { "team": { "like": "x" } }, "strategy": "polling" }]),
        ),
        ("/transports/polling/start", json!("4 seconds")),
        ("/transports/polling/limit", json!(0)),
        ("/client/valid", json!("1s")),
        ("/tests", json!([{ "user": "u" }])),
        ("/tests", json!([{ "expect": "polling", "bucket": 100_000 }])),
    ] {
        let flag = with(place, value.clone());
        assert!(!read_flag(&flag).is_empty(), "{place} = {value}: the reader accepts it");
        assert!(!validator.is_valid(&flag), "{place} = {value}: the schema accepts it");
    }
    for key in ["version", "flag", "enabled", "default", "when_stopped"] {
        let mut flag = whole_flag();
        flag.as_object_mut().unwrap().remove(key);
        assert!(!read_flag(&flag).is_empty() && !validator.is_valid(&flag), "without {key}");
    }
}

/// The reader accepts the vectors without findings, so the schemas must accept them too.
#[test]
fn the_vectors_fit_the_schemas() {
    let vectors =
        fs::read_to_string(Path::new(ROOT).join("tests/vectors/evaluations.json")).unwrap();
    let vectors: Json = serde_json::from_str(&vectors).unwrap();
    let (flags, segments) = (validator(&flag_schema()), validator(&segment_schema()));
    let mut seen = 0;
    for (folder, contents) in vectors["folders"].as_object().unwrap() {
        for (kind, validator, prefix) in
            [("flags", &flags, ""), ("segments", &segments, "segments/")]
        {
            for (key, definition) in contents[kind].as_object().unwrap() {
                let path = format!("{prefix}{key}.yaml");
                let findings = DefinitionSet::default()
                    .update(&FlagFiles::of([(path.as_str(), definition.to_string().as_str())]));
                let accepted = findings
                    .iter()
                    .all(|finding| matches!(finding.code, Code::UnknownSegment | Code::UsersFile));
                assert!(validator.is_valid(definition) || !accepted, "{folder}/{path}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_committed_schemas_are_current() {
    for (kind, schema) in [("flag", flag_schema()), ("segment", segment_schema())] {
        let path = Path::new(ROOT).join(format!("schema/{kind}.json"));
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let renew = format!("renew it: cargo run -- schema {kind} > schema/{kind}.json");
        assert!(
            committed == format!("{schema:#}\n"),
            "schema/{kind}.json is not what the reader reads; {renew}"
        );
    }
}

/// Every shipped file names its schema for editors, by a path that is right relative to the file.
#[test]
fn shipped_files_name_their_schema() {
    fn yaml_files(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_dir() {
                let is_yaml = path.extension().is_some_and(|extension| extension == "yaml");
                into.extend(is_yaml.then_some(path));
            } else if path.file_name().unwrap() != "tests" {
                yaml_files(&path, into);
            }
        }
    }
    let mut files = Vec::new();
    yaml_files(&Path::new(ROOT).join("flags"), &mut files);
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap();
        let Some(schema) = first.strip_prefix("# yaml-language-server: $schema=") else {
            panic!("{}: its first line names no schema: {first}", file.display())
        };
        let folder = file.parent().unwrap();
        let kind = if folder.ends_with("segments") { "segment" } else { "flag" };
        let named = fs::canonicalize(folder.join(schema))
            .unwrap_or_else(|_| panic!("{}: {schema}", file.display()));
        assert_eq!(
            named,
            fs::canonicalize(Path::new(ROOT).join(format!("schema/{kind}.json"))).unwrap()
        );
    }
}
