//! Reads a flag file: from its tree to a checked [`Definition`] with its tests.
//!
//! Every fault of the file is reported at once. Whether the segments it names exist is decided by
//! the [`DefinitionSet`](super::DefinitionSet), which knows them, also of a file with faults.

use std::sync::Arc;

use super::condition::{Declared, RESERVED, condition};
use super::decode::Decoder;
use super::file_header::{check_key, check_version};
use super::finding::{Code, Finding};
use super::flag_schema::{ALLOW, DENY, FLAG, ROLLOUT, RULE};
use super::limits::{MAX_DECLARED, MAX_ENTRIES};
use super::schema_model::MapSchema;
use super::segment_names::{SegmentNames, SegmentUses};
use super::test_case::Case;
use super::test_case_reader::{Tested, read_tests};
use super::transports::read_transports;
use super::tree::{self, Kind, Node};
use super::user_lists::Lists;
use crate::flag::{
    AttributeName, AttributeType, Audience, Baseline, Definition, Entry, FlagKey, Rule, RuleName,
    SegmentKey, Share, Split, Step, Strategy, self_test,
};

/// A flag file that is sound by itself.
#[derive(Debug)]
pub struct FlagFile {
    pub definition: Arc<Definition>,
    pub tests: Vec<Case>,
}

/// Reads the file of the flag called `stem`. The segments it names are returned also where it has
/// faults: one of them may be the cause.
pub fn read_flag(
    file: &str,
    stem: &str,
    bytes: &[u8],
) -> (Result<FlagFile, Vec<Finding>>, SegmentUses) {
    let mut uses = SegmentUses::default();
    let root = match tree::read(file, bytes) {
        Ok(root) => root,
        Err(finding) => return (Err(vec![finding]), uses),
    };
    let mut d = Decoder::new(file);
    let flag = flag(&mut d, &root, stem, &mut uses);
    let findings = d.finish();
    (flag.filter(|_| findings.is_empty()).ok_or(findings), uses)
}

fn flag(d: &mut Decoder, root: &Node, stem: &str, uses: &mut SegmentUses) -> Option<FlagFile> {
    let record = d.record(root, &FLAG)?;
    check_version(d, record);
    if let Some(plan) = record.get("plan") {
        let hint = "remove it, and move the rollout by hand until then".to_owned();
        d.report(plan.place, Code::NotYet, "plans are not supported yet", Some(hint));
    }

    // Everything is read before the file is refused, so that all faults show at once.
    let key = check_key::<FlagKey>(d, record, "flag", stem);
    let description = record.get("description").and_then(|node| d.text(node, "`description`"));
    let owner = record.get("owner").and_then(|node| d.text(node, "`owner`"));
    let salt = record.get("salt").map(|node| d.name(node, "a salt"));
    let enabled = record.get("enabled").and_then(|node| d.boolean(node, "`enabled`"));
    let when_stopped =
        record.get("when_stopped").and_then(|node| d.baseline(node, "`when_stopped`"));
    let default = record.get("default").and_then(|node| d.baseline(node, "`default`"));
    let attributes = record.get("attributes").map(|node| attributes(d, node)).unwrap_or_default();
    let declared = Declared { attributes: &attributes };
    let bucket_by = record.get("bucket_by").and_then(|node| bucket_by(d, node, &declared));
    let fallback = default.unwrap_or(Baseline::Polling);
    let mut segments = SegmentNames::default();
    let deny = entries(d, record.get("deny"), &DENY, Some(fallback), &declared, &mut segments);
    let allow = entries(d, record.get("allow"), &ALLOW, None, &declared, &mut segments);
    let rules = rules(d, record.get("rules"), &declared, &mut segments);
    let rollout = record.get("rollout").and_then(|node| rollout(d, node, fallback));
    let transports = read_transports(d, record.get("transports"), record.get("client"));
    let segment_keys: Vec<SegmentKey> = segments.uses.iter().map(|(key, _)| key.clone()).collect();
    let tested = Tested { attributes: &attributes, rules: &rules, segments: &segment_keys };
    let tests = read_tests(d, record.get("tests"), tested, &mut uses.of_tests);
    uses.of_flag = segments.uses;

    let key = key?;
    let salt = salt.unwrap_or_else(|| Some((&key).into()))?;
    if !self_test(&salt) {
        d.report(
            record.place,
            Code::SelfTest,
            "this machine does not hash as it must: nothing it decided could be trusted",
            None,
        );
    }
    let definition = Definition {
        salt,
        key,
        description,
        owner,
        enabled: enabled?,
        when_stopped: when_stopped?,
        default: default?,
        bucket_by,
        attributes,
        deny,
        allow,
        rules,
        rollout,
        transports,
        segments: segment_keys,
    };
    Some(FlagFile { definition: Arc::new(definition), tests })
}

