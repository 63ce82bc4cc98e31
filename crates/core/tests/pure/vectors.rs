//! The published vectors: what every implementation, in any language, must answer.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use turnout_core::definition::{DefinitionSet, File, FlagFiles, Text};
use turnout_core::flag::{
    Baseline, Bucket, Context, EvaluationTracer, Flag, Identity, MatchResult, Resolution,
    ServerAuth, Share, Split, Step, Strategy, TargetingKey, Unit, Value, Version, bucket,
    bucket_for, evaluate_traced, hash,
};

fn vectors(file: &str) -> Json {
    let path = format!("{}/../../tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn list<'j>(json: &'j Json, key: &str) -> &'j Vec<Json> {
    json[key].as_array().unwrap_or_else(|| panic!("no list {key}"))
}

fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json[key].as_str().unwrap_or_else(|| panic!("no text {key} in {json}"))
}

fn number(json: &Json, key: &str) -> u32 {
    json[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {json}")) as u32
}

#[test]
fn law_3_every_hash_and_bucket_is_the_published_one() {
    let vectors = vectors("hash");
    assert_eq!(text(&vectors, "scheme"), "m3x32-v1");
    for case in list(&vectors, "cases") {
        let (salt, unit) = (text(case, "salt").parse().unwrap(), text(case, "unit"));
        let h = hash(&salt, Unit::new(unit).unwrap());
        assert_eq!(
            (h, bucket(h).number()),
            (number(case, "hash"), number(case, "bucket")),
            "{case}"
        );
        let crate_form = murmur3::murmur3_32(&mut format!("{salt}:{unit}").as_bytes(), 0).unwrap();
        assert_eq!(h, crate_form, "the slice form and the crate differ: {case}");
    }
}

#[test]
fn law_2_every_split_is_the_published_one() {
    let vectors = vectors("split");
    for case in list(&vectors, "cases") {
        let share =
            |key: &str| case[key].as_str().map_or(Share::NONE, |text| text.parse().unwrap());
        let split = Split::new(share("realtime-v2"), share("disabled")).unwrap();
        let default =
            Baseline::try_from(text(case, "default").parse::<Strategy>().unwrap()).unwrap();
        let bucket = Bucket::new(number(case, "bucket")).unwrap();
        assert_eq!(split.strategy(bucket, default).as_str(), text(case, "strategy"), "{case}");
        assert_eq!(
            split.single_strategy(default).is_none(),
            case["real"].as_bool().unwrap(),
            "{case}"
        );
        if let Some(sole) = split.single_strategy(default) {
            assert_eq!(sole, split.strategy(bucket, default), "{case}");
        }
    }
}

#[test]
fn shares_are_read_exactly_or_refused() {
    let vectors = vectors("shares");
    for case in list(&vectors, "good") {
        let share: Share =
            text(case, "text").parse().unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(share.millipercent(), number(case, "millipercent"), "{case}");
        assert_eq!(share.to_string().parse(), Ok(share), "{case}");
    }
    for case in list(&vectors, "bad") {
        assert!(text(case, "text").parse::<Share>().is_err(), "{case}");
    }
}

#[test]
fn versions_are_ordered_as_published() {
    let vectors = vectors("versions");
    for case in list(&vectors, "cases") {
        let (a, b) = (text(case, "a"), text(case, "b"));
        let order = Version::new(a).unwrap().cmp(&Version::new(b).unwrap());
        assert_eq!(format!("{order:?}").to_lowercase(), text(case, "order"), "{case}");
        assert_eq!(
            Version::new(b).unwrap().cmp(&Version::new(a).unwrap()),
            order.reverse(),
            "{case}"
        );
    }
    for unreadable in list(&vectors, "unreadable") {
        assert!(Version::new(unreadable.as_str().unwrap()).is_none(), "{unreadable}");
    }
}

/// A folder of the vectors as a flags folder: JSON is YAML, so definitions are read like every
/// file.
fn contents(folder: &Json) -> FlagFiles {
    let mut files = BTreeMap::new();
    let mut add =
        |path: String, text: String| files.insert(path, File::Text(Text::new(text.into_bytes())));
    for (key, definition) in folder["flags"].as_object().into_iter().flatten() {
        add(format!("{key}.yaml"), definition.to_string());
    }
    for (key, definition) in folder["segments"].as_object().into_iter().flatten() {
        add(format!("segments/{key}.yaml"), definition.to_string());
    }
    for (path, ids) in folder["usersFiles"].as_object().into_iter().flatten() {
        add(
            path.clone(),
            ids.as_array()
                .unwrap()
                .iter()
                .map(|id| format!("{}\n", id.as_str().unwrap()))
                .collect(),
        );
    }
    let ids = folder["internalUserIds"].as_array().into_iter().flatten();
    FlagFiles {
        files,
        internal_user_ids: ids.map(|id| id.as_str().unwrap().to_owned()).collect(),
        ..FlagFiles::default()
    }
}

#[derive(Default)]
struct Matched(Option<usize>);

impl EvaluationTracer for Matched {
    fn record(&mut self, step: Step, index: Option<usize>, state: MatchResult) {
        if step == Step::Rule && state == MatchResult::True {
            self.0 = index;
        }
    }
}

#[test]
fn law_4_every_evaluation_is_the_published_one() {
    let vectors = vectors("evaluations");
    let libraries: BTreeMap<&str, DefinitionSet> = vectors["folders"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, folder)| {
            let mut definitions = DefinitionSet::default();
            definitions.update(&contents(folder));
            (name.as_str(), definitions)
        })
        .collect();
    let cases = list(&vectors, "cases");
    assert!(cases.len() >= 150);
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| check(case, &libraries).err()).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn check(case: &Json, libraries: &BTreeMap<&str, DefinitionSet>) -> Result<(), String> {
    let expect = &case["expect"];
    let (answer, rule_name, placement) = match case["folder"].as_str() {
        None => (Resolution::COLD_START, None, None),
        Some(folder) => ask(case, &libraries[folder]),
    };
    let got = (answer.strategy.as_str(), answer.reason.as_str(), answer.step.as_str());
    let wanted = (text(expect, "strategy"), text(expect, "reason"), text(expect, "rule"));
    if got != wanted {
        return Err(format!("{}: wanted {wanted:?}, got {got:?}", case["name"]));
    }
    if expect["name"].as_str() != rule_name.as_deref() {
        return Err(format!("{}: wanted rule {}, got {rule_name:?}", case["name"], expect["name"]));
    }
    let wanted =
        (expect["hash"].as_u64().map(|h| h as u32), expect["bucket"].as_u64().map(|b| b as u32));
    let got = (placement.map(|p| p.0), placement.map(|p| p.1));
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{}: wanted hash and bucket {wanted:?}, got {got:?}", case["name"]))
    }
}

