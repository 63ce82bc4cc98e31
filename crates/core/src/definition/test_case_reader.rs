//! Reads the tests of a flag, in its file or in separate tables.

use std::borrow::Cow;

use super::condition::{RESERVED, type_meant};
use super::decode::{Decoder, Mapping, decimal, list};
use super::finding::{Code, SourceSpan, quoted};
use super::limits::{MAX_CASES, MAX_FINDINGS};
use super::schema_model::{
    ID, Key, MapSchema, MinKeys, STRATEGY, TEXT, ValueKind, optional, required,
};
use super::segment_names::unnamed_segment;
use super::test_case::{By, Case};
use super::tree::{Kind, Name, Node};
use super::wanted::Wanted;
use crate::flag::{
    AttributeName, AttributeType, BUCKETS, Bucket, Identity, MAX_UNIT_BYTES, Rule, SegmentKey,
    Step, TargetingKey, Value,
};

const USER: Key = optional("user", ValueKind::Text(0, MAX_UNIT_BYTES), "The targeting key.");
const BUCKET: Key = optional(
    "bucket",
    ValueKind::Whole(0, BUCKETS - 1),
    "Pretend the user falls into this bucket.",
);
const SEGMENTS: Key = optional(
    "segments",
    ValueKind::List(&ValueKind::Pattern(SegmentKey::PATTERN), MAX_CASES),
    "The segments the user is in, whatever their files say.",
);
const WITH: Key =
    optional("with", ValueKind::Attributes, "Attributes, as a caller would send them.");
const IDENTITY: Key = optional(
    "identity",
    ValueKind::Words(|| IDENTITIES.map(|(word, _)| word).to_vec()),
    "Who vouches for them (verified).",
);
const EXPECT: Key =
    required("expect", STRATEGY, "The strategy the user must get.").such_as("polling");
const BY: Key = optional("by", ID, "The step that must have decided, or the name of a rule.");
const NAME: Key = optional("name", TEXT, "What the case is called, for people.");
const EACH: Key = optional("each", ValueKind::Choices, "One case for each value of an attribute.");

/// An entry of `tests`.
pub const CASE: MapSchema = MapSchema {
    what: "a test",
    keys: &[USER, BUCKET, SEGMENTS, WITH, IDENTITY, EXPECT, BY],
    least: MinKeys::Nothing,
};
/// An entry of a table's `cases`.
pub const CASE_OF_TABLE: MapSchema = MapSchema {
    what: "a case",
    keys: &[NAME, EACH, USER, BUCKET, SEGMENTS, WITH, IDENTITY, EXPECT, BY],
    least: MinKeys::Nothing,
};
const IDENTITIES: [(&str, Identity); 3] =
    [("verified", Identity::Verified), ("server", Identity::Server), ("plain", Identity::Plain)];

/// What a case may refer to: the parts of the flag it tests.
#[derive(Clone, Copy)]
pub struct Tested<'a> {
    pub attributes: &'a [(AttributeName, AttributeType)],
    pub rules: &'a [Rule],
    pub segments: &'a [SegmentKey],
}

impl Tested<'_> {
    fn attribute(&self, name: &str) -> Option<&AttributeType> {
        self.attributes.iter().find(|(other, _)| other.as_str() == name).map(|(_, kind)| kind)
    }
}

/// Where cases name segments that their flag does not.
type Unnamed = Vec<(SegmentKey, SourceSpan)>;

/// The `tests:` of a flag file. Which of the segments that they name and the flag does not are at
/// fault depends on the folder.
pub fn read_tests(
    d: &mut Decoder,
    node: Option<&Node>,
    tested: Tested,
    unnamed: &mut Unnamed,
) -> Vec<Case> {
    let items = node.and_then(|node| d.list(node, "`tests`", MAX_CASES)).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            let record = d.record(item, &CASE)?;
            Some(case(d, item.place, record, (tested, unnamed), &Vec::new()))
        })
        .flatten()
        .collect()
}