fn attributes(d: &mut Decoder, node: &Node) -> Vec<(AttributeName, AttributeType)> {
    let Some(record) = d.map(node, "`attributes`") else { return Vec::new() };
    if record.entries.len() > MAX_DECLARED {
        d.report(
            node.place,
            Code::TooMany,
            format!("more than {MAX_DECLARED} attributes"),
            Some("remove those that no rule compares".into()),
        );
    }
    let mut attributes = Vec::new();
    for (name, node) in record.entries.iter().take(MAX_DECLARED) {
        let kind = attribute_type(d, node);
        if RESERVED.contains(&&*name.text) {
            let message = format!("`{}` has a meaning of its own in a `when`", name.text);
            d.report(
                name.place,
                Code::BadName,
                message,
                Some("give the attribute another name".into()),
            );
        } else if &*name.text == "email"
            && kind.as_ref().is_some_and(|kind| *kind != AttributeType::Text)
        {
            let hint = "remove it; `email` needs no declaring".to_owned();
            d.report(node.place, Code::WrongType, "`email` is always text", Some(hint));
        } else if let Some(name) = d.parsed_name(&name.text, name.place, "an attribute's name") {
            // An unreadable type is kept as a list of no words, so that its uses are not reported
            // as well.
            attributes.push((name, kind.unwrap_or(AttributeType::Words(Vec::new()))));
        }
    }
    attributes
}

/// The types that have a name; every other type is a list of words.
pub const TYPES: [(&str, AttributeType); 4] = [
    ("text", AttributeType::Text),
    ("number", AttributeType::Number),
    ("version", AttributeType::Version),
    ("boolean", AttributeType::Boolean),
];

fn attribute_type(d: &mut Decoder, node: &Node) -> Option<AttributeType> {
    if let Kind::List(items) = &node.kind {
        if items.is_empty() {
            d.report(
                node.place,
                Code::EmptyEntry,
                "an attribute with no values could never be compared",
                Some("list its values, as in `[ios, android]`, or declare it `text`".into()),
            );
        }
        let items = d.list(node, "the values of an attribute", MAX_ENTRIES)?;
        let words: Vec<_> = items.iter().map(|item| d.text(item, "a declared value")).collect();
        return words.into_iter().collect::<Option<_>>().map(AttributeType::Words);
    }
    let names = || TYPES.iter().map(|(name, _)| *name);
    let text = d.scalar(node, "an attribute's type")?;
    let kind = TYPES.iter().find(|(name, _)| *name == text).map(|(_, kind)| kind.clone());
    if kind.is_none() {
        let hint = match d.similar(text, names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write `text`, or put its values in brackets: `[…]`".to_owned(),
        };
        let message = format!(
            "an attribute is one of {}, or a list of its values",
            super::decode::list(names())
        );
        d.report(node.place, Code::WrongType, message, Some(hint));
    }
    kind
}

fn bucket_by(d: &mut Decoder, node: &Node, declared: &Declared) -> Option<AttributeName> {
    let name: AttributeName = d.name(node, "an attribute's name")?;
    let kind = declared.get(name.as_str());
    if kind != Some(&AttributeType::Text) && kind != Some(&AttributeType::Words(Vec::new())) {
        let hint = match kind {
            None => format!("declare it: `attributes: {{ {name}: text }}`"),
            Some(_) => format!("declare it `text`, or name another: `{name}` is of another type"),
        };
        let message =
            format!("`bucket_by` names a declared `text` attribute, and `{name}` is none");
        d.report(node.place, Code::UnknownAttribute, message, Some(hint));
    }
    Some(name)
}

/// Entries of `deny` (which may leave out the strategy) or `allow` (which may not).
fn entries(
    d: &mut Decoder,
    node: Option<&Node>,
    shape: &MapSchema,
    default: Option<Baseline>,
    declared: &Declared,
    segments: &mut SegmentNames,
) -> Vec<Entry> {
    let Some(items) =
        node.and_then(|node| d.list(node, &format!("the list of {}", shape.what), MAX_ENTRIES))
    else {
        return Vec::new();
    };
    items.iter().filter_map(|item| entry(d, item, shape, default, declared, segments)).collect()
}