fn ask(
    case: &Json,
    definitions: &DefinitionSet,
) -> (Resolution, Option<String>, Option<(u32, u32)>) {
    let key = text(case, "flag");
    let (_, form) = definitions
        .flags()
        .find(|(other, _)| other.as_str() == key)
        .unwrap_or_else(|| panic!("no flag {key}"));
    let stopped = case["stopped"].as_bool().unwrap();
    let Some((definition, segments)) = form else {
        return (if stopped { Resolution::STOPPED_UNKNOWN } else { Resolution::ERROR }, None, None);
    };
    let flag = Flag { stopped, ..Flag::as_written(definition, segments) };
    let json = &case["context"];
    let attributes: Vec<_> = json["attributes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = match value {
                Json::Null => Value::Null,
                Json::Bool(is) => Value::Bool(*is),
                Json::Number(number) => Value::Number(number.as_f64().unwrap()),
                Json::String(text) => Value::from(text.as_str()),
                Json::Array(_) | Json::Object(_) => Value::Other,
            };
            (name.as_str().into(), value)
        })
        .collect();
    let identity = match text(json, "identity") {
        "verified" => Identity::Verified,
        "server" => Identity::Server,
        _ => Identity::Plain,
    };
    let key = json["targetingKey"].as_str().and_then(|key| TargetingKey::parse(key).unwrap());
    let context = Context::new(identity, key, &attributes);
    let server_auth = if case["serverAuth"].as_bool().unwrap() {
        ServerAuth::WithoutHandOff
    } else {
        ServerAuth::Off
    };
    let mut matched = Matched::default();
    let answer = evaluate_traced(&flag, &context, server_auth, None, &mut matched);
    let name = matched
        .0
        .filter(|_| answer.step == Step::Rule)
        .map(|index| flag.definition.rules[index].name.to_string());
    let placement = bucket_for(&flag.definition, &context)
        .map(|place| (place.hash.unwrap(), place.bucket.number()));
    (answer, name, placement)
}