/// The `cases:` of a table: tests with a name, and one for each value of an attribute.
pub fn read_cases(d: &mut Decoder, node: &Node, tested: Tested) -> Vec<Case> {
    let (mut cases, mut unnamed) = (Vec::new(), Vec::new());
    for item in d.list(node, "`cases`", MAX_CASES).unwrap_or_default() {
        let Some(record) = d.record(item, &CASE_OF_TABLE) else { continue };
        for attributes in
            record.get("each").map_or_else(|| vec![Vec::new()], |node| each(d, node, tested))
        {
            cases.extend(case(d, item.place, record, (tested, &mut unnamed), &attributes));
        }
        if cases.len() > MAX_CASES {
            d.report(
                item.place,
                Code::TooMany,
                format!("`each` makes more than {MAX_CASES} cases"),
                Some("give `each` fewer values, or put some into another table".into()),
            );
            break;
        }
    }
    let names: Vec<&str> = tested.segments.iter().map(SegmentKey::as_str).collect();
    for (key, place) in unnamed.iter().take(MAX_FINDINGS) {
        let (message, hint) = unnamed_segment(key, &names);
        d.report(*place, Code::BadCase, message, Some(hint));
    }
    cases
}

type OwnedAttributes = Vec<(Cow<'static, str>, Value<'static>)>;

/// Every combination of the values given for the attributes.
fn each(d: &mut Decoder, node: &Node, tested: Tested) -> Vec<OwnedAttributes> {
    let mut combinations = vec![Vec::new()];
    for (name, node) in d.map(node, "`each`").map(|record| record.entries).unwrap_or_default() {
        let values = d.list(node, "what `each` runs through", MAX_CASES);
        if values.is_some_and(|values| values.is_empty()) {
            let hint = Some("give it at least one value, or remove it".to_owned());
            d.report(
                node.place,
                Code::EmptyEntry,
                "`each` has nothing to run through: the case would never be run",
                hint,
            );
        }
        let values = values.unwrap_or_default();
        let values: OwnedAttributes =
            values.iter().filter_map(|value| attribute(d, name, value, tested)).collect();
        let longer = combinations.iter().flat_map(|combination: &OwnedAttributes| {
            values.iter().map(|value| combination.iter().chain([value]).cloned().collect())
        });
        combinations = longer.take(MAX_CASES + 1).collect();
        if combinations.len() > MAX_CASES {
            break;
        }
    }
    combinations
}

fn case(
    d: &mut Decoder,
    place: SourceSpan,
    record: Mapping,
    (tested, unnamed): (Tested, &mut Unnamed),
    each: &OwnedAttributes,
) -> Option<Case> {
    let user = record.get("user").and_then(|node| user(d, node));
    let named = record
        .get("segments")
        .and_then(|node| d.list(node, "`segments`", MAX_CASES))
        .unwrap_or_default();
    if let (false, None) = (named.is_empty(), &user) {
        let message = "a test that names `segments` needs a `user` to be in them";
        d.report(record.place, Code::BadCase, message, Some("add `user: x`".into()));
    }
    let mut attributes =
        record.get("with").map(|node| attributes(d, node, tested)).unwrap_or_default();
    // `each` comes last: it replaces the value that `with` gives for the same attribute.
    attributes.retain(|(name, _)| each.iter().all(|(other, _)| other != name));
    attributes.extend(each.iter().cloned());
    Some(Case {
        place,
        name: record.get("name").and_then(|node| d.text(node, "`name`")),
        bucket: record
            .get("bucket")
            .and_then(|node| d.integer(node, "`bucket`", 0..=BUCKETS - 1))
            .and_then(Bucket::new),
        segments: named.iter().filter_map(|node| segment(d, node, tested, unnamed)).collect(),
        attributes,
        identity: record
            .get("identity")
            .and_then(|node| identity(d, node))
            .unwrap_or(Identity::Verified),
        by: record.get("by").and_then(|node| by(d, node, tested.rules)),
        expect: record.get("expect").and_then(|node| d.strategy(node, "`expect`"))?,
        user,
    })
}

fn user(d: &mut Decoder, node: &Node) -> Option<String> {
    let text = d.scalar(node, "`user`")?;
    if TargetingKey::parse(text).is_err() {
        let hint = format!("write an id of at most {MAX_UNIT_BYTES} bytes");
        d.report(node.place, Code::BadId, crate::flag::KeyTooLong.to_string(), Some(hint));
        return None;
    }
    Some(text.to_owned())
}

fn segment(
    d: &mut Decoder,
    node: &Node,
    tested: Tested,
    unnamed: &mut Unnamed,
) -> Option<SegmentKey> {
    let key: SegmentKey = d.name(node, "a segment's key")?;
    if !tested.segments.contains(&key) {
        unnamed.push((key.clone(), node.place));
    }
    Some(key)
}