fn entry(
    d: &mut Decoder,
    node: &Node,
    shape: &MapSchema,
    default: Option<Baseline>,
    declared: &Declared,
    segments: &mut SegmentNames,
) -> Option<Entry> {
    let record = d.record(node, shape)?;
    let names_someone = Lists::KEYS.iter().chain(&["segment"]).any(|key| record.get(key).is_some());
    if !record.says_enough(shape) {
        let hint = "add `users`, `emails`, `domains`, `segment` or `when`".to_owned();
        d.report(
            node.place,
            Code::EmptyEntry,
            format!("{} must say whom it is for", shape.what),
            Some(hint),
        );
    }
    let members = Lists::read(d, record).members(None);
    let named =
        record.get("segment").and_then(|node| segments.read_any(d, node)).unwrap_or_default();
    let when = record.get("when").and_then(|node| condition(d, node, declared, segments));
    let strategy = match (record.get("strategy"), default) {
        (None, Some(default)) => Some(default.into()),
        (Some(node), Some(_)) => d.baseline(node, "what `deny` serves").map(Strategy::from),
        (node, None) => node.and_then(|node| d.strategy(node, "a strategy")),
    };
    let who = names_someone.then_some(Audience { members, segments: named });
    Some(Entry { who, when, strategy: strategy? })
}

fn rules(
    d: &mut Decoder,
    node: Option<&Node>,
    declared: &Declared,
    segments: &mut SegmentNames,
) -> Vec<Rule> {
    let Some(items) = node.and_then(|node| d.list(node, "`rules`", MAX_ENTRIES)) else {
        return Vec::new();
    };
    let mut rules: Vec<Rule> = Vec::new();
    for item in items {
        let Some(record) = d.record(item, &RULE) else { continue };
        let name = record.get("name").and_then(|node| rule_name(d, node, &rules));
        let when = record.get("when").and_then(|node| condition(d, node, declared, segments));
        let strategy = record.get("strategy").and_then(|node| d.strategy(node, "a strategy"));
        // A rule with a fault refuses the file, but its name still counts: for a duplicate, or for
        // a test that names it.
        if let Some(name) = name {
            rules.push(Rule {
                name,
                when: when.unwrap_or_default(),
                strategy: strategy.unwrap_or(Strategy::Polling),
            });
        }
    }
    rules
}

fn rule_name(d: &mut Decoder, node: &Node, rules: &[Rule]) -> Option<RuleName> {
    let name: RuleName = d.name(node, "a rule's name")?;
    if Step::ALL.iter().any(|step| step.as_str() == name.as_str()) {
        let message = format!("`{name}` is the code of a step: `by: {name}` would mean two things");
        d.report(node.place, Code::BadName, message, Some("give the rule another name".into()));
    }
    if rules.iter().any(|rule| rule.name == name) {
        d.report(
            node.place,
            Code::DuplicateName,
            format!("a second rule called `{name}`"),
            Some("give it another name".into()),
        );
    }
    Some(name)
}

fn rollout(d: &mut Decoder, node: &Node, default: Baseline) -> Option<Split> {
    if let Kind::Map(entries) = &node.kind
        && let Some((name, _)) = entries.iter().find(|(name, _)| &*name.text == "polling")
    {
        let hint = "`polling` is what the others leave over: name `realtime-v2`, and `disabled` if it has a share".to_owned();
        d.report(name.place, Code::BadStrategy, "`rollout` never names `polling`", Some(hint));
        return None;
    }
    let record = d.record(node, &ROLLOUT)?;
    if !record.says_enough(&ROLLOUT) {
        let hint = "name a share, like `realtime-v2: 10%`, or remove it".to_owned();
        d.report(node.place, Code::EmptyEntry, "an empty `rollout`", Some(hint));
    }
    if let (Some(disabled), Baseline::Disabled) = (record.get("disabled"), default) {
        let hint = "remove it: `disabled` is what `realtime-v2` leaves over".to_owned();
        d.report(
            disabled.place,
            Code::BadStrategy,
            "`rollout` does not name the default",
            Some(hint),
        );
    }
    let mut share = |key: &str| {
        record
            .get(key)
            .map_or(Some(Share::NONE), |node| d.share(node, &format!("the share of `{key}`")))
    };
    let (realtime, disabled) = (share("realtime-v2"), share("disabled"));
    let (realtime, disabled) = (realtime?, disabled?);
    let split = Split::new(realtime, disabled);
    if split.is_none() {
        let message = format!("{realtime} and {disabled} together are over 100%");
        d.report(node.place, Code::BadShare, message, Some("lower one of the two".into()));
    }
    split
}