fn identity(d: &mut Decoder, node: &Node) -> Option<Identity> {
    let text = d.scalar(node, "`identity`")?;
    let identity =
        IDENTITIES.into_iter().find(|(word, _)| *word == text).map(|(_, identity)| identity);
    if identity.is_none() {
        let hint = match d.similar(text, IDENTITIES.into_iter().map(|(word, _)| word)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => "write `plain` for a client without a credential, or remove it".to_owned(),
        };
        let message = "`identity` is `verified`, `server` or `plain`";
        d.report(node.place, Code::BadCase, message, Some(hint));
    }
    identity
}

fn by(d: &mut Decoder, node: &Node, rules: &[Rule]) -> Option<By> {
    let text = d.scalar(node, "`by`")?;
    // A step that a definition alone cannot reach is not allowed in a test.
    let steps = || {
        Step::ALL
            .into_iter()
            .filter(|step| !matches!(step, Step::Stop | Step::ServerAuth | Step::ColdStart))
    };
    if let Some(step) = steps().find(|step| step.as_str() == text) {
        return Some(By::Step(step));
    }
    let rule = rules.iter().position(|rule| rule.name.as_str() == text);
    if rule.is_none() {
        let words: Vec<&str> = steps()
            .map(|step| step.as_str() as &str)
            .chain(rules.iter().map(|rule| rule.name.as_str()))
            .collect();
        let hint = match d.similar(text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None if matches!(text, "stop" | "server-auth" | "cold-start") => {
                "remove it: tests are answered from the file alone, which never gives this step"
                    .to_owned()
            }
            None => "write one of these, or remove `by`".to_owned(),
        };
        let message =
            format!("`by` is a step or the name of a rule: {}", list(words.iter().copied()));
        d.report(node.place, Code::BadCase, message, Some(hint));
    }
    rule.map(By::Rule)
}

fn attributes(d: &mut Decoder, node: &Node, tested: Tested) -> OwnedAttributes {
    let entries = d.map(node, "`with`").map(|record| record.entries).unwrap_or_default();
    entries.iter().filter_map(|(name, value)| attribute(d, name, value, tested)).collect()
}

/// An attribute as a caller would send it, in the JSON type of its declaration. A text that does
/// not fit its type stays a text, so that a test can check what happens then.
fn attribute(
    d: &mut Decoder,
    name: &Name,
    node: &Node,
    tested: Tested,
) -> Option<(Cow<'static, str>, Value<'static>)> {
    let needs_declaring = !matches!(&*name.text, "email" | "email_verified");
    let kind = tested.attribute(&name.text).filter(|_| needs_declaring);
    if kind.is_none() && needs_declaring {
        let names = tested
            .attributes
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(["email", "email_verified"]);
        let hint = match d.similar(&name.text, names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if RESERVED.contains(&&*name.text) => {
                "write `segments: [NAME]` beside `user` for the segments the user is in".to_owned()
            }
            None => {
                let shown = if AttributeName::accepts(&name.text) { &*name.text } else { "NAME" };
                format!(
                    "remove it: no rule of the flag compares it; or declare it: `attributes: {{ {shown}: {} }}`",
                    type_meant(node)
                )
            }
        };
        d.report(
            name.place,
            Code::UnknownAttribute,
            format!("{} is not declared", quoted(&name.text)),
            Some(hint),
        );
    }
    let Kind::Scalar { text, plain } = &node.kind else {
        return d.wrong_type(node, "an attribute is a single value", Wanted::Single);
    };
    let value =
        if node.is_null() { Value::Null } else { typed_value(text, *plain, kind, &name.text) };
    Some((Cow::Owned(name.text.to_string()), value))
}

/// A text as the JSON value of its declared type, or as a text where it does not fit.
pub fn typed_value(
    text: &str,
    plain: bool,
    kind: Option<&AttributeType>,
    name: &str,
) -> Value<'static> {
    let boolean = match (plain, text) {
        (true, "true") => Some(Value::Bool(true)),
        (true, "false") => Some(Value::Bool(false)),
        _ => None,
    };
    let value = match kind {
        Some(AttributeType::Number) => decimal(text).filter(|_| plain).map(Value::Number),
        Some(AttributeType::Boolean) => boolean,
        None if name == "email_verified" => boolean,
        _ => None,
    };
    value.unwrap_or_else(|| Value::Text(Cow::Owned(text.to_owned())))
}
